import Testing

@testable import Identity

@Suite struct SecretKeyringTests {
    private static let one = String(repeating: "01", count: 32)
    private static let two = String(repeating: "ab", count: 32)
    private let nonce = [UInt8](1...12)

    /// Test case 16 of the GCM specification (McGrew and Viega), which NIST SP 800-38D takes over.
    @Test func `ciphertext and tag are those of the specification`() throws {
        let key = try #require(
            Hexadecimal.bytes(of: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"))
        let nonce = try #require(Hexadecimal.bytes(of: "cafebabefacedbaddecaf888"))
        let data = try #require(Hexadecimal.bytes(of: "feedfacedeadbeeffeedfacedeadbeefabaddad2"))
        let text =
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
            + "b16aedf5aa0de657ba637b39"
        let plaintext = try #require(Hexadecimal.bytes(of: text))
        let sealed = try #require(AES256GCM.seal(plaintext, key: key, nonce: nonce, associatedData: data))
        #expect(
            Hexadecimal.text(of: sealed)
                == "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
                + "c5f61e6393ba7a0abcc9f662" + "76fc6ece0f4e1768cddf8853bb2d551b")
        #expect(AES256GCM.open(sealed, key: key, nonce: nonce, associatedData: data) == plaintext)
    }

    @Test func `a value opens with its key and context, and with nothing else`() throws {
        let keyring = try SecretKeyring(Self.one)
        let sealed = keyring.seal("sk-engine", nonce: nonce, context: ["secret", "a", "1"])
        #expect(try keyring.open(sealed, context: ["secret", "a", "1"]) == "sk-engine")
        #expect(!sealed.description.contains("sk-engine"))
        for context in [["secret", "a", "2"], ["secret", "b", "1"], ["secret", "a"], ["secret", "a1"], []] {
            #expect(throws: SealedValueError.doesNotOpen) { try keyring.open(sealed, context: context) }
        }
        #expect(throws: SealedValueError.unknownKey(id: keyring.keyIDs[0])) {
            try SecretKeyring(Self.two).open(sealed, context: ["secret", "a", "1"])
        }
    }

    @Test func `a value of which any bit was changed does not open`() throws {
        let keyring = try SecretKeyring(Self.one)
        let sealed = keyring.seal("value", nonce: nonce, context: ["a"])
        for place in 0..<(sealed.ciphertext.count * 8) {
            var ciphertext = sealed.ciphertext
            ciphertext[place / 8] ^= 1 << UInt8(place % 8)
            let changed = SealedValue(keyID: sealed.keyID, nonce: sealed.nonce, ciphertext: ciphertext)
            #expect(throws: SealedValueError.doesNotOpen) { try keyring.open(changed, context: ["a"]) }
        }
        let moved = SealedValue(keyID: sealed.keyID, nonce: [UInt8](0...11), ciphertext: sealed.ciphertext)
        #expect(throws: SealedValueError.doesNotOpen) { try keyring.open(moved, context: ["a"]) }
    }

    @Test func `after a rotation the first key seals and all keys open`() throws {
        let old = try SecretKeyring(Self.one)
        let sealed = old.seal("value", nonce: nonce, context: ["a"])
        let both = try SecretKeyring("# new\n\(Self.two)\n# old\n\(Self.one)\n")
        #expect(try both.open(sealed, context: ["a"]) == "value")
        let anew = both.seal("value", nonce: nonce, context: ["a"])
        #expect(anew.keyID == both.keyIDs[0] && anew.keyID != sealed.keyID && both.keyIDs[1] == sealed.keyID)
        #expect(try SecretKeyring("\(Self.two),\(Self.one)").keyIDs == both.keyIDs)
        #expect(throws: SealedValueError.self) { try old.open(anew, context: ["a"]) }
    }

    @Test func `a fingerprint tells equal values from others, under one key`() throws {
        let (one, two) = (try SecretKeyring(Self.one), try SecretKeyring(Self.two))
        #expect(one.fingerprint(of: "a") == one.fingerprint(of: "a") && one.fingerprint(of: "a").utf8.count == 12)
        #expect(one.fingerprint(of: "a") != one.fingerprint(of: "b"))
        #expect(one.fingerprint(of: "a") != two.fingerprint(of: "a"))
    }

    @Test(arguments: [
        "", "# only a comment\n", "secret", String(repeating: "0", count: 63), String(repeating: "g", count: 64),
        String(repeating: "01", count: 16), "\(Self.one)\n\(Self.one)", "AAAA",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh==",
    ])
    func `what is no key of 256 bits is refused`(text: String) {
        #expect(throws: SecretKeyringError.self) { try SecretKeyring(text) }
    }

    @Test func `keys may be hexadecimal or Base64, and at most 16`() throws {
        let bytes = (0..<32).map { String(format($0)) }.joined()
        let base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
        #expect(try SecretKeyring(bytes).keyIDs == SecretKeyring(base64 + "\r\n").keyIDs)
        let many = (0..<17).map { String(repeating: format($0), count: 32) }.joined(separator: "\n")
        #expect(throws: SecretKeyringError.self) { try SecretKeyring(many) }
    }

    @Test(arguments: ["", "1:a:b:c", "2:01234567:000000000000000000000000:00", "1:01234567::", "nonsense"])
    func `what is no sealed value is refused`(text: String) {
        #expect(SealedValue(text) == nil)
    }

    @Test func `the text of a sealed value reads back`() throws {
        let sealed = try SecretKeyring(Self.one).seal("value", nonce: nonce, context: [])
        #expect(SealedValue(sealed.description) == sealed)
    }

    private func format(_ byte: Int) -> String { Hexadecimal.text(of: [UInt8(byte)]) }
}
