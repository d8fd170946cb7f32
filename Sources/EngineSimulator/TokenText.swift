/// What the engine "says": words that follow from a seed, never from a model.
struct TokenText: Sendable {
    /// Some need escapes in JSON or several bytes in UTF-8, as real tokens do.
    private static let vocabulary = [
        " the", " meter", " counts", " each", " token", " and", " a", " ledger", " keeps", " sum", " of", " every",
        " price", " plan", " tier", " hour", " month", " in", " order", " so", " that", " nothing", " is", " lost",
        ".", ",", ":", "\n", " \"quoted\"", " back\\slash", "\t", " caf\u{E9}", " na\u{EF}ve", " \u{20AC}", " \u{2265}",
        " \u{6A5F}\u{68B0}", " \u{5B57}", " \u{1F680}", " \u{1F9EE}", " {", "}", " 1", " 42", " 3.14", "-", " usage",
        " stream", " gate", " toll", " road", " bridge", " invoice", " credit", " note", " paid", " open", " close",
        " wall", "'s", " again", " once", " twice", " never", " done",
    ]

    /// The simulator's seed mixed with the request's hash.
    let seed: UInt64
    private let fixed: String?

    /// - Parameters:
    ///   - seed: the simulator's seed mixed with the request's hash.
    ///   - fixed: the text of every token, when it is set.
    init(seed: UInt64, fixed: String?) {
        self.seed = seed
        self.fixed = fixed
    }

    /// The token at a position of a choice.
    func token(_ position: Int, choice: Int) -> String {
        if let fixed { return fixed }
        let mixed = Hash.mix(seed &+ UInt64(choice) &* 0x1_0000_0001 &+ UInt64(position) &* 0x9E37_79B9)
        return Self.vocabulary[Int(mixed % UInt64(Self.vocabulary.count))]
    }

    /// The tokens at some positions of a choice, joined.
    func tokens(_ positions: Range<Int>, choice: Int) -> String {
        positions.map { token($0, choice: choice) }.joined()
    }
}

/// Small fixed hashes, equal on every run and machine.
enum Hash {
    /// FNV-1a over bytes.
    static func of(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
        }
        return hash
    }

    /// The finishing step of splitmix64.
    static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value &+ 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Sixteen hexadecimal digits.
    static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
