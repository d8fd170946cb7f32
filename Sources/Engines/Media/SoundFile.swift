/// How long a sound file plays, as its own bytes say.
public struct SoundLength: Hashable, Sendable {
    /// Whole milliseconds, rounded up.
    public let milliseconds: Int64
    /// Whether the file's header says another length than the sound in it has.
    public let isDisputed: Bool

    /// A length.
    public init(milliseconds: Int64, isDisputed: Bool = false) {
        self.milliseconds = milliseconds
        self.isDisputed = isDisputed
    }

    /// By how much a header may differ from the sound behind it: encoders fill up their last frame and say how much of
    /// it is meant.
    static let toleranceMilliseconds: Int64 = 150
    /// The same in parts of the whole: one two-hundredth.
    static let tolerancePart: Int64 = 200

    /// What a header says where the sound behind it is about as long; else what the sound itself comes to. Decoders
    /// play what is there, whatever the header promises.
    init(header: Int64?, sound: Int64) {
        guard let header else {
            self.init(milliseconds: sound)
            return
        }
        let tolerance = max(SoundLength.toleranceMilliseconds, sound / SoundLength.tolerancePart)
        let agrees = header > 0 && abs(header - sound) <= tolerance
        self.init(milliseconds: agrees ? header : sound, isDisputed: !agrees)
    }

    /// A length that only headers say, as far as `byteCount` bytes can hold it; nil when they say none.
    init?(header: Int64, byteCount: Int) {
        guard header > 0 else { return nil }
        let most = SoundLength.millisecondsMax(inBytes: byteCount)
        self.init(milliseconds: min(header, most), isDisputed: header > most)
    }

    /// The fewest bits that codecs spend on a second of sound, silence included.
    static let bitsPerSecondMin: Int64 = 400

    /// The longest sound that so many bytes hold.
    static func millisecondsMax(inBytes count: Int) -> Int64 {
        let (bits, overflows) = Int64(count).multipliedReportingOverflow(by: 8000)
        return (overflows ? .max : bits) / bitsPerSecondMin + 1
    }
}

/// Reads how long a sound file plays out of its container: one pass over the bytes, none of them decoded.
///
/// A client chooses the file, so no header is believed by itself: frames and packets are counted where the format shows
/// them. Nil where the format is not known, or where there is no sound in it.
public enum SoundFile {
    public static func length(of bytes: UnsafeRawBufferPointer) -> SoundLength? {
        if bytes.hasBytes("RIFF", at: 0) || bytes.hasBytes("RF64", at: 0) || bytes.hasBytes("BW64", at: 0) {
            return WaveFile.length(of: bytes)
        }
        if bytes.hasBytes("OggS", at: 0) { return OggFile.length(of: bytes) }
        if bytes.big(UInt32.self, at: 0) == MatroskaFile.magic { return MatroskaFile.length(of: bytes) }
        if MP4File.isOne(bytes) { return MP4File.length(of: bytes) }
        let start = ID3Tag.end(in: bytes)
        if bytes.hasBytes("fLaC", at: start) { return FLACFile.length(of: bytes, from: start) }
        return MPEGAudioFile.length(of: bytes, from: start)
    }
}

/// The tags (ID3v2) that stand before the sound of MP3 and other files.
enum ID3Tag {
    /// Where the last of the tags at the start ends; the count of bytes when one is longer than the file.
    static func end(in bytes: UnsafeRawBufferPointer) -> Int {
        var offset = 0
        while bytes.hasBytes("ID3", at: offset), let size = bytes.big(UInt32.self, at: offset + 6),
            size & 0x8080_8080 == 0
        {
            // Seven bits a byte; a footer repeats the head.
            let length = size & 0x7F | size >> 1 & 0x3F80 | size >> 2 & 0x1F_C000 | size >> 3 & 0xFE0_0000
            let hasFooter = bytes[offset + 5] & 0x10 != 0
            offset += 10 + Int(length) + (hasFooter ? 10 : 0)
        }
        return min(offset, bytes.count)
    }
}

/// Sound that was counted in samples, of one rate after another.
struct SoundClock {
    private var microseconds: Int64 = 0
    private var samples: Int64 = 0
    private var rate: Int64 = 0

    /// Adds so many samples; those of a rate that is not above zero are none.
    mutating func add(samples count: Int64, rate newRate: Int64) {
        guard newRate > 0, count > 0 else { return }
        if newRate != rate {
            microseconds = SoundClock.sum(microseconds, SoundClock.scaled(samples, 1_000_000, rate))
            samples = 0
            rate = newRate
        }
        samples = SoundClock.sum(samples, count)
    }

    /// All of it, rounded up to a millisecond.
    var milliseconds: Int64 {
        guard microseconds > 0 else { return SoundClock.scaled(samples, 1000, rate) }
        let all = SoundClock.sum(microseconds, SoundClock.scaled(samples, 1_000_000, rate))
        return all / 1000 + (all % 1000 > 0 ? 1 : 0)
    }

    /// `count` of `rate` a second in units of which a second has so many, rounded up; the largest number where it does
    /// not fit.
    static func scaled(_ count: Int64, _ unitsPerSecond: Int64, _ rate: Int64) -> Int64 {
        guard rate > 0, count > 0 else { return 0 }
        let product = Int128(count) * Int128(unitsPerSecond)
        return Int64(clamping: (product + Int128(rate) - 1) / Int128(rate))
    }

    static func milliseconds(samples: Int64, rate: Int64) -> Int64 { scaled(samples, 1000, rate) }

    private static func sum(_ left: Int64, _ right: Int64) -> Int64 {
        let (sum, overflows) = left.addingReportingOverflow(right)
        return overflows ? .max : sum
    }
}

extension UnsafeRawBufferPointer {
    /// The number that stands at `offset`, most significant byte first; nil where the bytes end before it does.
    func big<Number: FixedWidthInteger>(_ type: Number.Type, at offset: Int) -> Number? {
        guard offset >= 0, offset <= count - MemoryLayout<Number>.size else { return nil }
        return Number(bigEndian: loadUnaligned(fromByteOffset: offset, as: type))
    }

    /// The same, least significant byte first.
    func little<Number: FixedWidthInteger>(_ type: Number.Type, at offset: Int) -> Number? {
        guard offset >= 0, offset <= count - MemoryLayout<Number>.size else { return nil }
        return Number(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
    }
}
