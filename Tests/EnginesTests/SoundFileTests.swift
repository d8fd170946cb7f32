import TestSupport
import Testing

@testable import Engines

/// How long sound files play, read from their containers.
@Suite struct SoundFileTests {
    private func length(_ bytes: [UInt8]) -> SoundLength? { bytes.withUnsafeBytes { SoundFile.length(of: $0) } }
    private func milliseconds(_ bytes: [UInt8]) -> Int64? { length(bytes)?.milliseconds }

    @Test func `files of every container that engines take`() {
        // MP3 in frames of 576 samples at 8 kHz (72 ms), AAC in 1024 at 16 kHz (64 ms) or 8 kHz (128 ms): whole frames,
        // where the container does not say how much of them is meant.
        let expected: [(bytes: [UInt8], milliseconds: Int64)] = [
            (SoundSamples.constantRate, 864), (SoundSamples.variableRate, 864), (SoundSamples.layerTwo, 720),
            (SoundSamples.adts, 768), (SoundSamples.flac, 700), (SoundSamples.oggFLAC, 700),
            (SoundSamples.oggOpus, 700), (SoundSamples.oggVorbis, 700), (SoundSamples.m4a, 828),
            (SoundSamples.m4aMovieFirst, 828), (SoundSamples.fragments, 896), (SoundSamples.webmOpus, 708),
            (SoundSamples.webmLive, 720), (SoundSamples.matroskaAAC, 828), (SoundSamples.matroskaMP3, 838),
            (SoundSamples.adpcm, 256), (SoundSamples.large, 100),
        ]
        for (bytes, milliseconds) in expected {
            #expect(length(bytes) == SoundLength(milliseconds: milliseconds))
        }
    }

    // MARK: WAV

    private func wave(
        tag: UInt16 = 1, channels: UInt16 = 1, rate: UInt32 = 16_000, bits: UInt16 = 16, perSecond: UInt32? = nil,
        block: UInt16? = nil, claimed: UInt32? = nil, data: [UInt8]
    ) -> [UInt8] {
        let frame = block ?? channels * (bits + 7) / 8
        var bytes = Array("RIFF".utf8) + little(UInt32(36 + data.count)) + Array("WAVEfmt ".utf8) + little(UInt32(16))
        bytes += little(tag) + little(channels) + little(rate) + little(perSecond ?? rate &* UInt32(frame))
        bytes += little(frame) + little(bits) + Array("data".utf8) + little(claimed ?? UInt32(data.count)) + data
        return bytes
    }

    private func little<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }

    private let second = [UInt8](repeating: 0, count: 32_000)

    @Test func `samples of any kind`() {
        #expect(milliseconds(wave(data: second)) == 1000)
        #expect(milliseconds(wave(channels: 2, data: second)) == 500)
        #expect(milliseconds(wave(tag: 3, bits: 32, data: second)) == 500)
        #expect(milliseconds(wave(tag: 7, bits: 8, data: second)) == 2000)
        #expect(milliseconds(wave(rate: 44_100, bits: 24, data: second)) == 242)
        // GSM: 65 bytes are 320 samples.
        #expect(
            milliseconds(wave(tag: 0x31, rate: 8000, bits: 0, block: 65, data: [UInt8](repeating: 1, count: 650)))
                == 400)
    }

    @Test(arguments: [0, 1, 500, 31_990, .max] as [UInt32])
    func `a size that ends in the middle of the sound, or behind it, changes nothing`(claimed: UInt32) {
        #expect(milliseconds(wave(claimed: claimed, data: second)) == 1000)
    }

    @Test func `chunks before and behind the sound are none`() {
        let list = Array("LIST".utf8) + little(UInt32(8)) + Array("INFOTOLL".utf8)
        let plain = wave(data: second)
        #expect(length(plain + list) == SoundLength(milliseconds: 1000))
        #expect(length(Array(plain[..<12]) + list + plain[12...]) == SoundLength(milliseconds: 1000))
        #expect(milliseconds(Array(plain[..<(plain.count - 16_000)])) == 500)
    }

    @Test func `fields that disagree make sound no shorter`() {
        #expect(milliseconds(wave(perSecond: .max, data: second)) == 1000)
        #expect(milliseconds(wave(block: 60_000, data: second)) == 1000)
        // Of an unknown codec the rate of bytes counts, but no codec is denser than samples of 32 bits.
        #expect(milliseconds(wave(tag: 0x9999, perSecond: 4000, data: second)) == 8000)
        #expect(milliseconds(wave(tag: 0x9999, perSecond: .max, data: second)) == 500)
    }

    @Test func `what no sound can be has no length`() {
        #expect(length(wave(rate: 0, data: second)) == nil)
        #expect(length(wave(rate: 4_000_000_000, data: second)) == nil)
        #expect(length(wave(channels: 0, bits: 16, block: 2, data: second)) == nil)
        #expect(length(wave(channels: 65_535, bits: 16, block: 2, data: second)) == nil)
        #expect(length(wave(bits: 0, block: 0, data: second)) == nil)
        #expect(length(Array("RIFF____WAVEdata".utf8) + little(UInt32(4)) + [1, 2, 3, 4]) == nil)
        for text in ["", "R", "RIFF", "OggS", "fLaC", "ID3", "Hello, keeper of the toll.", "\u{1A}E"] {
            #expect(length(Array(text.utf8)) == nil)
        }
    }

    // MARK: Headers that lie

    private func patched(_ bytes: [UInt8], at offset: Int, _ replacement: [UInt8]) -> [UInt8] {
        var bytes = bytes
        bytes.replaceSubrange(offset..<offset + replacement.count, with: replacement)
        return bytes
    }

    private func offset(of text: String, in bytes: [UInt8]) throws -> Int {
        let text = Array(text.utf8)
        return try #require((0...bytes.count - text.count).first { bytes[$0..<$0 + text.count].elementsEqual(text) })
    }

    @Test func `a Xing header that promises fewer frames makes none of them silent`() throws {
        for sample in [SoundSamples.constantRate, SoundSamples.variableRate] {
            let place = try offset(of: "Info", in: sample)
            let lying = patched(sample, at: place + 8, [0, 0, 0, 1])
            #expect(length(lying) == SoundLength(milliseconds: 864, isDisputed: true))
        }
    }

    @Test func `garbage and other rates between frames hide none`() {
        let garbage = [UInt8](repeating: 0xFF, count: 400)
        #expect(milliseconds(SoundSamples.layerTwo + garbage + SoundSamples.layerTwo) == 1440)
        let mixed = milliseconds(SoundSamples.layerTwo + SoundSamples.constantRate)
        // A Xing frame in the middle is one more frame.
        #expect(mixed == 1656)
        #expect(length(garbage + SoundSamples.layerTwo + [UInt8](repeating: 7, count: 5000)) == nil)
    }

    @Test func `a FLAC header that promises fewer samples, or more, is not believed`() {
        for samples in [1, 0xFF] as [UInt8] {
            let lying = patched(SoundSamples.flac, at: 8 + 14, [0, 0, 0, samples])
            #expect(milliseconds(lying) == 700)
        }
        #expect(milliseconds(patched(SoundSamples.flac, at: 8 + 14, [0, 0, 0, 0])) == 700)
    }

    @Test(arguments: [0, 1000, 0x7FFF_FFFF_FFFF_FFFF] as [Int64])
    func `granule positions that lie are not believed`(granule: Int64) throws {
        for sample in [SoundSamples.oggOpus, SoundSamples.oggVorbis] {
            var bytes = sample
            var start = 0
            while let place = (start..<bytes.count - 27).first(where: { bytes[$0..<$0 + 4].elementsEqual("OggS".utf8) })
            {
                bytes = patched(bytes, at: place + 6, little(granule))
                start = place + 4
            }
            let read = try #require(length(bytes))
            #expect((690...760).contains(read.milliseconds))
            #expect(read.isDisputed)
        }
    }

    @Test func `chained streams add up`() {
        #expect(milliseconds(SoundSamples.oggOpus + SoundSamples.oggVorbis) == 1400)
    }

    @Test func `a movie's lengths and times that lie are not believed`() throws {
        for name in ["mvhd", "mdhd"] {
            let place = try offset(of: name, in: SoundSamples.m4a)
            let lying = patched(SoundSamples.m4a, at: place + 20, [0, 0, 0, 1])
            #expect((690...900).contains(try #require(milliseconds(lying))), "\(name)")
        }
        var lying = SoundSamples.m4a
        for name in ["mvhd", "mdhd"] {
            lying = patched(lying, at: try offset(of: name, in: lying) + 20, [0, 0, 0, 1])
        }
        #expect(length(lying) == SoundLength(milliseconds: 896, isDisputed: true))
        // A timescale of billions, and times of one unit for each sample.
        let scaled = patched(SoundSamples.m4a, at: try offset(of: "mdhd", in: SoundSamples.m4a) + 16, [0xFF, 0, 0, 0])
        #expect(milliseconds(patched(scaled, at: try offset(of: "mvhd", in: scaled) + 20, [0, 0, 0, 1])) == 896)
    }

    @Test func `a table of samples that the file has no bytes for is not believed`() throws {
        let place = try offset(of: "stsz", in: SoundSamples.m4a)
        let lying = patched(SoundSamples.m4a, at: place + 8, [0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF])
        let most = SoundLength.millisecondsMax(inBytes: lying.count)
        #expect(try #require(milliseconds(lying)) <= 128 * Int64(lying.count))
        #expect(most < 20_000)
    }

    @Test(arguments: [0, 1, 1_000_000_000] as [Double])
    func `WebM's duration that lies is not believed`(duration: Double) throws {
        let place = try #require(
            (0..<SoundSamples.webmOpus.count - 3).first {
                SoundSamples.webmOpus[$0..<$0 + 3].elementsEqual([0x44, 0x89, 0x88])
            })
        let bits = withUnsafeBytes(of: duration.bitPattern.bigEndian) { Array($0) }
        let lying = patched(SoundSamples.webmOpus, at: place + 3, bits)
        #expect((700...720).contains(try #require(milliseconds(lying))))
    }
}
