/// WAV: a RIFF file (or RF64, BW64 beyond 4 GiB) whose `fmt ` chunk says what the bytes of its `data` chunks are.
enum WaveFile {
    /// Rates above this are no sound.
    static let rateMax: Int64 = 768_000
    /// More channels than this have no meaning to a decoder.
    static let channelsMax: Int64 = 64

    static func length(of bytes: UnsafeRawBufferPointer) -> SoundLength? {
        guard bytes.hasBytes("WAVE", at: 8) else { return nil }
        var format: WaveFormat?
        var factSamples: Int64 = 0
        var largeDataBytes: Int64?
        var first: Range<Int>?
        var dataBytes: Int64 = 0
        var isDisputed = false
        var offset = 12
        while let size = bytes.little(UInt32.self, at: offset + 4) {
            let start = offset + 8
            var next = start + Int(size)
            if bytes.hasBytes("fmt ", at: offset) {
                // Decoders read the first one.
                format = format ?? WaveFormat(bytes, at: start, size: Int(size))
            } else if bytes.hasBytes("fact", at: offset) {
                factSamples = bytes.little(UInt32.self, at: start).map(Int64.init) ?? 0
            } else if bytes.hasBytes("ds64", at: offset) {
                largeDataBytes = bytes.little(Int64.self, at: start + 8)
            } else if bytes.hasBytes("data", at: offset) {
                let claimed = size == .max ? Int(clamping: largeDataBytes ?? 0) : Int(size)
                let end = end(of: start, claimed: claimed, in: bytes, &isDisputed)
                first = first ?? start..<end
                dataBytes += Int64(end - start)
                next = end
            }
            // Chunks begin at even places.
            guard next < bytes.count else { break }
            offset = next + next % 2
        }
        guard let format, let first else { return nil }
        if format.tag == WaveFormat.mp3 {
            return MPEGAudioFile.length(of: bytes.part(first), from: 0)
        }
        guard let milliseconds = format.milliseconds(dataBytes: dataBytes, factSamples: factSamples) else { return nil }
        return SoundLength(milliseconds: milliseconds, isDisputed: isDisputed)
    }

    /// Where a `data` chunk really ends. Writers that stream leave its size empty, and a size that ends in the middle
    /// of sound is a lie: what follows a chunk is another one.
    private static func end(
        of start: Int, claimed: Int, in bytes: UnsafeRawBufferPointer, _ isDisputed: inout Bool
    ) -> Int {
        let left = bytes.count - start
        guard claimed > 0, claimed < left else {
            if claimed > left { isDisputed = true }
            return bytes.count
        }
        let end = start + claimed
        // A byte or so behind the sound is padding.
        if bytes.count - end < 8 { return end }
        if isChunk(at: end + end % 2, in: bytes) || isChunk(at: end, in: bytes) { return end }
        isDisputed = true
        return bytes.count
    }

    /// Whether a chunk stands there: a name of letters and a size that fits.
    private static func isChunk(at offset: Int, in bytes: UnsafeRawBufferPointer) -> Bool {
        guard let size = bytes.little(UInt32.self, at: offset + 4), Int(size) <= bytes.count - offset - 8 else {
            return false
        }
        return bytes[offset..<offset + 4].allSatisfy { (0x20...0x7E).contains($0) }
    }
}

/// What a `fmt ` chunk says.
struct WaveFormat {
    let tag: UInt16
    private let channels: Int64
    private let rate: Int64
    private let bytesPerSecond: Int64
    private let blockBytes: Int64
    private let bits: Int64

    static let mp3: UInt16 = 0x55
    private static let extensible: UInt16 = 0xFFFE

    /// Nil where it is too short, or says what no sound has.
    init?(_ bytes: UnsafeRawBufferPointer, at start: Int, size: Int) {
        guard size >= 14, let tag = bytes.little(UInt16.self, at: start),
            let channels = bytes.little(UInt16.self, at: start + 2),
            let rate = bytes.little(UInt32.self, at: start + 4),
            let bytesPerSecond = bytes.little(UInt32.self, at: start + 8),
            let blockBytes = bytes.little(UInt16.self, at: start + 12)
        else { return nil }
        let inner = tag == WaveFormat.extensible && size >= 26 ? bytes.little(UInt16.self, at: start + 24) : nil
        self.tag = inner ?? tag
        self.channels = Int64(channels)
        self.rate = Int64(rate)
        self.bytesPerSecond = Int64(bytesPerSecond)
        self.blockBytes = Int64(blockBytes)
        bits = size >= 16 ? Int64(bytes.little(UInt16.self, at: start + 14) ?? 0) : 0
        guard (1...WaveFile.channelsMax).contains(self.channels), (1...WaveFile.rateMax).contains(self.rate) else {
            return nil
        }
    }

    /// How long so many bytes of it play.
    func milliseconds(dataBytes: Int64, factSamples: Int64) -> Int64? {
        switch tag {
        case 1, 3, 6, 7:
            // The bytes of one sample of all channels; where its two fields disagree, decoders go by the bits.
            let frame = channels * ((bits + 7) / 8)
            let smallest = [frame, blockBytes].filter { $0 > 0 }.min()
            return smallest.map { SoundClock.milliseconds(samples: dataBytes / $0, rate: rate) }
        case 2: return milliseconds(dataBytes, samplesPerBlock: (blockBytes - 7 * channels) * 2 / channels + 2)
        case 0x11: return milliseconds(dataBytes, samplesPerBlock: (blockBytes - 4 * channels) * 2 / channels + 1)
        case 0x31: return SoundClock.milliseconds(samples: dataBytes / 65 * 320, rate: rate)
        default:
            // Of other codecs only the header says how dense they are; none is denser than samples of 32 bits.
            let byRate = SoundClock.milliseconds(samples: dataBytes, rate: bytesPerSecond)
            let byFact = SoundClock.milliseconds(samples: factSamples, rate: rate)
            let least = SoundClock.milliseconds(samples: dataBytes / (4 * channels), rate: rate)
            let most = SoundLength.millisecondsMax(inBytes: Int(dataBytes))
            return dataBytes > 0 ? min(max(byRate, byFact, least), most) : nil
        }
    }

    private func milliseconds(_ dataBytes: Int64, samplesPerBlock: Int64) -> Int64? {
        guard blockBytes > 0, samplesPerBlock > 0 else { return nil }
        let blocks = (dataBytes + blockBytes - 1) / blockBytes
        return SoundClock.milliseconds(samples: blocks * samplesPerBlock, rate: rate)
    }
}
