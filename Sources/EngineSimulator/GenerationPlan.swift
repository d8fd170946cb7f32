/// Everything that is fixed about one generation before it starts: counts, speed, faults. Pure.
struct GenerationPlan: Sendable {
    let operation: Operation
    let streamed: Bool
    let behavior: Behavior
    let includeUsage: Bool
    let continuousUsage: Bool
    let choices: Int
    let promptTokens: Int
    /// Tokens of each choice.
    let completionTokensEach: Int
    let cachedTokens: Int
    /// For five minutes, or for a time not said.
    let cacheWriteTokens: Int
    let cacheWriteHourTokens: Int
    /// Of the uncached prompt.
    let promptAudioTokens: Int
    let promptImageTokens: Int
    /// Of each choice, from its first token on.
    let reasoningTokensEach: Int
    /// `stop` or `length`, as OpenAI names them, or `tool_calls`.
    let finishReason: String
    let text: TokenText
    /// The tool that the answer calls; nil when it calls none.
    let tool: String?
    /// Which steps its stream has.
    let course: StreamCourse
    /// What it comes to in units other than tokens.
    let units: UnitCounts
    /// Inferences in the same answer whose tokens are not among these.
    let inner: [InnerInference]

    /// Tokens of all choices.
    var completionTokens: Int { completionTokensEach * choices }
    /// Reasoning tokens of all choices.
    var reasoningTokens: Int { reasoningTokensEach * choices }

    init(request: EngineRequest, behavior: Behavior, seed: UInt64, contextTokensMax: Int) {
        operation = request.operation
        streamed = request.streamed
        self.behavior = behavior
        includeUsage = request.includeUsage
        continuousUsage = request.continuousUsage
        choices = request.choices
        let isHeard = request.operation == .transcriptions
        let audio = isHeard ? behavior.audioMilliseconds ?? request.audioMilliseconds : 0
        let audioTokens = audio / UnitCounts.millisecondsPerToken
        promptTokens = behavior.promptTokens ?? request.promptTokens.reduce(0, +) + audioTokens
        let mixed = Hash.mix(seed ^ request.promptHash)
        let limit = min(request.maxTokens ?? .max, max(1, contextTokensMax - promptTokens))
        let usual = request.operation == .images ? behavior.imageTokens : 16 + Int(mixed % 48)
        let wanted = behavior.completionTokens ?? (request.ignoresEndOfSequence ? limit : usual)
        completionTokensEach = request.operation.generates ? min(wanted, limit) : 0
        tool = behavior.callsTools || request.mustCallTool ? request.tool : nil
        let reason = wanted > limit || request.ignoresEndOfSequence ? "length" : tool == nil ? "stop" : "tool_calls"
        finishReason = behavior.finishReason ?? reason
        var rest = promptTokens
        func take(_ tokens: Int) -> Int {
            let taken = min(tokens, rest)
            rest -= taken
            return taken
        }
        cachedTokens = take(behavior.cachedTokens)
        cacheWriteTokens = take(behavior.cacheWriteTokens)
        cacheWriteHourTokens = take(behavior.cacheWriteHourTokens)
        promptAudioTokens = take(behavior.promptAudioTokens + audioTokens)
        promptImageTokens = take(behavior.promptImageTokens)
        reasoningTokensEach = min(behavior.reasoningTokens, completionTokensEach)
        text = TokenText(seed: mixed, fixed: behavior.text)
        course = StreamCourse(operation: request.operation, flavour: behavior.flavour, asksForUsage: includeUsage)
        units = UnitCounts(
            request: request, audioMilliseconds: audio, choices: choices,
            completionTokens: completionTokensEach * choices)
        inner = InnerInference.beside(behavior.innerInferences, model: request.model, promptTokens: promptTokens)
    }

    /// When the first token is there, in microseconds from the request. Cached tokens need no prefill.
    var firstTokenAt: Int {
        behavior.firstByteMilliseconds * 1000
            + behavior.prefillMicroseconds(promptTokens: promptTokens - cachedTokens)
    }

    /// When a choice's token at a position (from 0) is there, in microseconds from the request.
    func tokenAt(_ position: Int) -> Int {
        firstTokenAt + position * behavior.decodeMicroseconds
    }

    /// How many tokens of all choices were generated so many microseconds after the request.
    func tokensGenerated(after microseconds: Int) -> Int {
        guard microseconds >= firstTokenAt else { return 0 }
        guard behavior.decodeMicroseconds > 0 else { return completionTokens }
        let each = (microseconds - firstTokenAt) / behavior.decodeMicroseconds + 1
        return min(each, completionTokensEach) * choices
    }
}

extension GenerationPlan {
    /// Some positions of a choice, parted into its reasoning tokens and its visible ones; nil where there are none.
    func parted(_ positions: Range<Int>) -> (reasoning: Range<Int>?, visible: Range<Int>?) {
        let turn = min(max(positions.lowerBound, reasoningTokensEach), positions.upperBound)
        let reasoning = positions.lowerBound..<turn
        let visible = turn..<positions.upperBound
        return (reasoning.isEmpty ? nil : reasoning, visible.isEmpty ? nil : visible)
    }

    /// The text of a choice's reasoning tokens.
    func reasoningText(choice: Int) -> String { text.tokens(0..<reasoningTokensEach, choice: choice) }

    /// The text of a choice's visible tokens.
    func visibleText(choice: Int) -> String {
        text.tokens(reasoningTokensEach..<completionTokensEach, choice: choice)
    }

    /// The arguments with which a tool is called, as JSON: the visible text as its only member.
    func toolArguments(choice: Int) -> String {
        "{\"text\":\(JSONText.quoted(visibleText(choice: choice)))}"
    }

    /// The part of those arguments that some positions are.
    func toolArguments(choice: Int, positions: Range<Int>) -> String {
        let start = positions.lowerBound <= reasoningTokensEach ? "{\"text\":\"" : ""
        let end = positions.upperBound == completionTokensEach ? "\"}" : ""
        return start + JSONText.escaped(text.tokens(positions, choice: choice)) + end
    }
}

/// An inference inside an answer that its top-level counts leave out.
struct InnerInference: Sendable, Equatable {
    /// As Anthropic names the kinds, or `component` for Groq's.
    let kind: String
    let model: String
    let promptTokens: Int
    let completionTokens: Int

    /// Those that the settings put beside an answer of a model to a prompt of so many tokens.
    static func beside(_ kind: Behavior.InnerInferences, model: String, promptTokens: Int) -> [InnerInference] {
        func one(_ kind: String, _ model: String, _ more: Int, _ tokens: Int) -> InnerInference {
            InnerInference(kind: kind, model: model, promptTokens: promptTokens + more, completionTokens: tokens)
        }
        switch kind {
        case .none: return []
        case .advisor: return [one("advisor_message", model + "-advisor", 31, 17)]
        case .compaction: return [one("compaction", model, 503, 41)]
        case .fallback: return [one("message", model, 0, 0)]
        case .components:
            return [one("component", model + "-planner", 3, 11), one("component", model + "-coder", 9, 23)]
        }
    }

    var json: String {
        JSONText.object([
            "kind": JSONText.quoted(kind), "model": JSONText.quoted(model), "prompt_tokens": String(promptTokens),
            "completion_tokens": String(completionTokens),
        ])
    }
}

/// What a generation comes to in units other than tokens.
struct UnitCounts: Sendable, Equatable {
    /// This engine hears ten tokens in a second.
    static let millisecondsPerToken = 100
    /// And says one in as many milliseconds.
    static let millisecondsPerSpokenToken = 20
    /// Documents that are one search, as rerankers count.
    static let documentsPerSearch = 100

    var images = 0
    var audioMilliseconds = 0
    var characters = 0
    var searches = 0

    init(request: EngineRequest, audioMilliseconds: Int, choices: Int, completionTokens: Int) {
        switch request.operation {
        case .images: images = choices
        case .transcriptions: self.audioMilliseconds = audioMilliseconds
        case .speech:
            characters = request.characters
            self.audioMilliseconds = completionTokens * Self.millisecondsPerSpokenToken
        case .rerank: searches = (request.documents.count + Self.documentsPerSearch - 1) / Self.documentsPerSearch
        default: break
        }
    }
}

// MARK: - Plain answers

/// What a plain answer comes to, when, and after how many tokens.
struct PlainCourse: Sendable, Equatable {
    enum Ending: Sendable, Equatable {
        /// The whole answer.
        case answer
        /// An error in its place.
        case error
        /// Half of it, then the connection is closed.
        case cut
        /// Nothing, until the client leaves.
        case stall
    }

    /// Microseconds from the request.
    let at: Int
    let ending: Ending
    /// Tokens generated by then.
    let tokens: Int
}

extension GenerationPlan {
    /// The course of the plain answer: the fault with the fewest tokens decides, otherwise the answer is whole.
    var plainCourse: PlainCourse {
        var delay = 0
        var faults: [(after: Int, ending: PlainCourse.Ending)] = []
        if let tokens = behavior.failAfterTokens { faults.append((tokens, .error)) }
        if let tokens = behavior.cutAfterTokens { faults.append((tokens, .cut)) }
        if let tokens = behavior.stallAfterTokens, tokens <= completionTokens {
            if behavior.stallMilliseconds == 0 { faults.append((tokens, .stall)) }
            delay = behavior.stallMilliseconds * 1000
        }
        if let fault = faults.filter({ $0.after <= completionTokens }).min(by: { $0.after < $1.after }) {
            let position = max(0, fault.after / choices - 1)
            return PlainCourse(at: tokenAt(position) + delay, ending: fault.ending, tokens: fault.after)
        }
        return PlainCourse(
            at: tokenAt(max(0, completionTokensEach - 1)) + delay,
            ending: behavior.ending == .complete ? .answer : .cut,
            tokens: completionTokens
        )
    }
}
