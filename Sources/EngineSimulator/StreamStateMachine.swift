/// Which steps a stream has beside its tokens; dialects differ.
struct StreamCourse: Sendable, Equatable {
    /// Something comes before a choice's first token.
    var opens = true
    /// The finish reason comes apart from the last token.
    var finishesApart = true
    /// A step of its own for usage.
    var hasUsage = true

    init(operation: Operation, flavour: Behavior.Flavour, asksForUsage: Bool) {
        switch operation {
        case .chat, .completions:
            opens = operation == .chat
            finishesApart = flavour.finishesApart
            hasUsage = asksForUsage && !flavour.usageRidesOnFinish || flavour == .openrouter
        case .tgiGenerate, .invocations: finishesApart = false
        default: break
        }
    }
}

extension Behavior.Flavour {
    /// The finish reason has a chunk of its own.
    var finishesApart: Bool {
        switch self {
        case .vllm, .nim, .ray, .trtllm, .triton: false
        default: true
        }
    }

    /// Usage is on the chunk with the finish reason, asked for or not.
    var usageRidesOnFinish: Bool {
        switch self {
        case .groq, .together, .deepseek, .cerebras, .xai: true
        default: false
        }
    }
}

/// The course of one streamed answer: what is sent next, and when. Holds no clock and no connection.
struct StreamStateMachine: Sendable {
    /// What the shell is to do.
    enum Action: Equatable, Sendable {
        /// Send the head of the answer.
        case head
        /// Send what comes before a choice's first token.
        case role(choice: Int)
        /// Send these tokens of a choice; `finishes` says that its finish reason rides along.
        case tokens(choice: Int, positions: Range<Int>, finishes: Bool)
        /// Send a chunk with a choice's finish reason and no text.
        case finish(choice: Int)
        /// Send what holds the usage.
        case usage
        /// Send what says that the answer is over, such as `[DONE]`.
        case done
        /// End the answer properly.
        case end
        /// Send an error object, then end the answer properly.
        case error
        /// Close the connection without an end.
        case cut
        /// Send nothing more and wait for the client to leave.
        case stall
    }

    /// An action and when it is due, in microseconds from the request.
    struct Step: Equatable, Sendable {
        let at: Int
        let action: Action
    }

    private enum State {
        case head
        case roles(next: Int)
        case tokens(start: Int, choice: Int)
        case finishes(next: Int)
        case usage
        case done
        case end
        case over
    }

    private let plan: GenerationPlan
    private var state = State.head
    /// Microseconds that a stall added to all that follows.
    private var delay = 0
    private var stallAfterTokens: Int?
    /// When the last step handed out is due.
    private var reachedAt = 0
    /// Tokens of all choices that `next` has handed out.
    private(set) var tokensHandedOut = 0

    init(plan: GenerationPlan) {
        self.plan = plan
        stallAfterTokens = plan.behavior.stallAfterTokens
    }

    /// The next step, or nil when the answer is over. Steps never go back in time.
    mutating func next() -> Step? {
        guard let step = nextUnordered() else { return nil }
        reachedAt = max(reachedAt, step.at)
        return Step(at: reachedAt, action: step.action)
    }

    private mutating func nextUnordered() -> Step? {
        switch state {
        case .head:
            state = plan.course.opens ? .roles(next: 0) : .tokens(start: 0, choice: 0)
            return Step(at: plan.behavior.firstByteMilliseconds * 1000, action: .head)
        case .roles(let choice):
            state = choice + 1 < plan.choices ? .roles(next: choice + 1) : .tokens(start: 0, choice: 0)
            return Step(at: plan.firstTokenAt, action: .role(choice: choice))
        case .tokens(let start, let choice):
            return nextTokens(start: start, choice: choice)
        case .finishes(let choice):
            state = choice + 1 < plan.choices ? .finishes(next: choice + 1) : .usage
            return Step(at: lastAt, action: .finish(choice: choice))
        case .usage:
            if plan.behavior.ending == .cutBeforeUsage { return ending(.cut) }
            state = .done
            guard plan.course.hasUsage else { return nextUnordered() }
            return Step(at: lastAt, action: .usage)
        case .done:
            if plan.behavior.ending == .cutBeforeDone { return ending(.cut) }
            state = .end
            return Step(at: lastAt, action: .done)
        case .end:
            return ending(plan.behavior.ending == .cutBeforeEnd ? .cut : .end)
        case .over:
            return nil
        }
    }

    private var lastAt: Int { plan.tokenAt(max(0, plan.completionTokensEach - 1)) + delay }

    private var finishesApart: Bool { plan.course.finishesApart || plan.completionTokensEach == 0 }

    private mutating func ending(_ action: Action) -> Step {
        state = .over
        return Step(at: lastAt, action: action)
    }

    private mutating func nextTokens(start: Int, choice: Int) -> Step? {
        if let fault = fault(at: start) { return fault }
        guard start < plan.completionTokensEach else {
            state = finishesApart ? .finishes(next: 0) : .usage
            return nextUnordered()
        }
        let wholeEnd = min(chunkStart(of: start) + plan.behavior.tokensPerChunk, plan.completionTokensEach)
        // A fault falls between two tokens, also inside a chunk of several.
        let end = start + min(wholeEnd - start, tokensUntilFault)
        tokensHandedOut += end - start
        let step = Step(
            at: plan.tokenAt(end - 1) + delay,
            action: .tokens(
                choice: choice,
                positions: start..<end,
                finishes: !finishesApart && end == plan.completionTokensEach
            )
        )
        if end < wholeEnd {
            state = .tokens(start: end, choice: choice)
        } else if choice + 1 < plan.choices {
            state = .tokens(start: chunkStart(of: start), choice: choice + 1)
        } else {
            state = .tokens(start: wholeEnd, choice: 0)
        }
        return step
    }

    /// Where the chunk that holds a position starts, so that every choice gets the same chunks.
    private func chunkStart(of position: Int) -> Int {
        position / plan.behavior.tokensPerChunk * plan.behavior.tokensPerChunk
    }

    /// The fault that is due now, if any.
    private mutating func fault(at start: Int) -> Step? {
        let at = (start == 0 ? plan.firstTokenAt : plan.tokenAt(start - 1)) + delay
        if plan.behavior.failAfterTokens == tokensHandedOut {
            state = .over
            return Step(at: at, action: .error)
        }
        if plan.behavior.cutAfterTokens == tokensHandedOut {
            state = .over
            return Step(at: at, action: .cut)
        }
        if stallAfterTokens == tokensHandedOut {
            stallAfterTokens = nil
            guard plan.behavior.stallMilliseconds > 0 else {
                state = .over
                return Step(at: at, action: .stall)
            }
            delay += plan.behavior.stallMilliseconds * 1000
        }
        return nil
    }

    private var tokensUntilFault: Int {
        let limits = [plan.behavior.failAfterTokens, plan.behavior.cutAfterTokens, stallAfterTokens]
        return limits.compactMap { $0.map { $0 - tokensHandedOut } }.filter { $0 > 0 }.min() ?? .max
    }
}
