/// Bedrock's `POST /model/{id}/converse` and `/converse-stream`.
struct ConverseDialect: Dialect {
    var streams: Bool

    var operation: Operation { .converse }
    var credentials: CredentialScheme { .aws(service: "bedrock") }
    var envelope: ErrorEnvelope { .aws }

    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        let body = try exchange.object()
        guard let messages = body["messages"]?.array, !messages.isEmpty else {
            throw .badRequest("The messages field must hold at least one message.", "messages")
        }
        var request = EngineRequest(operation: .converse, model: exchange.parameters.first ?? "")
        let limits = body["inferenceConfig"] ?? .object([:])
        request.maxTokens = try EngineRequest.maxTokens(limits, "maxTokens", contextTokensMax)
        request.serviceTier = body["serviceTier"]?["type"]?.string
        request.streamed = streams
        let tools = body["toolConfig"]
        request.tool = tools?["tools"]?.array?.first?["toolSpec"]?["name"]?.string
        request.mustCallTool = tools?["toolChoice"]?["any"] != nil || tools?["toolChoice"]?["tool"] != nil
        let system = body["system"]?.array?.map { $0["text"]?.string ?? "[part]" } ?? []
        request.takePrompts([system + messages.map { EngineRequest.contentText($0["content"]) }])
        return request
    }

    func template(_ sheet: AnswerSheet) -> any AnswerTemplate { ConverseTemplate(sheet: sheet) }
}

/// Words Bedrock's own form of a chat.
struct ConverseTemplate: AnswerTemplate {
    let sheet: AnswerSheet
    private(set) var usageSaid: String?

    init(sheet: AnswerSheet) {
        self.sheet = sheet
    }

    private var stopReason: String {
        switch plan.finishReason {
        case "length": "max_tokens"
        case "tool_calls": "tool_use"
        case "stop": "end_turn"
        default: plan.finishReason
        }
    }

    private var hasReasoning: Bool { plan.reasoningTokensEach > 0 }
    private var blockIndex: Int { hasReasoning ? 1 : 0 }

    /// Usage, the engine's own time and the tier, each with a comma before it.
    private mutating func measures() -> String {
        var json = ",\"metrics\":{\"latencyMs\":\(EngineTimes(plan).totalMilliseconds)}"
        if behavior.usage != .missing {
            let usage = usageJSON
            usageSaid = usage
            json += ",\"usage\":\(usage)"
        }
        if let tier = sheet.servedTier { json += ",\"serviceTier\":{\"type\":\(JSONText.quoted(tier))}" }
        return json
    }

    /// Input tokens leave out what the cache read and was written; some members say the same under two names.
    private var usageJSON: String {
        if behavior.usage == .null { return "null" }
        let counts = ReportedCounts(plan, completionTokens: plan.completionTokens)
        let input = max(0, counts.uncached)
        var json = "{\"inputTokens\":\(counts.text(input)),\"outputTokens\":\(counts.text(counts.completion)),"
        json += "\"totalTokens\":\(counts.text(input + counts.completion + counts.excess)),"
        for name in ["cacheReadInputTokens", "cacheReadInputTokenCount"] {
            json += "\"\(name)\":\(counts.text(counts.cached)),"
        }
        for name in ["cacheWriteInputTokens", "cacheWriteInputTokenCount"] {
            json += "\"\(name)\":\(counts.text(counts.cacheWrites)),"
        }
        if counts.cacheWriteHour > 0 {
            json += "\"cacheDetails\":[{\"ttl\":\"5m\",\"inputTokens\":\(counts.text(counts.cacheWrite))},"
            json += "{\"ttl\":\"1h\",\"inputTokens\":\(counts.text(counts.cacheWriteHour))}],"
        }
        return json + "\"serverToolUsage\":{}}"
    }

    mutating func plain() -> PreparedAnswer {
        var blocks: [String] = []
        if hasReasoning {
            let text = JSONText.quoted(plan.reasoningText(choice: 0))
            blocks.append(
                "{\"reasoningContent\":{\"reasoningText\":{\"text\":\(text),\"signature\":\"c2ltdWxhdGVk\"}}}")
        }
        if let tool = plan.tool {
            blocks.append("{\"toolUse\":{\(toolNames(tool)),\"input\":\(plan.toolArguments(choice: 0))}}")
        } else {
            blocks.append("{\"text\":\(JSONText.quoted(plan.visibleText(choice: 0)))}")
        }
        let message = "{\"message\":{\"role\":\"assistant\",\"content\":[\(blocks.joined(separator: ","))]}}"
        let body = "{\"output\":\(message),\"stopReason\":\"\(stopReason)\"\(measures())}"
        return PreparedAnswer(headers: ["x-amzn-requestid": sheet.id], body: body)
    }

    private func toolNames(_ tool: String) -> String {
        "\"toolUseId\":\"tooluse_\(sheet.id)\",\"name\":\(JSONText.quoted(tool))"
    }

    // MARK: Streamed

    var stream: StreamHead {
        StreamHead(
            framing: .awsEventStream, contentType: "application/vnd.amazon.eventstream",
            headers: [("x-amzn-requestid", sheet.id)])
    }

    /// Text blocks begin without saying so.
    mutating func opening(choice: Int) -> [StreamPiece] {
        [.event("messageStart", "{\"role\":\"assistant\"}")] + (hasReasoning ? [] : blockStart)
    }

    private var blockStart: [StreamPiece] {
        guard let tool = plan.tool else { return [] }
        let start = "{\"toolUse\":{\(toolNames(tool))}}"
        return [.event("contentBlockStart", "{\"contentBlockIndex\":\(blockIndex),\"start\":\(start)}")]
    }

    mutating func tokens(_ step: TokenStep) -> [StreamPiece] {
        let (reasoning, visible) = plan.parted(step.positions)
        var pieces: [StreamPiece] = []
        if let reasoning {
            let text = JSONText.quoted(plan.text.tokens(reasoning, choice: 0))
            pieces.append(delta(0, "{\"reasoningContent\":{\"text\":\(text)}}"))
            if reasoning.upperBound == plan.reasoningTokensEach { pieces += [blockStop(0)] + blockStart }
        }
        guard let visible else { return pieces }
        if plan.tool != nil {
            let input = JSONText.quoted(plan.toolArguments(choice: 0, positions: visible))
            pieces.append(delta(blockIndex, "{\"toolUse\":{\"input\":\(input)}}"))
        } else {
            pieces.append(delta(blockIndex, "{\"text\":\(JSONText.quoted(plan.text.tokens(visible, choice: 0)))}"))
        }
        return pieces
    }

    private func delta(_ index: Int, _ delta: String) -> StreamPiece {
        .event("contentBlockDelta", "{\"contentBlockIndex\":\(index),\"delta\":\(delta),\"p\":\"abcdefgh\"}")
    }

    private func blockStop(_ index: Int) -> StreamPiece {
        .event("contentBlockStop", "{\"contentBlockIndex\":\(index)}")
    }

    mutating func finish(choice: Int) -> [StreamPiece] {
        [blockStop(blockIndex), .event("messageStop", "{\"stopReason\":\"\(stopReason)\"}")]
    }

    mutating func usage() -> [StreamPiece] { [.event("metadata", "{\(measures().dropFirst())}")] }

    mutating func failure(_ error: EngineError) -> [StreamPiece] { [.awsFailure(error)] }
}

extension StreamPiece {
    /// An exception frame, named as the runtimes name it inside a stream.
    static func awsFailure(_ error: EngineError) -> StreamPiece {
        let type = error.status == 424 ? "ModelStreamErrorException" : ErrorEnvelope.awsType(error.status)
        let name = type.prefix(1).lowercased() + type.dropFirst()
        return .exception(name: name, data: JSONText.object(["message": JSONText.quoted(error.message)]))
    }
}
