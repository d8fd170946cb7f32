/// What a request may come to, before anyone has counted it: at most, and as far as one can tell.
public struct LimitDemand: Hashable, Sendable {
    /// No prompt of this request has more tokens: the bytes of its body, until someone counts it.
    public let inputBound: Int64
    /// Tokens that the prompt surely has; 0 while nobody has counted it.
    public let inputCertain: Int64
    /// No answer has more tokens: what the client allows, or the model's own limit, times the choices.
    public let outputBound: Int64
    /// What the client itself allows, times the choices; 0 when it left that to the model.
    public let outputAsked: Int64
    /// What some engine might take the request to ask for, though not all do, times the choices.
    public let outputNamed: Int64
    /// What rates reserve for the answer: `outputBound`, unless the key's earlier answers say that less will do.
    public private(set) var outputReserve: Int64
    /// Whose answers this one is like; nil where nobody remembers them.
    public let answers: AnswerKey?
    /// How many answers it asks for at once.
    public let choices: Int64

    /// Amounts below zero count as zero, those above `LimitRule.valueMax` as that.
    public init(
        inputBound: Int64, inputCertain: Int64 = 0, outputBound: Int64, outputAsked: Int64 = 0, outputNamed: Int64 = 0,
        answers: AnswerKey? = nil, choices: Int64 = 1
    ) {
        self.inputBound = LimitDemand.bounded(inputBound)
        self.inputCertain = LimitDemand.bounded(inputCertain)
        self.outputBound = LimitDemand.bounded(outputBound)
        self.outputAsked = LimitDemand.bounded(outputAsked)
        self.outputNamed = LimitDemand.bounded(outputNamed)
        outputReserve = self.outputBound
        self.answers = answers
        self.choices = max(choices, 1)
    }

    /// The demand with what is likely in place of the model's own limit, where the client named no limit itself.
    func reserving(by history: AnswerHistory) -> LimitDemand {
        guard outputAsked == 0, outputBound > 0, let answers else { return self }
        var demand = self
        let each = history.reserve(for: answers, most: outputBound / choices)
        let likely = each.multipliedReportingOverflow(by: choices).partialValue
        demand.outputReserve = min(max(likely, outputNamed), outputBound)
        return demand
    }

    /// What a rule of this kind reserves.
    func reserve(_ kind: LimitKind) -> Int64 {
        switch kind {
        case .requestsPerMinute, .concurrentRequests: 1
        case .inputTokensPerMinute: inputBound
        case .outputTokensPerMinute: outputReserve
        case .tokensPerMinute: inputBound + outputReserve
        }
    }

    /// What the request needs by the client's own word; more than a whole limit of it can never be served.
    func certain(_ kind: LimitKind) -> Int64 {
        switch kind {
        case .requestsPerMinute, .concurrentRequests: 1
        case .inputTokensPerMinute: inputCertain
        case .outputTokensPerMinute: outputAsked
        case .tokensPerMinute: inputCertain + outputAsked
        }
    }

    static func bounded(_ amount: Int64) -> Int64 { min(max(amount, 0), LimitRule.valueMax) }
}

/// What a request came to.
public struct LimitUsage: Hashable, Sendable {
    /// All tokens of the prompt, cached ones too.
    public let inputTokens: Int64
    /// All tokens of the answer, reasoning too.
    public let outputTokens: Int64

    /// Amounts below zero count as zero, those above `LimitRule.valueMax` as that.
    public init(inputTokens: Int64, outputTokens: Int64) {
        self.inputTokens = LimitDemand.bounded(inputTokens)
        self.outputTokens = LimitDemand.bounded(outputTokens)
    }

    /// What it has beyond `less`.
    public func beyond(_ less: LimitUsage) -> LimitUsage {
        LimitUsage(inputTokens: inputTokens - less.inputTokens, outputTokens: outputTokens - less.outputTokens)
    }

    /// What stays taken from a rule of this kind after the request's end.
    func amount(_ kind: LimitKind) -> Int64 {
        switch kind {
        case .requestsPerMinute: 1
        case .inputTokensPerMinute: inputTokens
        case .outputTokensPerMinute: outputTokens
        case .tokensPerMinute: inputTokens + outputTokens
        case .concurrentRequests: 0
        }
    }
}
