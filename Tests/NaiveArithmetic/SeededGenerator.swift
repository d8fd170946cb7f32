import Foundation

/// SplitMix64: the same seed gives the same values on every machine, so a failing seed can be run again.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x5DEE_CE66_D1CE_4E5B }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// An integer of up to `bits` random bits with a random sign: small and large ones equally likely.
    public mutating func integer(bitsMax: Int) -> Int128 {
        let bits = Int.random(in: 0...bitsMax, using: &self)
        let magnitude = bits == 0 ? 0 : (UInt128(next()) << 64 | UInt128(next())) >> (128 - bits)
        let value = Int128(truncatingIfNeeded: magnitude & UInt128(Int128.max))
        return Bool.random(using: &self) ? value : -value
    }

    public mutating func flip(oneIn count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }
}

/// The seeds of property tests: 200, or as many as `TOLLGATE_SEEDS` says.
public enum Seeds {
    public static let all: Range<UInt64> =
        0..<(ProcessInfo.processInfo.environment["TOLLGATE_SEEDS"].flatMap { UInt64($0) } ?? 200)
}
