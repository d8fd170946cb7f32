/// How the end of a message's body is told.
public enum BodyFraming: Hashable, Sendable {
    /// There is no body.
    case none
    /// So many bytes, at least one.
    case length(Int)
    case chunked
    /// Until the connection closes: responses only.
    case untilClose
}

/// The methods that this program knows.
public enum Method: Hashable, Sendable {
    case get, head, post, put, delete, patch, options, connect, trace
    /// Another token.
    case other
}

/// The head of a request.
public struct RequestHead: Sendable {
    public let method: Method
    /// 0 or 1, after `HTTP/1.`
    public let minorVersion: Int
    public let headers: Headers
    public let framing: BodyFraming
    /// Whether the client lets the connection be used again.
    public let keepsAlive: Bool
    /// Whether the client waits for `100 Continue` before it sends its body.
    public let expectsContinue: Bool
    private let methodRange: Range<Int>
    private let pathRange: Range<Int>
    private let targetEnd: Int

    /// Reads a head that ends with its empty line; empty lines before it are left out (RFC 9112, section 2.2). Nil when
    /// there is nothing but empty lines.
    init?(bytes: [UInt8], limits: HeadLimits) throws(MessageError) {
        let parts = try bytes.withBytes { head throws(MessageError) -> (RequestLine, FieldReader)? in
            var start = 0
            while start + 1 < head.count, head[start] == 0x0D, head[start + 1] == 0x0A { start += 2 }
            guard start < head.count else { return nil }
            let line = try RequestLine(head, from: start, limits: limits)
            return (line, try FieldReader(head, from: line.end + 2, limits: limits))
        }
        guard let (line, reader) = parts else { return nil }
        if reader.isChunked, line.minorVersion == 0 { throw .transferCoding }
        guard reader.hostCount == 1 || reader.hostCount == 0 && line.minorVersion == 0 else { throw .host }
        guard reader.contentTypeCount <= 1 else { throw .contentType }
        method = line.method
        minorVersion = line.minorVersion
        methodRange = line.methodRange
        pathRange = line.path
        targetEnd = line.targetEnd
        headers = Headers(bytes: bytes, fields: reader.fields, namesFields: reader.namesFields)
        keepsAlive = reader.keepsAlive(minorVersion: line.minorVersion)
        expectsContinue = reader.expectsContinue && line.minorVersion > 0
        if reader.isChunked {
            framing = .chunked
        } else if let length = reader.contentLength, length > 0 {
            framing = .length(length)
        } else {
            framing = .none
        }
    }

    /// The method as it was sent.
    public var methodText: String { headers.bytes.withBytes { $0.text(methodRange) } }

    /// The path, as it was sent: percent escapes stay, the question mark and what follows it are left out.
    public var path: String { headers.bytes.withBytes { $0.text(pathRange) } }

    /// The query with its question mark; empty when there is none.
    public var query: String { headers.bytes.withBytes { $0.text(pathRange.upperBound..<targetEnd) } }

    /// Path and query together, in bytes.
    public var targetByteCount: Int { targetEnd - pathRange.lowerBound }

    /// Calls `body` with the path's bytes and with the query's, question mark included.
    public func withTarget<Result>(
        _ body: (_ path: UnsafeRawBufferPointer, _ query: UnsafeRawBufferPointer) -> Result
    ) -> Result {
        headers.bytes.withBytes { bytes in
            body(
                UnsafeRawBufferPointer(rebasing: bytes[pathRange]),
                UnsafeRawBufferPointer(rebasing: bytes[pathRange.upperBound..<targetEnd]))
        }
    }

    /// The body's length where the head says it: zero without a body; nil for a chunked one.
    public var contentLength: Int? {
        switch framing {
        case .none: 0
        case .length(let length): length
        case .chunked, .untilClose: nil
        }
    }
}

/// `METHOD target HTTP/1.x`
private struct RequestLine {
    let method: Method
    let methodRange: Range<Int>
    let path: Range<Int>
    let targetEnd: Int
    let minorVersion: Int
    /// Where its carriage return stands.
    let end: Int

    init(_ head: UnsafeRawBufferPointer, from start: Int, limits: HeadLimits) throws(MessageError) {
        var index = start
        while head[index].isTokenCharacter { index += 1 }
        guard index > start, head[index] == 0x20 else { throw .requestLine }
        methodRange = start..<index
        method = RequestLine.method(head, start..<index)
        let targetStart = index + 1
        index = targetStart
        while head[index].isTargetCharacter { index += 1 }
        targetEnd = index
        guard head[index] == 0x20 else { throw head[index] == 0x0D ? .requestLine : .target }
        guard index - targetStart <= limits.fieldBytes else { throw .headTooLarge }
        minorVersion = try RequestLine.version(head, at: index + 1)
        end = index + 9
        guard end + 1 < head.count, head[end] == 0x0D, head[end + 1] == 0x0A else { throw .requestLine }
        path = try RequestLine.path(head, targetStart..<targetEnd, method: method)
    }

    private static func method(_ head: UnsafeRawBufferPointer, _ range: Range<Int>) -> Method {
        for (method, name) in RequestLine.names where head.equalsExactly(name, in: range) { return method }
        return .other
    }

    private static let names: [(Method, StaticString)] = [
        (.post, "POST"), (.get, "GET"), (.head, "HEAD"), (.options, "OPTIONS"), (.delete, "DELETE"), (.put, "PUT"),
        (.patch, "PATCH"), (.connect, "CONNECT"), (.trace, "TRACE"),
    ]

    private static func version(_ head: UnsafeRawBufferPointer, at start: Int) throws(MessageError) -> Int {
        guard start + 8 < head.count, head.equalsExactly("HTTP/", in: start..<start + 5), head[start + 6] == 0x2E else {
            throw .requestLine
        }
        guard head[start + 5] == UInt8(ascii: "1"), head[start + 7] &- 0x30 < 2 else { throw .version }
        return Int(head[start + 7] &- 0x30)
    }

    /// Where the path stands: behind the authority of an absolute target (RFC 9112, section 3.2). An address without a
    /// path means `/`, and has none here.
    private static func path(
        _ head: UnsafeRawBufferPointer, _ target: Range<Int>, method: Method
    ) throws(MessageError) -> Range<Int> {
        guard let first = target.first else { throw .target }
        var start = target.lowerBound
        if head[first] == UInt8(ascii: "*"), target.count == 1, method == .options { return target }
        if head[first] != UInt8(ascii: "/") {
            if target.count > 7, head.equalsIgnoringCase("http://", in: first..<first + 7) {
                start += 7
            } else if target.count > 8, head.equalsIgnoringCase("https://", in: first..<first + 8) {
                start += 8
            } else {
                throw .target
            }
            let authority = start
            while start < target.upperBound, head[start] != UInt8(ascii: "/"), head[start] != UInt8(ascii: "?") {
                start += 1
            }
            if start == authority { throw .target }
        }
        var end = start
        while end < target.upperBound, head[end] != UInt8(ascii: "?") { end += 1 }
        return start..<end
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes of `range` are those of `text`.
    func equalsExactly(_ text: StaticString, in range: Range<Int>) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<range.count where self[range.lowerBound + index] != text.utf8Start[index] { return false }
        return true
    }
}

extension UInt8 {
    /// Whether this may stand in a target: visible ASCII, but for the number sign, which begins what is never sent.
    fileprivate var isTargetCharacter: Bool { self > 0x20 && self < 0x7F && self != UInt8(ascii: "#") }
}
