/// What an AAC decoder is set up with (ISO 14496-3, AudioSpecificConfig): the rate that it goes by, whatever the
/// container around it says.
struct AACConfiguration {
    /// The core's; spectral band replication doubles it and the samples of a frame alike.
    let rate: Int64
    let samplesPerFrame: Int64

    /// Nil where it is no configuration.
    init?(_ bytes: UnsafeRawBufferPointer) {
        var bits = BitReader(bytes)
        guard var type = bits.read(5) else { return nil }
        if type == 31 { type = 32 + (bits.read(6) ?? 0) }
        guard let index = bits.read(4) else { return nil }
        let given = index == 15 ? bits.read(24).map(Int64.init) : AACConfiguration.rate(index: index)
        guard let rate = given, rate > 0, bits.read(4) != nil else { return nil }
        self.rate = rate
        if type == 5 || type == 29 {
            if bits.read(4) == 15 { _ = bits.read(24) }
            type = bits.read(5) ?? 2
        }
        let isShort = bits.read(1) == 1
        switch type {
        case 23, 39: samplesPerFrame = isShort ? 480 : 512
        default: samplesPerFrame = isShort ? 960 : 1024
        }
    }

    static func rate(index: Int) -> Int64? { rates.indices.contains(index) ? rates[index] : nil }

    private static let rates: [Int64] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350,
    ]
}

/// Reads bits, the most significant of a byte first.
struct BitReader {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The next `count` bits as a number; nil where there are fewer.
    mutating func read(_ count: Int) -> Int? {
        guard offset + count <= bytes.count * 8 else { return nil }
        var value = 0
        for _ in 0..<count {
            value = value << 1 | Int(bytes[offset / 8] >> UInt8(7 - offset % 8) & 1)
            offset += 1
        }
        return value
    }
}
