/// Anthropic's `POST /v1/messages`.
struct MessagesDialect: Dialect {
    var operation: Operation { .messages }
    var credentials: CredentialScheme { .anthropic }
    var envelope: ErrorEnvelope { .anthropic }

    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        try EngineRequest(anthropic: exchange, operation: .messages, contextTokensMax: contextTokensMax)
    }

    func template(_ sheet: AnswerSheet) -> any AnswerTemplate { MessagesTemplate(sheet: sheet) }
}

/// Anthropic's `POST /v1/messages/count_tokens`.
struct CountTokensDialect: Dialect {
    var operation: Operation { .countTokens }
    var credentials: CredentialScheme { .anthropic }
    var envelope: ErrorEnvelope { .anthropic }

    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        try EngineRequest(anthropic: exchange, operation: .countTokens, contextTokensMax: contextTokensMax)
    }

    func template(_ sheet: AnswerSheet) -> any AnswerTemplate { CountTokensTemplate(sheet: sheet) }
}

struct CountTokensTemplate: AnswerTemplate {
    let sheet: AnswerSheet
    var usageSaid: String? { nil }

    mutating func plain() -> PreparedAnswer {
        PreparedAnswer(body: "{\"input_tokens\":\(plan.promptTokens)}")
    }
}

extension EngineRequest {
    /// Reads the body of a message or of a count.
    fileprivate init(anthropic exchange: Exchange, operation: Operation, contextTokensMax: Int) throws(EngineError) {
        guard exchange.header("anthropic-version") != nil else {
            throw .badRequest("anthropic-version: header is required")
        }
        let body = try exchange.object()
        guard let model = body["model"]?.string else { throw .badRequest("model: Field required", "model") }
        self.init(operation: operation, model: model)
        serviceTier = body["service_tier"]?.string
        streamed = body["stream"]?.bool ?? false
        maxTokens = try Self.maxTokens(body, "max_tokens", contextTokensMax)
        guard maxTokens != nil || operation == .countTokens else {
            throw .badRequest("max_tokens: Field required", "max_tokens")
        }
        guard let messages = body["messages"]?.array, !messages.isEmpty else {
            throw .badRequest("messages: at least one message is required", "messages")
        }
        let system = body["system"].map { [Self.contentText($0)] } ?? []
        takePrompts([system + messages.map { Self.contentText($0["content"]) }])
        tool = body["tools"]?.array?.first?["name"]?.string
        mustCallTool = ["any", "tool"].contains(body["tool_choice"]?["type"]?.string)
    }
}

/// Words a message: thinking is a block of its own, before the text or the use of a tool.
struct MessagesTemplate: AnswerTemplate {
    let sheet: AnswerSheet
    private(set) var usageSaid: String?

    init(sheet: AnswerSheet) {
        self.sheet = sheet
    }

    private var hasThinking: Bool { plan.reasoningTokensEach > 0 }
    private var blockIndex: Int { hasThinking ? 1 : 0 }

    private var stopReason: String {
        switch plan.finishReason {
        case "length": "max_tokens"
        case "tool_calls": "tool_use"
        case "stop": "end_turn"
        default: plan.finishReason
        }
    }

    private var tier: String {
        switch sheet.servedTier {
        case nil, "default", "standard_only": "standard"
        case .some(let tier): tier
        }
    }

    // MARK: Usage

    /// - Parameter isDelta: the cumulative usage of `message_delta` leaves out what cannot change.
    private func usage(_ tokens: Int, isDelta: Bool = false) -> String {
        if behavior.usage == .null { return "null" }
        let counts = ReportedCounts(plan, completionTokens: tokens)
        // `input_tokens` counts neither what was read from the cache nor what was written to it.
        let split = behavior.usage == .cachedOverPrompt ? 11 : 0
        var json = "{\"input_tokens\":\(counts.text(max(0, counts.uncached))),"
        json += "\"cache_creation_input_tokens\":\(counts.text(counts.cacheWrites)),"
        json += "\"cache_read_input_tokens\":\(counts.text(counts.cached)),"
        json += "\"output_tokens\":\(counts.text(counts.completion))"
        if isDelta { return json + iterations(tokens) + "}" }
        json += ",\"cache_creation\":{\"ephemeral_5m_input_tokens\":\(counts.text(counts.cacheWrite + split)),"
        json += "\"ephemeral_1h_input_tokens\":\(counts.text(counts.cacheWriteHour))}"
        if hasThinking { json += ",\"output_tokens_details\":{\"thinking_tokens\":\(counts.text(counts.reasoning))}" }
        json += ",\"service_tier\":\(JSONText.quoted(tier)),\"inference_geo\":\"not_available\""
        return json + iterations(tokens) + "}"
    }

    /// The inferences of this answer one by one; only those of the type `message` are in the counts beside, and of a
    /// fallback only the one that answered.
    private func iterations(_ tokens: Int) -> String {
        guard let inner = plan.inner.first, inner.kind != "component" else { return "" }
        func iteration(_ type: String, _ model: String, _ input: Int, _ output: Int) -> String {
            JSONText.object([
                "type": "\"\(type)\"", "model": JSONText.quoted(model), "input_tokens": String(input),
                "output_tokens": String(output), "cache_read_input_tokens": "0", "cache_creation_input_tokens": "0",
            ])
        }
        let isFallback = behavior.innerInferences == .fallback
        let counts = ReportedCounts(plan, completionTokens: tokens)
        let own = JSONText.object([
            "type": isFallback ? "\"fallback_message\"" : "\"message\"", "model": JSONText.quoted(sheet.model),
            "input_tokens": String(counts.uncached), "output_tokens": String(counts.completion),
            "cache_read_input_tokens": String(counts.cached),
            "cache_creation_input_tokens": String(counts.cacheWrites),
        ])
        let other = iteration(inner.kind, inner.model, inner.promptTokens, inner.completionTokens)
        return ",\"iterations\":[\(other),\(own)]"
    }

    // MARK: Plain

    mutating func plain() -> PreparedAnswer {
        var blocks: [String] = []
        if hasThinking {
            let thinking = JSONText.quoted(plan.reasoningText(choice: 0))
            blocks.append("{\"type\":\"thinking\",\"thinking\":\(thinking),\"signature\":\"c2ltdWxhdGVk\"}")
        }
        if let tool = plan.tool {
            blocks.append(toolBlock(tool, input: plan.toolArguments(choice: 0)))
        } else {
            blocks.append("{\"type\":\"text\",\"text\":\(JSONText.quoted(plan.visibleText(choice: 0)))}")
        }
        var usage: String?
        if behavior.usage != .missing { usage = self.usage(plan.completionTokens) }
        usageSaid = usage
        return PreparedAnswer(body: message(blocks: blocks, stopReason: stopReason, usage: usage))
    }

    private func toolBlock(_ tool: String, input: String) -> String {
        "{\"type\":\"tool_use\",\"id\":\"toolu_\(sheet.id)\",\"name\":\(JSONText.quoted(tool)),\"input\":\(input)}"
    }

    private func message(blocks: [String], stopReason: String?, usage: String?) -> String {
        let end = usage.map { ",\"usage\":\($0)}" } ?? "}"
        return "{\"id\":\"msg_\(sheet.id)\",\"type\":\"message\",\"role\":\"assistant\",\"model\":"
            + "\(JSONText.quoted(sheet.model)),\"content\":[\(blocks.joined(separator: ","))],"
            + "\"stop_reason\":\(JSONText.quoted(stopReason)),\"stop_sequence\":null" + end
    }

    // MARK: Streamed

    mutating func opening(choice: Int) -> [StreamPiece] {
        var usage: String?
        if behavior.usage != .missing { usage = self.usage(min(1, plan.completionTokens)) }
        usageSaid = usage
        let message = message(blocks: [], stopReason: nil, usage: usage)
        let start = StreamPiece.event("message_start", "{\"type\":\"message_start\",\"message\":\(message)}")
        return [start] + (behavior.startsTwice ? [start] : []) + [hasThinking ? thinkingStart : blockStart, Self.ping]
    }

    private static let ping = StreamPiece.event("ping", "{\"type\":\"ping\"}")

    private var thinkingStart: StreamPiece {
        blockEvent("content_block_start", 0, "\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\"}")
    }

    private var blockStart: StreamPiece {
        let block = plan.tool.map { toolBlock($0, input: "{}") } ?? "{\"type\":\"text\",\"text\":\"\"}"
        return blockEvent("content_block_start", blockIndex, "\"content_block\":\(block)")
    }

    private func blockEvent(_ type: String, _ index: Int, _ members: String?) -> StreamPiece {
        let rest = members.map { "," + $0 } ?? ""
        return .event(type, "{\"type\":\"\(type)\",\"index\":\(index)\(rest)}")
    }

    mutating func tokens(_ step: TokenStep) -> [StreamPiece] {
        let (reasoning, visible) = plan.parted(step.positions)
        var pieces: [StreamPiece] = []
        if let reasoning {
            let text = JSONText.quoted(plan.text.tokens(reasoning, choice: 0))
            pieces.append(delta(0, "{\"type\":\"thinking_delta\",\"thinking\":\(text)}"))
            if reasoning.upperBound == plan.reasoningTokensEach {
                pieces.append(delta(0, "{\"type\":\"signature_delta\",\"signature\":\"c2ltdWxhdGVk\"}"))
                pieces += [blockEvent("content_block_stop", 0, nil), blockStart]
            }
        }
        guard let visible else { return pieces }
        if plan.tool != nil {
            let json = JSONText.quoted(plan.toolArguments(choice: 0, positions: visible))
            pieces.append(delta(blockIndex, "{\"type\":\"input_json_delta\",\"partial_json\":\(json)}"))
        } else {
            let text = JSONText.quoted(plan.text.tokens(visible, choice: 0))
            pieces.append(delta(blockIndex, "{\"type\":\"text_delta\",\"text\":\(text)}"))
        }
        return pieces
    }

    private func delta(_ index: Int, _ delta: String) -> StreamPiece {
        blockEvent("content_block_delta", index, "\"delta\":\(delta)")
    }

    mutating func finish(choice: Int) -> [StreamPiece] { [blockEvent("content_block_stop", blockIndex, nil)] }

    mutating func usage() -> [StreamPiece] {
        var rest = ""
        if behavior.usage != .missing {
            let usage = usage(plan.completionTokens, isDelta: true)
            usageSaid = usage
            rest = ",\"usage\":\(usage)"
        }
        let delta = "{\"stop_reason\":\"\(stopReason)\",\"stop_sequence\":null}"
        return [.event("message_delta", "{\"type\":\"message_delta\",\"delta\":\(delta)\(rest)}")]
    }

    mutating func terminator() -> [StreamPiece] { [.event("message_stop", "{\"type\":\"message_stop\"}")] }

    mutating func failure(_ error: EngineError) -> [StreamPiece] {
        [.event("error", ErrorEnvelope.anthropic.json(error, behavior.flavour))]
    }
}
