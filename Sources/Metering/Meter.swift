/// What a price is for. The disjoint token buckets of a record map onto these.
public enum Meter: String, CaseIterable, Hashable, Sendable {
    /// Input that no cache served and that was not written to one.
    case inputTokens = "input_tokens"
    /// Input that the engine found in its prompt cache.
    case cacheReadTokens = "cache_read_tokens"
    /// Input that the engine wrote to its prompt cache, of any lifetime.
    case cacheWriteTokens = "cache_write_tokens"
    /// Output, visible and reasoning together.
    case outputTokens = "output_tokens"
}

extension Meter: Comparable {
    /// The order in which invoices list meters: that of the cases.
    public static func < (left: Meter, right: Meter) -> Bool { left.order < right.order }

    private var order: Int {
        switch self {
        case .inputTokens: 0
        case .cacheReadTokens: 1
        case .cacheWriteTokens: 2
        case .outputTokens: 3
        }
    }
}
