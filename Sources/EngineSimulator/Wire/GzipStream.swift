/// gzip (RFC 1952) without compressing: every piece is a stored block, so that each can be read as it comes.
struct GzipStream: Sendable {
    private static let blockBytesMax = 65_535

    private var checksum = CRC32()
    private var length: UInt32 = 0
    private var hasBegun = false

    /// The next bytes of the stream.
    mutating func write(_ bytes: [UInt8]) -> [UInt8] {
        var written = head()
        checksum.update(bytes)
        length = length &+ UInt32(truncatingIfNeeded: bytes.count)
        for start in stride(from: 0, to: bytes.count, by: Self.blockBytesMax) {
            written += block(bytes[start..<min(start + Self.blockBytesMax, bytes.count)], isLast: false)
        }
        return written
    }

    /// The stream's end.
    mutating func finish() -> [UInt8] {
        head() + block([], isLast: true) + Self.littleEndian(checksum.value) + Self.littleEndian(length)
    }

    private mutating func head() -> [UInt8] {
        guard !hasBegun else { return [] }
        hasBegun = true
        return [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
    }

    private func block(_ bytes: ArraySlice<UInt8>, isLast: Bool) -> [UInt8] {
        let count = UInt16(bytes.count)
        let lengths = [count, ~count].flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
        return [isLast ? 1 : 0] + lengths + bytes
    }

    private static func littleEndian(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) }
    }
}
