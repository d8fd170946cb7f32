/// Reads out of the packets of a codec how long they play, as Ogg and Matroska carry them.
enum PacketClock {
    case opus
    case vorbis(VorbisClock)
    case flac(rate: Int64)
    case mpeg
    case aac(AACConfiguration)
    /// Packets do not show it.
    case unknown

    /// Adds `count` packets like the one that begins `bytes`, which need not be all of it.
    mutating func add(_ bytes: UnsafeRawBufferPointer, count: Int64 = 1, to clock: inout SoundClock) {
        switch self {
        case .opus: clock.add(samples: OpusPacket.samples(bytes) * count, rate: OpusPacket.rate)
        case .vorbis(var vorbis):
            clock.add(samples: vorbis.samples(bytes) * count, rate: vorbis.rate)
            self = .vorbis(vorbis)
        case .flac(let rate):
            guard let frame = FLACFrame(bytes, at: 0) else { return }
            clock.add(samples: frame.samples * count, rate: frame.rate ?? rate)
        case .mpeg:
            guard let frame = AudioFrame(bytes, at: 0) else { return }
            clock.add(samples: frame.samples * count, rate: frame.rate)
        case .aac(let configuration):
            clock.add(samples: configuration.samplesPerFrame * count, rate: configuration.rate)
        case .unknown: break
        }
    }

    var isKnown: Bool {
        if case .unknown = self { return false }
        return true
    }
}

/// A packet of Opus (RFC 6716, section 3.1): its first byte says how long a frame is, and with the second how many.
enum OpusPacket {
    /// Opus counts at this rate, whatever it was given.
    static let rate: Int64 = 48_000
    /// 120 ms: no packet is longer.
    static let samplesMax: Int64 = 5760

    static func samples(_ bytes: UnsafeRawBufferPointer) -> Int64 {
        guard let first = bytes.first else { return 0 }
        let mode = Int(first >> 3)
        let frame: Int64
        switch mode {
        case 0..<12: frame = [480, 960, 1920, 2880][mode % 4]
        case 12..<16: frame = [480, 960][mode % 2]
        default: frame = 120 << Int64(mode % 4)
        }
        let frames: Int64
        switch first & 3 {
        case 0: frames = 1
        case 1, 2: frames = 2
        default: frames = bytes.count > 1 ? Int64(bytes[1] & 0x3F) : 1
        }
        return min(frame * frames, samplesMax)
    }
}

/// The packets of Vorbis: each has one of two sizes, told by its mode, and overlaps with the one before.
struct VorbisClock {
    let rate: Int64
    private let sizes: (short: Int64, long: Int64)
    /// Whether the modes, by number, are of long blocks; empty until the setup was read.
    private var modes: [Bool] = []
    private var previous: Int64 = 0

    /// The most modes that a stream has.
    private static let modesMax = 64

    /// Reads the identification header, at least its first 30 bytes.
    init?(identification bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 29, bytes[0] == 1, bytes.hasBytes("vorbis", at: 1),
            let rate = bytes.little(UInt32.self, at: 12), rate > 0
        else { return nil }
        self.rate = Int64(rate)
        sizes = (1 << Int64(bytes[28] & 15), 1 << Int64(bytes[28] >> 4))
    }

    /// Reads the modes, which stand at the end of the setup header: backwards, because all before them is of no fixed
    /// size. `bytes` are its last ones.
    mutating func take(setup bytes: UnsafeRawBufferPointer) {
        var bits = ReversedBits(bytes)
        // The framing bit ends the packet.
        while let bit = bits.read(1), bit == 0 {}
        var found: [Bool] = []
        var best: [Bool] = []
        while found.count < VorbisClock.modesMax {
            // Mapping, transform, window, block flag: the last three are 0, 0 and the flag in all files.
            guard let mapping = bits.read(8), mapping < 64, let transform = bits.read(16), transform == 0,
                let window = bits.read(16), window == 0, let flag = bits.read(1)
            else { break }
            found.append(flag == 1)
            // Before the modes stands their number less one, in six bits.
            var ahead = bits
            if ahead.read(6) == found.count - 1 { best = found }
        }
        modes = best.reversed()
    }

    /// How many samples a packet adds.
    mutating func samples(_ bytes: UnsafeRawBufferPointer) -> Int64 {
        // The first bit of a packet of sound is zero; its mode comes behind it.
        guard let first = bytes.first, first & 1 == 0 else { return 0 }
        let size: Int64
        if modes.isEmpty {
            size = sizes.long
        } else {
            let bits = modes.count == 1 ? 0 : Int.bitWidth - (modes.count - 1).leadingZeroBitCount
            let mode = Int(first >> 1) & (1 << bits - 1)
            size = mode < modes.count && !modes[mode] ? sizes.short : sizes.long
        }
        defer { previous = size }
        return previous == 0 ? 0 : (previous + size) / 4
    }
}

/// Reads the bits of a Vorbis packet from its end.
private struct ReversedBits {
    private let bytes: UnsafeRawBufferPointer
    private var left: Int

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        left = bytes.count * 8
    }

    /// The number in the `count` bits before; nil where there are fewer.
    mutating func read(_ count: Int) -> Int? {
        guard left >= count else { return nil }
        var value = 0
        for _ in 0..<count {
            left -= 1
            value = value << 1 | Int(bytes[left / 8] >> UInt8(left % 8) & 1)
        }
        return value
    }
}
