/// A message of `application/vnd.amazon.eventstream`: lengths and their checksum, headers, payload, checksum of all.
struct EventStreamFrame: Sendable {
    /// Names and texts; header type 7 (string) is the only one that the runtimes send.
    var headers: [(name: String, value: String)]
    var payload: [UInt8]

    /// An event of the runtime.
    static func event(_ type: String, contentType: String = "application/json", _ payload: [UInt8]) -> Self {
        EventStreamFrame(
            headers: [(":event-type", type), (":content-type", contentType), (":message-type", "event")],
            payload: payload)
    }

    /// An exception in place of more events.
    static func exception(_ type: String, _ payload: [UInt8]) -> Self {
        EventStreamFrame(
            headers: [
                (":exception-type", type), (":content-type", "application/json"), (":message-type", "exception"),
            ],
            payload: payload)
    }

    /// The frame on the wire; `spoiled` gives it a wrong checksum.
    func bytes(spoiled: Bool = false) -> [UInt8] {
        var block: [UInt8] = []
        for (name, value) in headers {
            block.append(UInt8(truncatingIfNeeded: name.utf8.count))
            block += Array(name.utf8)
            block.append(7)
            block.append(UInt8(truncatingIfNeeded: value.utf8.count >> 8))
            block.append(UInt8(truncatingIfNeeded: value.utf8.count))
            block += Array(value.utf8)
        }
        var frame = Self.bigEndian(UInt32(16 + block.count + payload.count)) + Self.bigEndian(UInt32(block.count))
        frame += Self.bigEndian(CRC32.of(frame))
        frame += block
        frame += payload
        return frame + Self.bigEndian(CRC32.of(frame) ^ (spoiled ? 1 : 0))
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32($0))) }
    }
}
