/// Writes frames of `application/vnd.amazon.eventstream`, its checksum reckoned bit by bit.
public enum AWSFixture {
    /// See the type.
    public static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        return ~crc
    }

    /// See the type.
    public static func integer(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
    }

    /// See the type.
    public static func header(_ name: String, _ value: String) -> [UInt8] {
        let count = value.utf8.count
        return [UInt8(name.utf8.count)] + Array(name.utf8) + [7, UInt8(count >> 8), UInt8(count & 0xFF)]
            + Array(value.utf8)
    }

    /// See the type.
    public static func frame(headers: [UInt8], payload: [UInt8]) -> [UInt8] {
        var frame = integer(UInt32(16 + headers.count + payload.count)) + integer(UInt32(headers.count))
        frame += integer(checksum(frame))
        frame += headers + payload
        return frame + integer(checksum(frame))
    }

    /// See the type.
    public static func event(_ name: String, _ payload: some Sequence<UInt8>) -> [UInt8] {
        frame(
            headers: header(":event-type", name) + header(":content-type", "application/json")
                + header(":message-type", "event"), payload: Array(payload))
    }

    /// See the type.
    public static func event(_ name: String, _ payload: String) -> [UInt8] { event(name, payload.utf8) }

    /// See the type.
    public static func exception(_ name: String, _ payload: String) -> [UInt8] {
        frame(
            headers: header(":exception-type", name) + header(":message-type", "exception"),
            payload: Array(payload.utf8))
    }
}

extension AWSFixture {
    /// See the type.
    public static func base64(_ text: String) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        let bytes = Array(text.utf8)
        var encoded = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let padded = Array(group) + [UInt8](repeating: 0, count: 3 - group.count)
            let bits = padded.reduce(0) { $0 << 8 | Int($1) }
            for place in 0..<4 {
                encoded.append(place > group.count ? "=" : digits[bits >> (18 - 6 * place) & 63])
            }
        }
        return encoded
    }
}
