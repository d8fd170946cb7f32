import Identity
import NaiveArithmetic
import Testing

struct UUIDv7Tests {
    /// The example of RFC 9562, appendix A.6.
    private static let example = UUIDv7(high: 0x017F_22E2_79B0_7CC3, low: 0x98C4_DC0C_0C07_398F)

    @Test func `RFC 9562's own example has its time and its text`() {
        let made = UUIDv7(milliseconds: 1_645_557_742_000, randomness: (0xCC3, 0x18C4_DC0C_0C07_398F))
        #expect(made == Self.example)
        #expect(made.dashed == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
        #expect(made.hexadecimal == "017f22e279b07cc398c4dc0c0c07398f")
        #expect(made.timestamp == Timestamp("2022-02-22T19:22:22.000Z"))
        #expect(made.bytes.prefix(4) == [0x01, 0x7F, 0x22, 0xE2])
    }

    @Test func `an id keeps its millisecond, its version and its variant whatever the randomness`() {
        for seed in Seeds.all {
            var generator = SeededGenerator(seed: seed)
            let milliseconds = Int64.random(in: 0..<1 << 48, using: &generator)
            let id = UUIDv7(milliseconds: milliseconds, randomness: (generator.next(), generator.next()))
            #expect(id.milliseconds == milliseconds, "seed \(seed)")
            #expect(id.high >> 12 & 0xF == 7, "seed \(seed)")
            #expect(id.low >> 62 == 0b10, "seed \(seed)")
        }
    }

    @Test(arguments: [0, 1, (1 << 48) - 1] as [Int64])
    func `the first and the last millisecond are kept`(milliseconds: Int64) {
        for bits in [UInt64.min, .max] {
            #expect(UUIDv7(milliseconds: milliseconds, randomness: (bits, bits)).milliseconds == milliseconds)
        }
    }

    @Test func `ids sort as time does, and as their text and bytes do`() {
        for seed in Seeds.all {
            var generator = SeededGenerator(seed: seed)
            let earlier = Int64.random(in: 0..<1 << 47, using: &generator)
            let later = earlier + Int64.random(in: 1..<1000, using: &generator)
            let first = UUIDv7(milliseconds: earlier, randomness: (generator.next(), generator.next()))
            let second = UUIDv7(milliseconds: later, randomness: (generator.next(), generator.next()))
            #expect(first < second, "seed \(seed)")
            #expect(first.dashed < second.dashed, "seed \(seed)")
            #expect(first.hexadecimal < second.hexadecimal, "seed \(seed)")
            #expect(first.bytes.lexicographicallyPrecedes(second.bytes), "seed \(seed)")
        }
    }

    @Test func `any 128 bits survive both text forms, in either case`() {
        for seed in Seeds.all {
            var generator = SeededGenerator(seed: seed)
            let id = UUIDv7(high: generator.next(), low: generator.next())
            for text in [id.dashed, id.hexadecimal, id.dashed.uppercased(), id.description] {
                #expect(UUIDv7(text) == id, "seed \(seed): \(text)")
            }
        }
    }

    @Test(arguments: [
        "", "017f22e2", "017f22e279b07cc398c4dc0c0c07398", "017f22e279b07cc398c4dc0c0c07398f0",
        "017f22e2-79b07cc398c4dc0c0c07398f", "017f22e2-79b0-7cc3-98c4dc0c0c07398f",
        "017f22e279b0-7cc3-98c4-dc0c-0c07398f", "017f22e2--79b0-7cc3-98c4dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f-", "{17f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
        "g17f22e279b07cc398c4dc0c0c07398f", " 17f22e279b07cc398c4dc0c0c07398f", "017f22e279b07cc398c4dc0c0c07398f ",
        "０17f22e279b07cc398c4dc0c0c07398f",
    ])
    func `text with some dashes, too few or too many digits is refused`(text: String) {
        #expect(UUIDv7(text) == nil)
    }

    @Test func `an id of a digest has version 8, its variant, and the digest's other bits`() {
        for seed in Seeds.all {
            let digest = SHA256Digest(of: "invoice \(seed)")
            let id = UUIDv7(derivedFrom: digest)
            #expect(id.high >> 12 & 0xF == 8, "seed \(seed)")
            #expect(id.low >> 62 == 0b10, "seed \(seed)")
            #expect((id.high ^ digest.words.0) & ~0xF000 == 0, "seed \(seed)")
            #expect((id.low ^ digest.words.1) << 2 == 0, "seed \(seed)")
            #expect(id == UUIDv7(derivedFrom: SHA256Digest(of: "invoice \(seed)")), "seed \(seed)")
        }
    }

    @Test func `ids of different digests differ`() {
        let ids = Set((0..<10_000).map { UUIDv7(derivedFrom: SHA256Digest(of: "line \($0)")) })
        #expect(ids.count == 10_000)
    }
}
