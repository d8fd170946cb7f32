import Identity
import NaiveArithmetic
import Testing

struct DigestTests {
    /// The examples of FIPS 180 (one block, two blocks, a million letters), and no bytes at all.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            String(repeating: "a", count: 1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ])
    func `the standard's examples digest as it says`(text: String, digest: String) {
        #expect(SHA256Digest(of: text).hexadecimal == digest)
    }

    @Test func `a buffer without an address digests as no bytes`() {
        #expect(SHA256Digest(of: UnsafeRawBufferPointer(start: nil, count: 0)) == SHA256Digest(of: ""))
    }

    @Test func `a digest survives its bytes`() {
        for seed in Seeds.all {
            let digest = SHA256Digest(of: "key \(seed)")
            #expect(SHA256Digest(bytes: digest.bytes) == digest, "seed \(seed)")
            #expect(Hexadecimal.bytes(of: digest.hexadecimal) == digest.bytes, "seed \(seed)")
        }
    }

    @Test(arguments: [0, 31, 33, 64])
    func `bytes of another number are no digest`(count: Int) {
        #expect(SHA256Digest(bytes: [UInt8](repeating: 0, count: count)) == nil)
    }

    @Test func `digests that differ in one bit differ`() throws {
        let digest = SHA256Digest(of: "abc")
        for bit in 0..<256 {
            var bytes = digest.bytes
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(try #require(SHA256Digest(bytes: bytes)) != digest)
        }
    }
}

struct HexadecimalTests {
    @Test func `bytes survive their text, and the text is lowercase`() {
        for seed in Seeds.all {
            var generator = SeededGenerator(seed: seed)
            let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let text = Hexadecimal.text(of: bytes)
            #expect(text.utf8.count == 2 * bytes.count && text == text.lowercased(), "seed \(seed)")
            #expect(Hexadecimal.bytes(of: text) == bytes, "seed \(seed)")
            #expect(Hexadecimal.bytes(of: text.uppercased()) == bytes, "seed \(seed)")
        }
    }

    @Test func `only the digits of both cases have a value`() {
        let digits = Array("0123456789abcdefABCDEF".utf8)
        for byte in UInt8.min...UInt8.max {
            #expect((Hexadecimal.value(of: byte) != nil) == digits.contains(byte), "byte \(byte)")
        }
        #expect("09afAF".utf8.map { Hexadecimal.value(of: $0) } == [0, 9, 10, 15, 10, 15])
    }

    @Test(arguments: ["0", "abc", "0g", "0x12", " 12", "12 ", "+1", "１2"])
    func `an odd number of digits and other text are refused`(text: String) {
        #expect(Hexadecimal.bytes(of: text) == nil)
    }
}
