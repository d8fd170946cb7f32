public import Metering

/// What is known of an answer so far, plain or streamed: usage, names and how it ended.
public struct AnswerFacts: Hashable, Sendable {
    /// The answer's own id, such as `chatcmpl-…`; at most `nameBytesMax` bytes.
    public internal(set) var id: String?
    /// The model that the engine says served it.
    public internal(set) var model: String?
    /// The tier that the engine says served it.
    public internal(set) var serviceTier: String?
    /// The last finish reason.
    public internal(set) var finishReason: String?
    /// Choices that have finished.
    public internal(set) var finishedChoices: Int64 = 0
    /// Events with content; zero for a plain answer.
    public internal(set) var contentEvents: Int64 = 0
    /// Those among them that came after the engine's last count of its output.
    public internal(set) var uncountedEvents: Int64 = 0
    /// Bytes of text in the choices of a plain answer.
    public internal(set) var textBytes: Int64 = 0
    /// The engine's usage; nil when it said nothing.
    public internal(set) var usage: EngineUsage?
    /// Whether an error object came instead of, or inside, the answer.
    public internal(set) var hasError = false
    /// Whether the stream's terminator came.
    public internal(set) var isTerminated = false
    /// Events or values that could not be read, being malformed or too long.
    public internal(set) var unreadCount: Int64 = 0

    /// The longest id, model, tier or finish reason that is kept.
    public static let nameBytesMax = 256

    /// Nothing known yet.
    public init() {}

    /// Buckets, source, completeness and contradiction as a record of a delivered answer carries them.
    ///
    /// Where the engine left something out, output is the events with content (for a plain answer its text bytes
    /// divided as the prompt's are) and input is the prompt's text bytes divided by `UsageEstimate.bytesPerToken`. Of a
    /// cut answer (`isCut`) the events that came after the engine's last count are added to it.
    public func fill(_ attempt: inout AttemptRecord, operation: Operation, promptTextBytes: Int64, isCut: Bool) {
        if let model { attempt.modelServed = model }
        attempt.tierServed = serviceTier
        attempt.finishReason = finishReason
        attempt.upstreamID = id
        attempt.contentEvents = contentEvents
        attempt.rawUsage = usage?.raw ?? []
        guard var usage else {
            attempt.usageSource = .estimated
            attempt.usageComplete = false
            attempt.buckets = TokenBuckets(
                inputUncached: UsageEstimate.tokens(inTextBytes: promptTextBytes), outputVisible: estimatedOutput)
            return
        }
        let isComplete = usage.isComplete(for: operation)
        attempt.usageSource = isComplete ? .engine : .estimated
        attempt.usageComplete = isComplete && !isCut
        if isCut, uncountedEvents > 0, let counted = usage.completionTokens, counted >= 0 {
            usage.completionTokens = sum(counted, uncountedEvents)
            usage.totalTokens = nil
            attempt.usageSource = .estimated
        }
        if usage.promptTokens == nil {
            usage.promptTokens = max(
                UsageEstimate.tokens(inTextBytes: promptTextBytes),
                sum(usage.cachedTokens ?? 0, usage.cacheWriteTokens ?? 0))
            usage.totalTokens = nil
        }
        if usage.completionTokens == nil, operation != .embeddings {
            usage.completionTokens = max(estimatedOutput, usage.reasoningTokens ?? 0)
            usage.totalTokens = nil
        }
        switch usage.buckets() {
        case .counted(let buckets): attempt.buckets = buckets
        case .contradiction(let text): attempt.contradiction = text
        }
    }

    /// What does not fit becomes a count that contradicts itself.
    private func sum(_ left: Int64, _ right: Int64) -> Int64 {
        let (sum, overflows) = left.addingReportingOverflow(right)
        return overflows ? .max : sum
    }

    private var estimatedOutput: Int64 {
        contentEvents > 0 ? contentEvents : UsageEstimate.tokens(inTextBytes: textBytes)
    }
}
