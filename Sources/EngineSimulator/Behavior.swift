/// How the simulated engine behaves: its speed, its token counts, its faults, and how it reports usage.
///
/// Settings come from four places, later ones over earlier ones: the start, `POST /simulator/configure`, the request
/// header `x-simulator: key=value,key=value`, and a marker in the prompt, `[[simulator key=value key=value]]`, which
/// also passes through a gateway that drops unknown headers.
public struct Behavior: Sendable, Equatable {
    /// How the engine words its answers where engines differ.
    public enum Shape: String, Sendable, CaseIterable {
        /// As vLLM does: the finish reason rides on the last token, no `usage` key on the chunks before the last.
        case vllm
        /// As OpenAI does: a chunk of its own for the finish reason, `"usage":null` on all chunks before the last.
        case openai
    }

    /// How usage is reported.
    public enum UsageReporting: String, Sendable, CaseIterable {
        /// What was produced.
        case correct
        /// Not at all: no `usage` key, no usage chunk.
        case missing
        /// `"usage":null` where the numbers belong.
        case null
        /// A total that is not the sum of its parts.
        case wrongTotal = "wrong_total"
        /// More cached tokens than prompt tokens.
        case cachedOverPrompt = "cached_over_prompt"
        /// A negative number of completion tokens.
        case negative
        /// More reasoning tokens than completion tokens.
        case reasoningOverCompletion = "reasoning_over_completion"
    }

    /// How an answer ends once every token was produced.
    public enum Ending: String, Sendable, CaseIterable {
        /// To the last byte.
        case complete
        /// Cut after the finish reason, before usage and `[DONE]`.
        case cutBeforeUsage = "cut_before_usage"
        /// Cut after usage, before `[DONE]`.
        case cutBeforeDone = "cut_before_done"
        /// Cut after `[DONE]`, before the last (empty) chunk of the transfer coding.
        case cutBeforeEnd = "cut_before_end"
    }

    // Speed
    /// Milliseconds before the first byte of an answer's head.
    public var firstByteMilliseconds = 0
    /// Milliseconds from the request to the first token.
    public var prefillMilliseconds = 0
    /// Microseconds added to that for each prompt token.
    public var prefillMicrosecondsPerToken = 0
    /// Microseconds from one token to the next.
    public var decodeMicroseconds = 0
    /// Tokens in one chunk of a stream.
    public var tokensPerChunk = 1

    // Counts; nil derives them from the request
    /// Tokens of the prompt; by default the words of each message plus one.
    public var promptTokens: Int?
    /// Tokens of each choice; by default 16 to 63 by seed and prompt, at most `max_tokens`.
    public var completionTokens: Int?
    /// Prompt tokens that were read from the prefix cache.
    public var cachedTokens = 0
    /// Prompt tokens that were written to the cache.
    public var cacheWriteTokens = 0
    /// Completion tokens, from the first, that are reasoning.
    public var reasoningTokens = 0

    // What is said
    /// The text of every token, in place of words by seed; for looking whether a text was written anywhere.
    public var text: String?
    /// `stop` or `length`, in place of the true one.
    public var finishReason: String?
    /// The service tier that serves, in place of the one asked for.
    public var servedTier: String?
    /// The model that the answer names, in place of the one asked for.
    public var servedModel: String?
    /// How answers are worded.
    public var shape = Shape.vllm
    /// How usage is reported.
    public var usage = UsageReporting.correct
    /// Bytes of padding in every event of a stream and in every plain answer.
    public var paddingBytes = 0
    /// Whether comment lines stand between the events of a stream.
    public var comments = false
    /// Whether a plain answer comes in chunks instead of with a length.
    public var chunkedPlain = false
    /// Bytes in one write of a stream, to cut events at any point; 0 writes each event whole.
    public var splitBytes = 0

    // Faults
    /// Answer with this status at once instead of serving; 0 serves.
    public var errorStatus = 0
    /// The message of that error, and of an error after the start.
    public var errorMessage: String?
    /// The whole body of that error, in place of the usual JSON.
    public var errorBody: String?
    /// `retry-after` of that error, in seconds.
    public var retryAfterSeconds: Int?
    /// After this many tokens send an error object and end.
    public var failAfterTokens: Int?
    /// After this many tokens close the connection.
    public var cutAfterTokens: Int?
    /// After this many tokens send nothing more.
    public var stallAfterTokens: Int?
    /// How long the stall lasts, in milliseconds; 0 lasts until the client leaves.
    public var stallMilliseconds = 0
    /// How an answer ends.
    public var ending = Ending.complete
    /// Whether a plain answer is generated to its end though its client left.
    public var finishesAbandonedPlain = false

    /// An engine that answers at once and without fault.
    public init() {}

    /// The behaviour that a list of settings such as `prefill_ms=20,decode_ms=5` describes.
    public init(settings: String) throws(SettingError) {
        try apply(settings: settings)
    }

    /// Microseconds from the request to the first token, for a prompt of so many tokens.
    func prefillMicroseconds(promptTokens: Int) -> Int {
        prefillMilliseconds * 1000 + prefillMicrosecondsPerToken * promptTokens
    }
}
