/// How busy an engine says it is, read from its own metrics. For routing, never for bills: the figures know no tenant,
/// and begin again from zero when the engine restarts.
public struct EngineCapacity: Hashable, Sendable {
    /// Requests that wait for their turn.
    public var queued: Int64?
    /// Requests that are being worked on.
    public var running: Int64?
    /// Requests that it takes at once before it refuses.
    public var requestsMax: Int64?
    /// How much of the memory for keys and values is in use, in thousandths; of several engines behind one address the
    /// fullest.
    public var memoryUsePermille: Int64?
    /// Tokens of prompts since it started.
    public var promptTokens: Int64?
    /// Tokens of answers since it started.
    public var generatedTokens: Int64?

    /// Nothing known.
    public init() {}

    /// Whether new work would wait: requests queue, or nearly all memory for keys and values is taken, so that a new
    /// request would push out another.
    public var isSaturated: Bool {
        (queued ?? 0) > 0 || (memoryUsePermille ?? 0) >= Self.memoryFullPermille
            || requestsMax.map { (running ?? 0) + (queued ?? 0) >= $0 } ?? false
    }

    /// From here on memory counts as full: engines begin to preempt about there.
    public static let memoryFullPermille: Int64 = 950
}
