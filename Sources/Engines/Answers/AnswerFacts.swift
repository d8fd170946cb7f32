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
    /// Events with content, an event with several choices being as many; zero for a plain answer.
    public internal(set) var contentEvents: Int64 = 0
    /// Those among them that came after the engine's last count of its output.
    public internal(set) var uncountedEvents: Int64 = 0 {
        didSet {
            guard uncountedEvents == 0 else { return }
            estimateAtCount = contentEstimate
            besideAtCount = written.beside
        }
    }
    /// Tokens that the events with text come to, one by one.
    private var eventTokens: Int64 = 0
    /// Events that hold nothing but pictures, sound or reasoning that is encrypted.
    private var textlessEvents: Int64 = 0
    /// Tokens that are named and have no text, or none yet.
    private(set) var silentTokens: Int64 = 0
    /// Bytes of text in the events with content.
    private(set) var contentBytes: Int64 = 0
    /// What the content came to when the engine counted last.
    private var estimateAtCount: Int64 = 0
    private var besideAtCount = TokensBesideText()
    /// What the answer holds beside text. Its text is counted in `contentBytes` (events) or `textBytes`.
    private(set) var written = WrittenContent()
    /// Bytes of text that the model wrote: of a plain answer, or in the items that a stream repeats whole.
    public internal(set) var textBytes: Int64 = 0
    /// Elements of the array that the answer is about: pictures made, documents ranked.
    public internal(set) var items: Int64 = 0
    /// Whether there is such an array, and how many of its elements say that they failed.
    var hasItems = false
    var itemsFailed: Int64 = 0
    /// Whether it cites pages of the web.
    var showsSources = false
    /// Whether it ranks documents, although its form is any model's.
    var isRanking = false
    /// Whether a picture was being shown that is not whole yet.
    var isPictureBegun = false
    /// The engine's usage of the answer's own inference; nil when it said nothing.
    public internal(set) var usage: EngineUsage?
    /// Counts that the engine gives outside of its usage (a head, llama.cpp's `timings`): for what `usage` leaves out.
    var sideUsage: EngineUsage?
    /// Tokens of output by llama.cpp's `timings`, which are of one choice.
    var timedTokens: Int64?
    /// How many sequences as long as the one that came were made for it, where the engine does not say how long the
    /// others were (`best_of`).
    var sequences: Int64 = 1
    /// What tools inside the answer used, beside its own usage.
    var toolUsage: [EngineUsage] = []
    /// What the model began to do out of sight.
    public internal(set) var hiddenWork: HiddenWork = []
    /// Whether it showed some of its reasoning.
    public var showsReasoning: Bool { written.reasoningBytes > 0 }
    /// What is known of the time that it ran on hardware, where the engine did not measure it.
    var hardwareTime = HardwareTime.measured
    /// Whether it was seen to have begun on hardware.
    var hasRun = false
    /// How what it says is to be read.
    var rules = ReadingRules()
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
    /// Whether the answer's last word is that it failed: a stream's (`response.failed`), which clients read, or the
    /// status of a plain answer, whatever of it had been made.
    public internal(set) var endsInFailure = false
    /// Whether the stream's terminator came.
    public internal(set) var isTerminated = false
    /// Events or values that could not be read, being malformed or too long.
    public internal(set) var unreadCount: Int64 = 0

    /// Whether there were more inferences inside the answer than are recorded.
    var hasMoreInferences = false

    /// The longest id, model, tier or finish reason that is kept.
    public static let nameBytesMax = 256
    /// The most inferences inside one answer that are recorded.
    public static let inferencesMax = 32

    /// Nothing known yet.
    public init() {}

    /// Most events are one token each, and most tokens are no longer than this. A longer event is what its bytes come
    /// to; so are all of them together where they are longer than tokens on the average.
    private static let bytesOfOneToken: Int64 = 16
    private static let bytesOfTokensOnAverage: Int64 = 8
    /// A few long words are no sign of events with several tokens.
    private static let bytesOfLongWords: Int64 = 64

    /// Notes an event with content: that of so many choices, or so many tokens where they are named one by one.
    mutating func noteContent(_ content: WrittenContent, tokens: Int64 = 1, areNamed: Bool = false) {
        written.add(content)
        contentEvents += tokens
        let bytes = content.textBytes
        contentBytes += bytes
        if content.isEmpty { silentTokens += tokens }
        if bytes == 0, !content.isEmpty {
            textlessEvents += tokens
        } else {
            let byLength = bytes > AnswerFacts.bytesOfOneToken ? UsageEstimate.tokens(inTextBytes: bytes) : 1
            eventTokens += areNamed ? tokens : byLength + tokens - 1
        }
    }

    /// The same of text alone.
    mutating func noteContent(bytes: Int64) { noteContent(WrittenContent(textBytes: bytes)) }

    /// Notes what came without a word: reasoning that is encrypted.
    mutating func noteSilent(_ content: WrittenContent) { written.add(content) }

    /// Takes what a plain answer holds so far.
    mutating func takeWritten(_ content: WrittenContent) {
        textBytes = content.textBytes
        written = content
        // What the engine counts of a plain answer is all of it.
        besideAtCount = content.beside
    }

    /// Takes what a whole answer repeats at its end of what came before, and more where some of it did not come.
    mutating func takeRepeated(_ content: WrittenContent) {
        textBytes = max(textBytes, content.textBytes)
        written.raiseRest(to: content)
    }

    /// The same without the prompt that the request had repeated in front of each answer; unchanged where less came
    /// than that, so that it was not repeated.
    func withoutEcho(of request: InferenceRequest) -> AnswerFacts {
        let echoed = request.input.promptBytes * request.choiceCount / max(1, request.promptCount)
        guard request.isEchoed, echoed > 0, max(textBytes, contentBytes) >= echoed else { return self }
        var facts = self
        facts.textBytes = max(0, textBytes - echoed)
        facts.contentBytes = max(0, contentBytes - echoed)
        facts.written.textBytes = max(0, written.textBytes - echoed)
        facts.eventTokens = max(0, eventTokens - UsageEstimate.tokens(inTextBytes: echoed))
        facts.estimateAtCount = max(0, estimateAtCount - UsageEstimate.tokens(inTextBytes: echoed))
        if facts.contentBytes == 0 {
            facts.contentEvents = 0
            facts.uncountedEvents = 0
        }
        return facts
    }

    /// Tokens that a stream's text comes to: its events, unless these hold several tokens each.
    var contentEstimate: Int64 {
        let events = max(eventTokens, contentEvents - textlessEvents)
        let bytesOfSingleTokens = contentEvents * AnswerFacts.bytesOfTokensOnAverage + AnswerFacts.bytesOfLongWords
        guard contentBytes > bytesOfSingleTokens else { return events }
        return max(events, UsageEstimate.tokens(inTextBytes: contentBytes))
    }

    /// Tokens beside the text, and those of them that came after the engine's last count of its output.
    var beside: TokensBesideText { written.beside }
    var uncountedBeside: TokensBesideText { written.beside - besideAtCount }

    /// Tokens of the content that came after the engine's last count of its output.
    var uncountedEstimate: Int64 {
        choicesSeen > 1 ? uncountedEvents : max(uncountedEvents, contentEstimate - estimateAtCount)
    }

    /// The engine's count stands for that many tokens of the content that came in so many events since what came before
    /// was estimated at `start`: not for all of it, however much it is.
    mutating func takeCount(of tokens: Int64, events: Int64, since start: Int64) {
        let beside = besideAtCount
        uncountedEvents = max(0, events - tokens)
        besideAtCount = beside
        estimateAtCount = min(contentEstimate, start + tokens)
    }

    /// Whether the usage of a plain answer is that of its first choice: llama.cpp puts all choices into one answer, and
    /// beside them the usage and the timings of the first alone.
    var hasUsageOfOneChoice: Bool {
        guard choicesSeen > 1, contentEvents == 0, let timedTokens else { return false }
        return usage?.completionTokens == nil || usage?.completionTokens == timedTokens
    }

    /// Whether an error came and nothing that the model made: whatever the engine says that it used, nothing is owed.
    var isNothingButError: Bool {
        hasError && textBytes == 0 && written.media.isEmpty && items == 0 && contentEvents == 0
    }
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
    /// Whether the client chose its model, so that no other model's price stands in for one that is not known.
    var isOfChosenModel = false

    /// An inference inside an answer.
    public init(kind: InferenceKind, model: String?, usage: EngineUsage, serviceTier: String? = nil) {
        self.kind = kind
        self.model = model
        self.usage = usage
        self.serviceTier = serviceTier
    }
}
