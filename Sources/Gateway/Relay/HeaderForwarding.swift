import Engines
import HTTP1
import NIOCore

/// Which headers pass, and the heads that are written for both sides.
enum HeaderForwarding {
    /// Hop-by-hop headers (RFC 9110, section 7.6.1) and those that the gateway writes itself, in both directions.
    private static let connectionHeaders = [
        "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
        "proxy-authenticate", "proxy-authorization", "content-length",
    ]
    /// Not passed to an engine: credentials, what the gateway answers itself, and what it sets.
    private static let requestHeaders = FieldNames(
        connectionHeaders + [
            "host", "accept-encoding", "expect", "x-request-id", "x-amz-date", "x-amz-security-token",
            "x-amz-content-sha256", "idempotency-key", "x-tollgate-include-cost", TagReader.headerName,
        ] + ClientCredential.headerNames)
    private static let responseHeaders = FieldNames(connectionHeaders + ["x-request-id"])

    /// How the end of a body is told.
    enum Framing: Hashable {
        case length(Int64)
        case chunked
        case untilClose
        /// A status that has no body.
        case none
    }

    /// The head of the request to an engine, up to and including its empty line.
    static func writeRequestHead(
        _ target: UpstreamTarget, backend: Backend, headers: [HeaderField], client: Headers, bodyBytes: Int,
        requestID: String, into buffer: inout ByteBuffer
    ) {
        buffer.writeString(target.method)
        buffer.writeStaticString(" ")
        buffer.writeString(target.requestTarget)
        buffer.writeStaticString(" HTTP/1.1\r\nhost: ")
        backend.writeHost(into: &buffer)
        buffer.writeStaticString("\r\naccept-encoding: identity\r\ncontent-length: ")
        buffer.writeDecimal(bodyBytes)
        buffer.writeStaticString("\r\nx-request-id: ")
        buffer.writeString(requestID)
        buffer.writeStaticString("\r\n")
        let headers = headers.filter { !$0.isDefault || client.first(named: $0.name) == nil }
        for header in headers {
            buffer.writeString(header.name)
            buffer.writeStaticString(": ")
            buffer.writeString(header.value)
            buffer.writeStaticString("\r\n")
        }
        write(client, except: requestHeaders, replacedBy: headers, into: &buffer)
        buffer.writeStaticString("\r\n")
    }

    /// The head of the answer to a client, up to and including its empty line.
    static func writeResponseHead(
        _ head: ResponseHead, framing: Framing, requestID: String, own: [HeaderField], closes: Bool,
        into buffer: inout ByteBuffer
    ) {
        writeStatus(head.status, into: &buffer)
        write(head.headers, except: responseHeaders, replacedBy: own, into: &buffer)
        buffer.writeStaticString("x-request-id: ")
        buffer.writeString(requestID)
        buffer.writeStaticString("\r\n")
        for header in own {
            buffer.writeString(header.name)
            buffer.writeStaticString(": ")
            buffer.writeString(header.value)
            buffer.writeStaticString("\r\n")
        }
        writeFraming(framing, closes: closes, into: &buffer)
    }

    /// The status line.
    static func writeStatus(_ status: Int, into buffer: inout ByteBuffer) {
        if let line = StatusLine.text(of: status) {
            buffer.writeStaticString(line)
        } else {
            buffer.writeStaticString("HTTP/1.1 ")
            buffer.writeDecimal(status)
            buffer.writeStaticString(" \r\n")
        }
    }

    /// The last headers, and the empty line.
    static func writeFraming(_ framing: Framing, closes: Bool, into buffer: inout ByteBuffer) {
        switch framing {
        case .length(let length):
            buffer.writeStaticString("content-length: ")
            buffer.writeDecimal(Int(length))
            buffer.writeStaticString("\r\n")
        case .chunked: buffer.writeStaticString("transfer-encoding: chunked\r\n")
        case .untilClose, .none: break
        }
        if closes || framing == .untilClose { buffer.writeStaticString("connection: close\r\n") }
        buffer.writeStaticString("\r\n")
    }

    private static func write(
        _ headers: Headers, except names: FieldNames, replacedBy own: [HeaderField] = [], into buffer: inout ByteBuffer
    ) {
        headers.forEachRun(
            where: { name in !names.contains(name) && !name.isOwn && !own.contains { $0.isNamed(name) } },
            { buffer.writeBytes($0) })
    }
}

extension UnsafeRawBufferPointer {
    /// Whether this header's name begins as the gateway's own do: an engine's would be taken for them.
    fileprivate var isOwn: Bool {
        let prefix: StaticString = "x-tollgate-"
        guard count > prefix.utf8CodeUnitCount else { return false }
        for index in 0..<prefix.utf8CodeUnitCount where self[index] | 0x20 != prefix.utf8Start[index] | 0x20 {
            return false
        }
        return true
    }
}

extension HeaderField {
    /// Whether it has this name, in any case; names of letters, digits and hyphens.
    fileprivate func isNamed(_ other: UnsafeRawBufferPointer) -> Bool {
        name.utf8.count == other.count && zip(name.utf8, other).allSatisfy { $0 == $1 | 0x20 }
    }
}

extension Backend {
    /// Appends the value of the `host` header: an IPv6 address in brackets, a usual port left out.
    fileprivate func writeHost(into buffer: inout ByteBuffer) {
        if host.utf8.contains(UInt8(ascii: ":")) {
            buffer.writeStaticString("[")
            buffer.writeString(host)
            buffer.writeStaticString("]")
        } else {
            buffer.writeString(host)
        }
        guard port != (isTLS ? 443 : 80) else { return }
        buffer.writeStaticString(":")
        buffer.writeDecimal(port)
    }
}

extension ByteBuffer {
    /// Appends `bytes` as one chunk of chunked transfer coding. Empty chunks would end the body, so they are left out.
    mutating func writeChunk(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        writeWithUnsafeMutableBytes(minimumWritableBytes: NumberText.bytesMax) {
            NumberText.writeHexadecimal(bytes.readableBytes, to: $0)
        }
        writeStaticString("\r\n")
        writeImmutableBuffer(bytes)
        writeStaticString("\r\n")
    }

    /// The most that stands before a chunk: its size in hexadecimal and a line end.
    private static let chunkHeadBytes = 18

    /// Makes room before what is going to be written, so that it can become a chunk where it stands.
    mutating func beginChunk(bytes: Int) {
        guard writerIndex == 0 else { return }
        reserveCapacity(ByteBuffer.chunkHeadBytes + bytes + 2)
        moveWriterIndex(to: ByteBuffer.chunkHeadBytes)
        moveReaderIndex(to: ByteBuffer.chunkHeadBytes)
    }

    /// Makes a chunk of what was written since `beginChunk`; false when that did not make room.
    mutating func endChunk() -> Bool {
        guard readerIndex == ByteBuffer.chunkHeadBytes else { return false }
        var rest = readableBytes
        writeStaticString("\r\n")
        var index = readerIndex - 2
        setInteger(0x0D0A as UInt16, at: index)
        repeat {
            index -= 1
            let digit = UInt8(rest & 15)
            setInteger(digit < 10 ? 0x30 + digit : 0x57 + digit, at: index)
            rest >>= 4
        } while rest > 0
        moveReaderIndex(to: index)
        return true
    }

    /// Appends `value`, which is not negative, in decimal.
    mutating func writeDecimal(_ value: Int) {
        writeWithUnsafeMutableBytes(minimumWritableBytes: NumberText.bytesMax) {
            NumberText.writeDecimal(value, to: $0)
        }
    }
}
