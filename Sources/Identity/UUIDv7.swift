/// A 128-bit identifier whose first 48 bits are the millisecond it was made at (RFC 9562, version 7).
///
/// The millisecond is *billing time*: for a request record it is the acceptance that prices and periods go by.
/// Nothing here reads a clock or draws randomness; both are handed in.
public struct UUIDv7: Hashable, Sendable {
    /// The upper 64 bits: 48 bits of time, the version, 12 random bits.
    public let high: UInt64
    /// The lower 64 bits: the variant and 62 random bits.
    public let low: UInt64

    /// Takes the bits as they are, for ids read back from storage.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Makes an id of `milliseconds` since 1970 (UTC, without leap seconds) from 74 of the 128 random bits. The time
    /// keeps 48 bits: the years 1970 to 10889.
    public init(milliseconds: Int64, randomness: (UInt64, UInt64)) {
        let time = UInt64(truncatingIfNeeded: milliseconds) & 0xFFFF_FFFF_FFFF
        high = time << 16 | 0x7000 | randomness.0 & 0x0FFF
        low = 0x8000_0000_0000_0000 | randomness.1 & 0x3FFF_FFFF_FFFF_FFFF
    }

    /// An id that is a function of a digest (RFC 9562, version 8): the same identity always gets the same id.
    ///
    /// Invoices and their lines are named so, which makes two runs equal byte for byte.
    public init(derivedFrom digest: SHA256Digest) {
        let bytes = digest.bytes
        var upper: UInt64 = 0
        var lower: UInt64 = 0
        for index in 0..<8 {
            upper = upper << 8 | UInt64(bytes[index])
            lower = lower << 8 | UInt64(bytes[index + 8])
        }
        high = upper & 0xFFFF_FFFF_FFFF_0FFF | 0x8000
        low = lower & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    }

    /// The milliseconds since 1970 that a version 7 id carries.
    public var milliseconds: Int64 { Int64(high >> 16) }

    /// The instant that a version 7 id carries.
    public var timestamp: Timestamp { Timestamp(milliseconds: milliseconds) }
}

extension UUIDv7 {
    /// 32 lowercase hexadecimal digits without dashes.
    public var hexadecimal: String { Hexadecimal.text(of: bytes) }

    /// The form with dashes that Postgres prints.
    public var dashed: String {
        let digits = Array(hexadecimal.utf8)
        let groups = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32]
        return groups.map { String(decoding: digits[$0], as: UTF8.self) }.joined(separator: "-")
    }

    /// The 16 bytes in network order.
    public var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(16)
        for half in [high, low] {
            for shift in stride(from: 56, through: 0, by: -8) {
                result.append(UInt8(truncatingIfNeeded: half >> shift))
            }
        }
        return result
    }

    /// Reads 32 hexadecimal digits of either case, with all four dashes or none; nil for anything else.
    public init?(_ text: some StringProtocol) {
        // In place where the text is native, which it nearly always is: every id that Postgres returns comes by here.
        let inPlace = text.utf8.withContiguousStorageIfAvailable { UUIDv7(digits: $0) }
        guard let value = inPlace ?? Array(text.utf8).withUnsafeBufferPointer({ UUIDv7(digits: $0) }) else {
            return nil
        }
        self = value
    }

    private init?(digits text: UnsafeBufferPointer<UInt8>) {
        guard text.count == 32 || text.count == 36 else { return nil }
        var halves: (UInt64, UInt64) = (0, 0)
        var digits = 0
        for offset in 0..<text.count {
            if text.count == 36, offset == 8 || offset == 13 || offset == 18 || offset == 23 {
                guard text[offset] == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let value = Hexadecimal.value(of: text[offset]) else { return nil }
            if digits < 16 {
                halves.0 = halves.0 << 4 | UInt64(value)
            } else {
                halves.1 = halves.1 << 4 | UInt64(value)
            }
            digits += 1
        }
        self.init(high: halves.0, low: halves.1)
    }
}

extension UUIDv7: Comparable {
    public static func < (left: UUIDv7, right: UUIDv7) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension UUIDv7: CustomStringConvertible {
    public var description: String { dashed }
}
