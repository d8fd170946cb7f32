/// Writes the answers of one generation: the plain body, or the events of a stream.
struct AnswerTemplate: Sendable {
    let plan: GenerationPlan
    let id: String
    /// Unix seconds.
    let created: Int
    let model: String
    /// The tier as the answer names it; nil says nothing.
    let servedTier: String?

    /// What every event of the stream starts with, up to and with the bracket of `choices`.
    private let streamHead: String
    private let padding: String

    private static let fingerprint = "simulator-1"

    private var behavior: Behavior { plan.behavior }

    init(plan: GenerationPlan, id: String, created: Int, model: String, servedTier: String?) {
        self.plan = plan
        self.id = id
        self.created = created
        self.model = model
        self.servedTier = servedTier
        let object = plan.operation == .chat ? "chat.completion.chunk" : "text_completion"
        let tier = servedTier.map { ",\"service_tier\":\(JSONText.quoted($0))" } ?? ""
        streamHead =
            "data: {\"id\":\"\(id)\",\"object\":\"\(object)\",\"created\":\(created),"
            + "\"model\":\(JSONText.quoted(model))\(tier),\"system_fingerprint\":\"\(Self.fingerprint)\",\"choices\":["
        let bytes = plan.behavior.paddingBytes
        padding = bytes > 0 ? ",\"obfuscation\":\"" + String(repeating: "x", count: bytes) + "\"" : ""
    }

    // MARK: Plain

    /// The whole body of a plain answer.
    func plainBody() -> String {
        let object = plan.operation == .chat ? "chat.completion" : "text_completion"
        let choices = (0..<plan.choices).map(plainChoice).joined(separator: ",")
        var body = "{\"id\":\"\(id)\",\"object\":\"\(object)\",\"created\":\(created),"
        body += "\"model\":\(JSONText.quoted(model)),\"choices\":[\(choices)],"
        body += "\"service_tier\":\(JSONText.quoted(servedTier)),\"system_fingerprint\":\"\(Self.fingerprint)\""
        if behavior.usage != .missing {
            let usage = UsageReport(plan: plan, completionTokens: plan.completionTokens)
            body += ",\"usage\":\(usage.json(in: .plainAnswer))"
        }
        return body + padding + "}"
    }

    private func plainChoice(_ choice: Int) -> String {
        let reasoning = plan.text.tokens(0..<plan.reasoningTokensEach, choice: choice)
        let visible = plan.text.tokens(plan.reasoningTokensEach..<plan.completionTokensEach, choice: choice)
        let start = "{\"index\":\(choice),"
        let end = "\"logprobs\":null,\"finish_reason\":\"\(plan.finishReason)\",\"stop_reason\":null}"
        guard plan.operation == .chat else {
            return start + "\"text\":\(JSONText.quoted(reasoning + visible))," + end
        }
        let message = JSONText.object([
            "role": "\"assistant\"", "content": JSONText.quoted(visible), "refusal": "null", "tool_calls": "[]",
            "reasoning": reasoning.isEmpty ? "null" : JSONText.quoted(reasoning),
        ])
        return start + "\"message\":\(message)," + end
    }

    // MARK: Streamed

    /// The event that names a choice's role.
    func roleEvent(choice: Int) -> String {
        event(choices: streamedChoice(choice, "\"delta\":{\"role\":\"assistant\",\"content\":\"\"}"), tokensSoFar: 0)
    }

    /// The event with some tokens of a choice.
    ///
    /// - Parameter tokensSoFar: tokens of all choices with these, for running usage.
    func tokensEvent(choice: Int, positions: Range<Int>, finishes: Bool, tokensSoFar: Int) -> String {
        let text = JSONText.quoted(plan.text.tokens(positions, choice: choice))
        let content: String
        if plan.operation == .completions {
            content = "\"text\":\(text)"
        } else if positions.lowerBound < plan.reasoningTokensEach {
            content = reasoningDelta(choice: choice, positions: positions)
        } else {
            content = "\"delta\":{\"content\":\(text)}"
        }
        return event(choices: streamedChoice(choice, content, finishes: finishes), tokensSoFar: tokensSoFar)
    }

    /// A chunk may hold the last reasoning tokens and the first visible ones.
    private func reasoningDelta(choice: Int, positions: Range<Int>) -> String {
        let turn = min(positions.upperBound, plan.reasoningTokensEach)
        let reasoning = JSONText.quoted(plan.text.tokens(positions.lowerBound..<turn, choice: choice))
        guard turn < positions.upperBound else { return "\"delta\":{\"reasoning\":\(reasoning)}" }
        let visible = JSONText.quoted(plan.text.tokens(turn..<positions.upperBound, choice: choice))
        return "\"delta\":{\"reasoning\":\(reasoning),\"content\":\(visible)}"
    }

    /// The event with a choice's finish reason and no text.
    func finishEvent(choice: Int) -> String {
        let content = plan.operation == .completions ? "\"text\":\"\"" : "\"delta\":{}"
        return event(
            choices: streamedChoice(choice, content, finishes: true),
            tokensSoFar: plan.completionTokens
        )
    }

    /// The event with the usage of the whole answer.
    func usageEvent() -> String {
        let usage = UsageReport(plan: plan, completionTokens: plan.completionTokens).json(in: .lastChunk)
        return streamHead + "],\"usage\":\(usage)" + padding + "}\n\n"
    }

    /// The event with an error object in place of more tokens.
    func errorEvent() -> String {
        let message = behavior.errorMessage ?? "the engine failed during generation"
        return "data: \(EngineError(status: 500, type: "InternalServerError", message: message).json)\n\n"
    }

    private func streamedChoice(_ choice: Int, _ content: String, finishes: Bool = false) -> String {
        let reason = finishes ? "\"\(plan.finishReason)\"" : "null"
        return "{\"index\":\(choice),\(content),\"logprobs\":null,\"finish_reason\":\(reason)}"
    }

    private func event(choices: String, tokensSoFar: Int) -> String {
        let comment = behavior.comments ? ": keep-alive\n\n" : ""
        return comment + streamHead + choices + "]" + runningUsage(tokensSoFar) + padding + "}\n\n"
    }

    private func runningUsage(_ tokensSoFar: Int) -> String {
        guard behavior.usage != .missing else { return "" }
        if plan.continuousUsage {
            let usage = UsageReport(plan: plan, completionTokens: tokensSoFar)
            return ",\"usage\":\(usage.json(in: .runningChunk))"
        }
        return plan.includeUsage && behavior.shape == .openai ? ",\"usage\":null" : ""
    }
}
