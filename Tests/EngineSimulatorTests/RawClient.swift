import NIOCore
import NIOPosix
import Testing

/// A client that speaks bytes: it sees cuts, chunks and order as they are on the wire.
enum RawClient {
    /// Sends a text and reads until the other side closes or `enough` says so.
    static func exchange(
        port: Int, sending text: String, until enough: @Sendable (String) -> Bool = { _ in false }
    ) async throws -> String {
        let bytes = try await exchange(port: port, sending: Array(text.utf8)) {
            enough(String(decoding: $0, as: UTF8.self))
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Sends bytes and reads until the other side closes or `enough` says so.
    static func exchange(
        port: Int, sending bytes: [UInt8], until enough: @Sendable ([UInt8]) -> Bool = { _ in false }
    ) async throws -> [UInt8] {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(bytes: bytes))
            var received: [UInt8] = []
            do {
                for try await part in inbound {
                    received.append(contentsOf: part.readableBytesView)
                    if enough(received) { break }
                }
            } catch is IOError {
                // A reset is one of the ways in which the other side closes.
            }
            return received
        }
    }

    /// The text of a request.
    static func request(
        _ method: String, _ path: String, headers: [String: String] = [:], body: String = "", close: Bool = true
    ) -> String {
        var text = "\(method) \(path) HTTP/1.1\r\nhost: simulator\r\ncontent-length: \(body.utf8.count)\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if close { text += "connection: close\r\n" }
        return text + "\r\n" + body
    }

    /// Sends one request on a connection of its own and reads the whole answer.
    static func send(
        port: Int, _ method: String, _ path: String, headers: [String: String] = [:], body: String = ""
    ) async throws -> RawAnswer {
        let text = request(method, path, headers: headers, body: body)
        return try #require(RawAnswer(try await exchange(port: port, sending: Array(text.utf8))))
    }
}

/// An answer as it came over the wire.
struct RawAnswer {
    var status: Int
    var headers: [String: String] = [:]
    /// Without the transfer coding.
    var bytes: [UInt8] = []
    /// The same as text.
    var body: String { String(decoding: bytes, as: UTF8.self) }
    /// Whether the last chunk, or all of the announced length, was there.
    var isComplete = false

    init?(_ received: [UInt8]) {
        let end = Array("\r\n\r\n".utf8)
        guard let split = received.firstRange(of: end) else { return nil }
        let lines = String(decoding: received[..<split.lowerBound], as: UTF8.self).split(separator: "\r\n")
        guard let statusLine = lines.first?.split(separator: " "), statusLine.count > 1,
            let status = Int(statusLine[1])
        else { return nil }
        self.status = status
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? parts[1].drop { $0 == " " }.description : ""
        }
        let rest = Array(received[split.upperBound...])
        if headers["transfer-encoding"] == "chunked" {
            dechunk(rest)
        } else {
            bytes = rest
            isComplete = rest.count == Int(headers["content-length"] ?? "")
        }
    }

    private mutating func dechunk(_ received: [UInt8]) {
        var joined: [UInt8] = []
        var rest = received[...]
        defer { bytes = joined }
        while let end = rest.firstIndex(of: UInt8(ascii: "\r")) {
            guard let length = Int(String(decoding: rest[..<end], as: UTF8.self), radix: 16) else { return }
            if length == 0 {
                isComplete = true
                return
            }
            let start = end + 2
            joined.append(contentsOf: rest[min(start, rest.endIndex)..<min(start + length, rest.endIndex)])
            guard start + length + 2 <= rest.endIndex else { return }
            rest = rest[(start + length + 2)...]
        }
    }

    /// The data of a stream's events.
    var events: [String] {
        body.split(separator: "\n\n", omittingEmptySubsequences: true)
            .filter { $0.hasPrefix("data: ") }
            .map { String($0.dropFirst(6)) }
    }
}

extension RawAnswer {
    /// A stream's events with their names; comments are left out, lines of data joined.
    var namedEvents: [(name: String, data: String)] {
        body.split(separator: "\n\n").compactMap { block in
            var name = ""
            var data: [Substring] = []
            for line in block.split(separator: "\n", omittingEmptySubsequences: false) {
                let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, !parts[0].isEmpty else { continue }
                let value = parts[1].hasPrefix(" ") ? parts[1].dropFirst() : parts[1]
                if parts[0] == "event" { name = String(value) }
                if parts[0] == "data" { data.append(value) }
            }
            return data.isEmpty ? nil : (name, data.joined(separator: "\n"))
        }
    }
}
