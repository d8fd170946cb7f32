import Glibc

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, and the same numbers for the same seed everywhere.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// The seeds of a property test: 200, or as many as `TOLLGATE_SEEDS` says.
///
/// Use it as the argument of a test, so that a failure names its seed:
/// `@Test(arguments: propertySeeds) func … (seed: UInt64)`; or loop over it inside a test and put the seed into the
/// comment of `#expect`, which is much faster.
public let propertySeeds: [UInt64] = {
    let count = getenv("TOLLGATE_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? 200
    return Array(1...max(count, 1))
}()
