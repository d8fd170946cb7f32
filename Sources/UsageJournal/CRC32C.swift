/// The Castagnoli checksum (RFC 3720, appendix B.4) that guards every frame and segment header.
struct CRC32C {
    private var state: UInt32 = 0xFFFF_FFFF

    /// The checksum of everything fed in so far.
    var value: UInt32 { ~state }

    /// Feeds bytes in, eight at a time (slicing by eight).
    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        let count = bytes.count
        CRC32C.tables.withUnsafeBufferPointer { tables in
            var crc = state
            var index = 0
            while index &+ 8 <= count {
                let low = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: index, as: UInt32.self)) ^ crc
                let high = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: index &+ 4, as: UInt32.self))
                crc = tables[1792 &+ Int(low & 255)] ^ tables[1536 &+ Int(low >> 8 & 255)]
                crc ^= tables[1280 &+ Int(low >> 16 & 255)] ^ tables[1024 &+ Int(low >> 24)]
                crc ^= tables[768 &+ Int(high & 255)] ^ tables[512 &+ Int(high >> 8 & 255)]
                crc ^= tables[256 &+ Int(high >> 16 & 255)] ^ tables[Int(high >> 24)]
                index &+= 8
            }
            while index < count {
                crc = crc >> 8 ^ tables[Int((crc ^ UInt32(base.load(fromByteOffset: index, as: UInt8.self))) & 255)]
                index &+= 1
            }
            state = crc
        }
    }

    /// Feeds an array in.
    mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    /// Eight tables of 256 entries, one after the other; the reflected polynomial is 0x82F63B78.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for index in 0..<256 {
            var crc = UInt32(index)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
            tables[index] = crc
        }
        for index in 256..<2048 {
            let previous = tables[index - 256]
            tables[index] = previous >> 8 ^ tables[Int(previous & 255)]
        }
        return tables
    }()
}
