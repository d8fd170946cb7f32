/// How the simulated engine behaves: its speed, its token counts, its faults, and how it reports usage.
///
/// Settings come from four places, later ones over earlier ones: the start, `POST /simulator/configure`, the request
/// header `x-simulator: key=value,key=value`, and a marker in the prompt, `[[simulator key=value key=value]]`, which
/// also passes through a gateway that drops unknown headers.
public struct Behavior: Sendable, Equatable {
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
    /// Whose reading of the request's words decides how long its answer may be and how many there are.
    public var lengthReading = LengthReading.dialect
    /// Prompt tokens that were read from the prefix cache.
    public var cachedTokens = 0
    /// Prompt tokens that were written to the cache.
    public var cacheWriteTokens = 0
    /// Prompt tokens that were written to the cache for an hour, where a dialect tells them apart.
    public var cacheWriteHourTokens = 0
    /// Prompt tokens that are sound.
    public var promptAudioTokens = 0
    /// Prompt tokens that are pictures.
    public var promptImageTokens = 0
    /// Completion tokens, from the first, that are reasoning.
    public var reasoningTokens = 0

    /// Tokens of each picture made.
    public var imageTokens = 272
    /// Milliseconds of sound in an audio file; by default by its size.
    public var audioMilliseconds: Int?
    /// What the usage of a transcription counts.
    public var transcriptionUsage = TranscriptionUsage.tokens
    /// Inferences in one answer beside the first.
    public var innerInferences = InnerInferences.none
    /// Milliseconds that a batch takes, from its creation to its end.
    public var batchMilliseconds = 0

    // What the engine's metrics tell of its load
    /// Requests that wait.
    public var waitingRequests = 0
    /// How full the cache of keys and values is.
    public var cachePercent = 0

    // What is said
    /// The text of every token, in place of words by seed; for looking whether a text was written anywhere.
    public var text: String?
    /// `stop` or `length`, in place of the true one.
    public var finishReason: String?
    /// The service tier that serves, in place of the one asked for.
    public var servedTier: String?
    /// The model that the answer names, in place of the one asked for.
    public var servedModel: String?
    /// Whose ways answers have.
    public var flavour = Flavour.vllm
    /// How usage is reported.
    public var usage = UsageReporting.correct
    /// Whether the answer calls the first tool that the request offers.
    public var callsTools = false
    /// Whether the engine tells its own times, where that is an option (vLLM's `metrics`).
    public var tellsTimes = false
    /// Whether thoughts are counted among Gemini's candidates tokens.
    public var countsThoughtsAsCandidates = false
    /// Whether Anthropic's `message_start` is sent twice.
    public var startsTwice = false
    /// Bytes of padding in every event of a stream and in every plain answer.
    public var paddingBytes = 0
    /// Whether comment lines stand between the events of a stream.
    public var comments = false
    /// Whether a plain answer comes in chunks instead of with a length.
    public var chunkedPlain = false
    /// Bytes in one write of a stream, to cut events at any point; 0 writes each event whole.
    public var splitBytes = 0
    /// Milliseconds between two such writes.
    public var dripMilliseconds = 0
    /// Bytes of one of SageMaker's payload parts; 0 cuts anywhere.
    public var partBytes = 0
    /// Whether answers are compressed, though nobody asked.
    public var compresses = false

    // Faults
    /// Answer with this status at once instead of serving; 0 serves.
    public var errorStatus = 0
    /// The message of that error, and of an error after the start.
    public var errorMessage: String?
    /// The whole body of that error, in place of the usual JSON.
    public var errorBody: String?
    /// After how many seconds that error says to come again.
    public var retryAfterSeconds: Int?
    /// How it says so.
    public var retryHint = RetryHint.header
    /// Close the connection instead of answering.
    public var hangsUp = false
    /// After this many tokens send an error object and end.
    public var failAfterTokens: Int?
    /// The status that this error stands for.
    public var failStatus = 500
    /// After this many tokens close the connection.
    public var cutAfterTokens: Int?
    /// Whether that cut falls inside the next chunk instead of before it.
    public var cutsInside = false
    /// After this many tokens one chunk is no JSON; a plain answer is none from 0 on.
    public var malformedAfterTokens: Int?
    /// After this many tokens one event-stream frame has a wrong checksum.
    public var brokenChecksumAfterTokens: Int?
    /// What `content-length` says.
    public var announcedLength = AnnouncedLength.right
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
