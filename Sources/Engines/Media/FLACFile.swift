/// FLAC (RFC 9639): metadata blocks, the first of which says how many samples come, then frames.
///
/// Frames do not say how long they are. They are found by their heads, which carry a checksum of their own.
enum FLACFile {
    static func length(of bytes: UnsafeRawBufferPointer, from start: Int) -> SoundLength? {
        guard let info = StreamInfo(bytes, at: start + 8) else { return nil }
        var offset = start + 4
        while let head = bytes.big(UInt32.self, at: offset) {
            offset += 4 + Int(head & 0xFF_FFFF)
            if head >> 31 == 1 { break }
        }
        var clock = SoundClock()
        while offset + 6 <= bytes.count {
            guard bytes[offset] == 0xFF, let frame = FLACFrame(bytes, at: offset) else {
                offset += 1
                continue
            }
            clock.add(samples: frame.samples, rate: frame.rate ?? info.rate)
            offset += frame.headBytes
        }
        let sound = clock.milliseconds
        guard sound > 0 else { return nil }
        let header = info.samples > 0 ? SoundClock.milliseconds(samples: info.samples, rate: info.rate) : nil
        return SoundLength(header: header, sound: sound)
    }

    /// What the first metadata block says of all frames.
    struct StreamInfo {
        let rate: Int64
        /// Zero where it is not known.
        let samples: Int64

        init?(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
            guard let fields = bytes.big(UInt64.self, at: offset + 10) else { return nil }
            rate = Int64(fields >> 44)
            samples = Int64(fields & 0xF_FFFF_FFFF)
            guard rate > 0 else { return nil }
        }
    }
}

/// The head of a frame.
struct FLACFrame {
    let samples: Int64
    /// Nil where it is the stream's.
    let rate: Int64?
    let headBytes: Int

    /// Nil where no frame begins.
    init?(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        guard let head = bytes.big(UInt32.self, at: offset), head >> 17 == 0x7FFC else { return nil }
        let sizeCode = head >> 12 & 15
        let rateCode = Int(head >> 8 & 15)
        guard sizeCode != 0, rateCode != 15, head >> 4 & 15 <= 10, head >> 1 & 7 != 3, head & 1 == 0 else { return nil }
        var end = offset + 4
        // The number of the frame or of its first sample, coded as UTF-8 codes letters.
        guard let first = bytes.big(UInt8.self, at: end) else { return nil }
        let ones = (~first).leadingZeroBitCount
        guard ones != 1, ones <= 7 else { return nil }
        end += max(1, ones)
        func number(_ size: Int) -> Int64? {
            defer { end += size }
            return size == 1
                ? bytes.big(UInt8.self, at: end).map(Int64.init) : bytes.big(UInt16.self, at: end).map(Int64.init)
        }
        let size: Int64?
        switch sizeCode {
        case 1: size = 192
        case 2...5: size = 576 << Int64(sizeCode - 2)
        case 6: size = number(1).map { $0 + 1 }
        case 7: size = number(2).map { $0 + 1 }
        default: size = 256 << Int64(sizeCode - 8)
        }
        switch rateCode {
        case 0: rate = nil
        case 12: rate = number(1).map { $0 * 1000 }
        case 13: rate = number(2)
        case 14: rate = number(2).map { $0 * 10 }
        default: rate = FLACFrame.rates[rateCode]
        }
        guard let size, let checksum = bytes.big(UInt8.self, at: end),
            FLACFrame.checksum(bytes[offset..<end]) == checksum
        else { return nil }
        samples = size
        headBytes = end + 1 - offset
    }

    private static let rates: [Int64] = [
        0, 88_200, 176_400, 192_000, 8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000,
    ]

    /// CRC-8 with the polynomial x⁸ + x² + x + 1.
    private static func checksum(_ bytes: Slice<UnsafeRawBufferPointer>) -> UInt8 {
        var checksum: UInt8 = 0
        for byte in bytes {
            checksum ^= byte
            for _ in 0..<8 { checksum = checksum & 0x80 == 0 ? checksum << 1 : checksum << 1 ^ 0x07 }
        }
        return checksum
    }
}
