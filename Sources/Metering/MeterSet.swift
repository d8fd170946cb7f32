/// A set of meters: one word, so that admission asks what a plan sells without a search.
public struct MeterSet: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public init(_ meters: Meter...) {
        assert(Meter.allCases.count <= UInt64.bitWidth, "a word has no room for all meters")
        rawValue = meters.reduce(0) { $0 | 1 << UInt64($1.order) }
    }

    /// Whether the meter is in it.
    public func contains(_ meter: Meter) -> Bool { rawValue & 1 << UInt64(meter.order) != 0 }
}
