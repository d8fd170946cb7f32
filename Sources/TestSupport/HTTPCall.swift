import Foundation
import Glibc

/// One HTTP/1.1 call over a connection of its own, done with nothing but a socket: what a test sees is what was sent.
/// It blocks the thread; everything that tests talk to is on this machine.
public struct HTTPCall: Sendable {
    public var method: String
    /// `http://host:port/path`
    public var url: String
    public var headers: [String: String]
    public var body: String
    public var timeoutSeconds = 30

    public init(_ method: String, _ url: String, headers: [String: String] = [:], body: String = "") {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }

    /// A JSON body with a bearer key.
    public static func post(_ url: String, key: String? = nil, json: String) -> HTTPCall {
        var headers = ["content-type": "application/json"]
        headers["authorization"] = key.map { "Bearer \($0)" }
        return HTTPCall("POST", url, headers: headers, body: json)
    }

    /// With a bearer key when there is one.
    public static func get(_ url: String, key: String? = nil) -> HTTPCall {
        HTTPCall("GET", url, headers: key.map { ["authorization": "Bearer \($0)"] } ?? [:])
    }

    /// Sends it and reads the answer to its end.
    /// - Parameter leave: asked after each piece that came, with everything so far; the connection is closed when true.
    public func send(leavingWhen leave: (String) -> Bool = { _ in false }) throws -> HTTPAnswer {
        let target = try HTTPTarget(url)
        let socket = try target.connect(timeoutSeconds: timeoutSeconds)
        defer { close(socket) }
        var lines = ["\(method) \(target.path) HTTP/1.1", "host: \(target.host):\(target.port)", "connection: close"]
        lines += headers.map { "\($0.key): \($0.value)" }
        lines.append("content-length: \(body.utf8.count)")
        try write(Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8), to: socket)
        var received: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(socket, &block, block.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw ProgramFailure("\(url): \(String(cString: strerror(errno)))") }
            if count == 0 { return try HTTPAnswer(received) }
            received += block[..<count]
            if leave(String(decoding: received, as: UTF8.self)) { return try HTTPAnswer(received) }
        }
    }

    private func write(_ bytes: [UInt8], to socket: Int32) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw ProgramFailure("\(url): \(String(cString: strerror(errno)))") }
            rest = rest.dropFirst(count)
        }
    }
}

/// An HTTP answer, its body without chunked coding.
public struct HTTPAnswer: Sendable {
    public let status: Int
    /// Lower-case names.
    public let headers: [String: String]
    public let body: String
    /// Whether the body came to its proper end.
    public let isWhole: Bool

    init(_ received: [UInt8]) throws {
        let separator: [UInt8] = [13, 10, 13, 10]
        guard let end = received.firstRange(of: separator) else {
            throw ProgramFailure("no whole HTTP head: \(String(decoding: received.prefix(200), as: UTF8.self))")
        }
        let lines = String(decoding: received[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        status = lines[0].split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            headers[line[..<colon].lowercased()] = value
        }
        self.headers = headers
        let rest = received[end.upperBound...]
        if headers["transfer-encoding"]?.lowercased() == "chunked" {
            let (bytes, isWhole) = try Self.unchunked(rest)
            (body, self.isWhole) = (String(decoding: bytes, as: UTF8.self), isWhole)
        } else {
            body = String(decoding: rest, as: UTF8.self)
            isWhole = headers["content-length"].flatMap { Int($0) }.map { $0 == rest.count } ?? true
        }
    }

    /// The body read as JSON.
    public func json() throws -> JSONValue { try JSONValue(parsing: body) }

    private static func unchunked(_ bytes: ArraySlice<UInt8>) throws -> (body: [UInt8], isWhole: Bool) {
        var rest = bytes
        var body: [UInt8] = []
        while let line = rest.firstRange(of: [13, 10]) {
            let text = String(decoding: rest[..<line.lowerBound], as: UTF8.self)
            guard let size = Int(text.prefix { $0 != ";" }, radix: 16) else {
                throw ProgramFailure("no chunk size: \(text)")
            }
            if size == 0 { return (body, true) }
            let data = rest[line.upperBound...]
            guard data.count >= size + 2 else { break }
            body += data.prefix(size)
            rest = data.dropFirst(size + 2)
        }
        return (body, false)
    }
}

/// Where a URL points.
struct HTTPTarget {
    let host: String
    let port: UInt16
    let path: String

    init(_ url: String) throws {
        guard let parts = URLComponents(string: url), parts.scheme == "http", let host = parts.host,
            let port = parts.port.flatMap({ UInt16(exactly: $0) })
        else { throw ProgramFailure("'\(url)' is no URL such as http://127.0.0.1:8080/path") }
        self.host = host
        self.port = port
        let path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
        self.path = path + (parts.percentEncodedQuery.map { "?\($0)" } ?? "")
    }

    func connect(timeoutSeconds: Int) throws -> Int32 {
        let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ProgramFailure("no socket: \(String(cString: strerror(errno)))") }
        var timeout = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, size)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw ProgramFailure("\(host):\(port): \(reason)")
        }
        return descriptor
    }
}
