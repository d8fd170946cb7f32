import Testing

/// Reads `application/vnd.amazon.eventstream`, by another reader than the simulator's writer: checksums bit by bit.
enum EventStreamReader {
    struct Message: Equatable {
        var headers: [String: String]
        var payload: [UInt8]
        var isSound: Bool
        var type: String? { headers[":event-type"] ?? headers[":exception-type"] }
        var text: String { String(decoding: payload, as: UTF8.self) }
    }

    /// All whole messages, and how many bytes are left.
    static func read(_ bytes: [UInt8]) throws -> (messages: [Message], left: Int) {
        var messages: [Message] = []
        var start = 0
        while bytes.count - start >= 16 {
            let total = number(bytes, start)
            guard bytes.count - start >= total else { break }
            let headerBytes = number(bytes, start + 4)
            let prelude = checksum(bytes[start..<start + 8]) == UInt32(number(bytes, start + 8))
            let whole = checksum(bytes[start..<start + total - 4]) == UInt32(number(bytes, start + total - 4))
            var headers: [String: String] = [:]
            var at = start + 12
            while at < start + 12 + headerBytes {
                let nameLength = Int(bytes[at])
                let name = String(decoding: bytes[at + 1..<at + 1 + nameLength], as: UTF8.self)
                at += 1 + nameLength
                try #require(bytes[at] == 7)
                let length = Int(bytes[at + 1]) << 8 | Int(bytes[at + 2])
                headers[name] = String(decoding: bytes[at + 3..<at + 3 + length], as: UTF8.self)
                at += 3 + length
            }
            messages.append(
                Message(headers: headers, payload: Array(bytes[at..<start + total - 4]), isSound: prelude && whole))
            start += total
        }
        return (messages, bytes.count - start)
    }

    private static func number(_ bytes: [UInt8], _ at: Int) -> Int {
        bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
    }

    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
        var value: UInt32 = .max
        for byte in bytes {
            value ^= UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ 0xEDB8_8320 : value >> 1 }
        }
        return ~value
    }
}

extension RawAnswer {
    /// The whole messages of an event stream.
    func messages() throws -> [EventStreamReader.Message] { try EventStreamReader.read(bytes).messages }
}
