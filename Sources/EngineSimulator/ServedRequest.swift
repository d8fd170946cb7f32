/// One line of the simulator's own book: what it made of a request, counted apart from any meter in front of it.
public struct ServedRequest: Sendable, Equatable {
    /// How a request ended.
    public enum Outcome: String, Sendable, CaseIterable {
        /// Still being served.
        case running
        /// The whole answer was handed to the network.
        case complete
        /// The client closed the connection before that.
        case clientGone = "client_gone"
        /// An error was answered, before or after the start.
        case failed
        /// The simulator cut the answer, as it was told to.
        case cut
    }

    /// Position in the book, from 1.
    public let sequence: Int
    /// The `x-request-id` header of the request; empty when there was none. Retries share it.
    public let requestID: String
    /// What was asked for.
    public let operation: Operation
    /// The model as asked for.
    public let model: String
    /// The tier as asked for; nil when the request did not say.
    public let tierRequested: String?
    /// The tier as the answer names it; nil when it says nothing.
    public let tierServed: String?
    /// Whether a stream was asked for.
    public let streamed: Bool
    /// Whether it was a line of a batch.
    public let isBatch: Bool
    /// Tokens of the prompt, cached ones included.
    public let promptTokens: Int
    /// Prompt tokens read from the cache.
    public let cachedTokens: Int
    /// Prompt tokens written to the cache, for five minutes or for a time not said.
    public let cacheWriteTokens: Int
    /// Prompt tokens written to the cache for an hour.
    public let cacheWriteHourTokens: Int
    /// Prompt tokens, neither read from nor written to the cache, that are sound.
    public let promptAudioTokens: Int
    /// Prompt tokens, neither read from nor written to the cache, that are pictures.
    public let promptImageTokens: Int
    /// Pictures asked for.
    public let images: Int
    /// Sound heard, or asked to be said, in milliseconds.
    public let audioMilliseconds: Int
    /// Characters to be read out.
    public let characters: Int
    /// Searches, as rerankers count them.
    public let searches: Int
    /// Inferences in the same answer that the counts above and below leave out, as JSON.
    public let inner: [String]
    /// When the request had arrived, in milliseconds since 1970.
    public let startedMilliseconds: Int

    /// The status answered; 0 while nothing was.
    public internal(set) var status = 0
    /// Completion tokens generated, of all choices.
    public internal(set) var completionTokensProduced = 0
    /// Of these, the ones that the operating system took for sending.
    public internal(set) var completionTokensSent = 0
    /// Of those produced, reasoning tokens.
    public internal(set) var reasoningTokens = 0
    /// Milliseconds on the engine's hardware, where a dialect counts them (Replicate's).
    public internal(set) var computeMilliseconds = 0
    /// When the first token was sent, in milliseconds since 1970; 0 when none was.
    public internal(set) var firstTokenMilliseconds = 0
    /// When it ended, in milliseconds since 1970; 0 while running.
    public internal(set) var endedMilliseconds = 0
    /// How it ended.
    public internal(set) var outcome = Outcome.running
    /// The last usage that was sent, as JSON, true or not; nil when none was.
    public internal(set) var usageReported: String?

    init(
        sequence: Int, requestID: String, operation: Operation, model: String, tierRequested: String?,
        tierServed: String?, streamed: Bool, isBatch: Bool, plan: GenerationPlan?, startedMilliseconds: Int
    ) {
        self.sequence = sequence
        self.requestID = requestID
        self.operation = operation
        self.model = model
        self.tierRequested = tierRequested
        self.tierServed = tierServed
        self.streamed = streamed
        self.isBatch = isBatch
        self.startedMilliseconds = startedMilliseconds
        promptTokens = plan?.promptTokens ?? 0
        cachedTokens = plan?.cachedTokens ?? 0
        cacheWriteTokens = plan?.cacheWriteTokens ?? 0
        cacheWriteHourTokens = plan?.cacheWriteHourTokens ?? 0
        promptAudioTokens = plan?.promptAudioTokens ?? 0
        promptImageTokens = plan?.promptImageTokens ?? 0
        images = plan?.units.images ?? 0
        audioMilliseconds = plan?.units.audioMilliseconds ?? 0
        characters = plan?.units.characters ?? 0
        searches = plan?.units.searches ?? 0
        inner = plan?.inner.map(\.json) ?? []
    }

    /// The line as JSON.
    public var json: String {
        JSONText.object([
            "sequence": String(sequence), "request_id": JSONText.quoted(requestID),
            "operation": "\"\(operation.rawValue)\"", "model": JSONText.quoted(model),
            "tier_requested": JSONText.quoted(tierRequested), "tier_served": JSONText.quoted(tierServed),
            "streamed": String(streamed), "status": String(status), "outcome": "\"\(outcome.rawValue)\"",
            "prompt_tokens": String(promptTokens), "cached_tokens": String(cachedTokens),
            "cache_write_tokens": String(cacheWriteTokens),
            "cache_write_hour_tokens": String(cacheWriteHourTokens),
            "prompt_audio_tokens": String(promptAudioTokens), "prompt_image_tokens": String(promptImageTokens),
            "images": String(images), "audio_ms": String(audioMilliseconds), "characters": String(characters),
            "searches": String(searches), "compute_ms": String(computeMilliseconds), "batch": String(isBatch),
            "inner": "[\(inner.joined(separator: ","))]",
            "completion_tokens_produced": String(completionTokensProduced),
            "completion_tokens_sent": String(completionTokensSent), "reasoning_tokens": String(reasoningTokens),
            "started_ms": String(startedMilliseconds), "first_token_ms": String(firstTokenMilliseconds),
            "ended_ms": String(endedMilliseconds), "usage_reported": usageReported ?? "null",
        ])
    }
}
