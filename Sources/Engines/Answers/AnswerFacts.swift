public import Metering

/// What is known of an answer so far, plain or streamed: usage, names and how it ended.
public struct AnswerFacts: Hashable, Sendable {
    /// The answer's own id, such as `chatcmpl-…`; at most `nameBytesMax` bytes.
    public internal(set) var id: String?
    /// The model that the engine says served it.
    public internal(set) var model: String?
    /// The tier that the engine says served it, in its own words.
    public internal(set) var serviceTier: String?
    /// Where the engine says that it was served, when it was bound to a place; nil when it is silent.
    public internal(set) var region: String?
    /// The last finish reason.
    public internal(set) var finishReason: String?
    /// Choices that have finished.
    public internal(set) var finishedChoices: Int64 = 0
    /// How many choices the answer was seen to have, told by their places in it.
    public internal(set) var choicesSeen: Int64 = 0
    /// Events with content; zero for a plain answer.
    public internal(set) var contentEvents: Int64 = 0
    /// Those among them that came after the engine's last count of its output.
    public internal(set) var uncountedEvents: Int64 = 0
    /// Bytes of text that the model wrote in a plain answer.
    public internal(set) var textBytes: Int64 = 0
    /// Elements of the array that the answer is about: pictures made, documents ranked.
    public internal(set) var items: Int64 = 0
    /// The engine's usage of the answer's own inference; nil when it said nothing.
    public internal(set) var usage: EngineUsage?
    /// Counts that the engine gives outside of its usage (a head, llama.cpp's `timings`): for what `usage` leaves out.
    var sideUsage: EngineUsage?
    /// Tokens of output by llama.cpp's `timings`, which are of one choice.
    var timedTokens: Int64?
    /// How the backend's usage is read.
    var quirks: UsageQuirks = []
    /// What the answer's own inference was: `fallback` when another model than the one asked for served.
    public internal(set) var kind = InferenceKind.primary
    /// Inferences inside the answer that `usage` does not include.
    public internal(set) var inferences: [InnerInference] = []
    /// The models of a compound system, not yet told apart from `usage` (Groq's `usage_breakdown`).
    var components: [InnerInference] = []
    /// What the answer came to beside tokens.
    public internal(set) var units = UsageUnits()
    /// The engine's own clock, as it says outside its usage.
    public internal(set) var timings = EngineTimings()
    /// Whether an error object came instead of, or inside, the answer.
    public internal(set) var hasError = false
    /// What that error said.
    public internal(set) var error: EngineErrorText?
    /// Whether the stream's last word is that the answer failed (`response.failed`): clients read it.
    public internal(set) var endsInFailure = false
    /// Whether the stream's terminator came.
    public internal(set) var isTerminated = false
    /// Events or values that could not be read, being malformed or too long.
    public internal(set) var unreadCount: Int64 = 0

    /// The longest id, model, tier or finish reason that is kept.
    public static let nameBytesMax = 256
    /// The most inferences inside one answer that are recorded.
    public static let inferencesMax = 32

    /// Nothing known yet.
    public init() {}

    /// Whether the usage of a plain answer is that of its first choice: llama.cpp puts all choices into one answer, and
    /// beside them the usage and the timings of the first alone.
    var hasUsageOfOneChoice: Bool {
        guard choicesSeen > 1, contentEvents == 0, let timedTokens else { return false }
        return usage?.completionTokens == nil || usage?.completionTokens == timedTokens
    }

    /// Whether an error came and nothing that the model made: whatever the engine says that it used, nothing is owed.
    var isNothingButError: Bool { hasError && textBytes == 0 && items == 0 && contentEvents == 0 }
}

/// One inference inside an answer that is priced by itself: a compaction, an advisor, a model of a compound system.
public struct InnerInference: Hashable, Sendable {
    public var kind: InferenceKind
    /// The model that did it; nil for the answer's own.
    public var model: String?
    public var usage: EngineUsage
    /// Nil for the answer's own.
    public var serviceTier: String?
    /// Nil for the answer's own.
    public var id: String?
    /// Whether its usage is the last word on it: false when the next inference began before its end.
    public var isComplete = true

    /// An inference inside an answer.
    public init(kind: InferenceKind, model: String?, usage: EngineUsage, serviceTier: String? = nil) {
        self.kind = kind
        self.model = model
        self.usage = usage
        self.serviceTier = serviceTier
    }
}
