import TestSupport
import Testing

@testable import Engines

/// Sound files that are made to trouble who reads them.
@Suite struct HostileSoundTests {
    private static let all = [
        SoundSamples.constantRate, SoundSamples.variableRate, SoundSamples.layerTwo, SoundSamples.adts,
        SoundSamples.flac, SoundSamples.oggFLAC, SoundSamples.oggOpus, SoundSamples.oggVorbis, SoundSamples.m4a,
        SoundSamples.m4aMovieFirst, SoundSamples.fragments, SoundSamples.webmOpus, SoundSamples.webmLive,
        SoundSamples.matroskaAAC, SoundSamples.matroskaMP3, SoundSamples.adpcm, SoundSamples.large,
    ]

    private func length(_ bytes: [UInt8]) -> SoundLength? { bytes.withUnsafeBytes { SoundFile.length(of: $0) } }

    @Test func `a file that ends anywhere is read as far as it goes`() {
        for sample in Self.all {
            let whole = length(sample)?.milliseconds ?? 0
            for count in stride(from: 0, to: sample.count, by: 3) {
                guard let cut = length(Array(sample[..<count])) else { continue }
                #expect((0...whole + 1000).contains(cut.milliseconds))
            }
        }
    }

    @Test func `bytes changed at random trap nothing and make no length below zero`() {
        for seed in propertySeeds {
            var generator = SeededGenerator(seed: seed)
            for sample in Self.all {
                var bytes = sample
                for _ in 0..<Int.random(in: 1...8, using: &generator) {
                    let place = Int.random(in: 0..<bytes.count, using: &generator)
                    bytes[place] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &generator) ?? 0
                }
                #expect((length(bytes)?.milliseconds ?? 0) >= 0, "seed \(seed)")
            }
        }
    }

    /// Files of nothing but the pieces that a reader stumbles over.
    private static let stumbling: [(name: String, head: [UInt8], piece: [UInt8])] = [
        ("marks of frames", [], [0xFF]), ("heads of frames", [], [0xFF, 0xFB]),
        ("heads of FLAC frames", Array(SoundSamples.flac.prefix(42)), [0xFF, 0xF8]),
        ("tags", [], Array("ID3".utf8) + [4, 0, 0, 0, 0, 0, 0]),
        ("pages", Array("OggS".utf8), Array("OggS".utf8)),
        ("boxes", Array("\0\0\0\u{8}ftyp".utf8), Array("\0\0\0\u{8}free".utf8)),
        ("boxes in boxes", Array("\0\0\0\u{8}ftyp".utf8), [0x7F, 0xFF, 0xFF, 0xFF] + Array("moov".utf8)),
        ("boxes without an end", Array("\0\0\0\u{8}ftyp".utf8), [0, 0, 0, 0] + Array("trak".utf8)),
        ("elements", [0x1A, 0x45, 0xDF, 0xA3, 0x80], [0x80]),
        ("tracks", [0x1A, 0x45, 0xDF, 0xA3, 0x80], [0xAE, 0x80, 0xD7, 0x81, 1, 0xA3, 0x84, 0x81, 0, 0, 0]),
        ("halves of clusters", [0x1A, 0x45, 0xDF, 0xA3, 0x80], [0x1F, 0x43, 0xB6]),
        ("chunks", Array("RIFF\0\0\0\0WAVE".utf8), Array("data".utf8) + [1, 0, 0, 0, 0, 0]),
    ]

    @Test func `sixteen times the bytes take about sixteen times the time`() {
        for (name, head, piece) in Self.stumbling {
            func microseconds(_ count: Int) -> Int64 {
                let bytes = head + (0..<count / piece.count).flatMap { _ in piece }
                let clock = ContinuousClock()
                var best = Duration.seconds(60)
                for _ in 0..<3 { best = min(best, clock.measure { _ = length(bytes) }) }
                return best.components.attoseconds / 1_000_000_000_000 + best.components.seconds * 1_000_000
            }
            let one = microseconds(25_000)
            // A quadratic reader would take 256 times as long; the machine may be busy.
            #expect(microseconds(400_000) <= 100 * max(one, 300), "\(name)")
        }
    }
}
