/// The checksum of event-stream frames: CRC-32 as IEEE 802.3 defines it (reflected polynomial 0xEDB88320).
enum AWSChecksum {
    /// The checksum of `bytes`, going on from that of what came before them.
    static func crc32(_ bytes: UnsafeRawBufferPointer, continuing previous: UInt32 = 0) -> UInt32 {
        tables.withUnsafeBufferPointer { tables in
            var crc = ~previous
            var index = 0
            // Eight bytes a step, each through a table of its own: frames are checked at about a byte a cycle.
            while index + 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                let mixed = word ^ UInt64(crc)
                crc = 0
                for place in 0..<8 {
                    crc ^= tables[(7 - place) << 8 | Int(truncatingIfNeeded: mixed >> UInt64(place * 8)) & 0xFF]
                }
                index += 8
            }
            while index < bytes.count {
                crc = crc >> 8 ^ tables[Int(UInt8(truncatingIfNeeded: crc) ^ bytes[index])]
                index += 1
            }
            return ~crc
        }
    }

    /// The checksum that `byte` makes of `crc`.
    static func crc32(_ crc: UInt32, adding byte: UInt8) -> UInt32 {
        ~(~crc >> 8 ^ tables[Int(UInt8(truncatingIfNeeded: ~crc) ^ byte)])
    }

    /// Table `n` says what a byte becomes once `n` more zero bytes followed it; 256 entries each.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 << 8)
        for byte in 0..<256 {
            var crc = UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
            tables[byte] = crc
        }
        for index in 256..<tables.count {
            let crc = tables[index - 256]
            tables[index] = crc >> 8 ^ tables[Int(crc & 0xFF)]
        }
        return tables
    }()
}
