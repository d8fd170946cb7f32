/// Bedrock's `POST /model/{id}/invoke` and `/invoke-with-response-stream`: the model's own form, inside Bedrock's.
struct InvokeDialect: Dialect {
    var streams: Bool

    var operation: Operation { .invokeModel }
    var credentials: CredentialScheme { .aws(service: "bedrock") }
    var envelope: ErrorEnvelope { .aws }

    /// Claude takes messages, Llama a prompt.
    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        let body = try exchange.object()
        var request = EngineRequest(operation: .invokeModel, model: exchange.parameters.first ?? "")
        request.streamed = streams
        request.serviceTier = exchange.header("x-amzn-bedrock-service-tier")
        if let prompt = body["prompt"]?.string {
            request.format = "llama"
            request.maxTokens = try EngineRequest.maxTokens(body, "max_gen_len", contextTokensMax)
            request.takePrompts([[prompt]])
            return request
        }
        guard let messages = body["messages"]?.array, !messages.isEmpty, body["anthropic_version"] != nil else {
            throw .badRequest("Malformed input request: #: required key [prompt] or [anthropic_version] not found")
        }
        request.maxTokens = try EngineRequest.maxTokens(body, "max_tokens", contextTokensMax)
        request.tool = body["tools"]?.array?.first?["name"]?.string
        let system = body["system"].map { [EngineRequest.contentText($0)] } ?? []
        request.takePrompts([system + messages.map { EngineRequest.contentText($0["content"]) }])
        return request
    }

    func template(_ sheet: AnswerSheet) -> any AnswerTemplate {
        InvokeTemplate(sheet.request.format == "llama" ? LlamaTemplate(sheet: sheet) : MessagesTemplate(sheet: sheet))
    }
}

/// Puts a model's own answer into Bedrock's: counts in headers, or in the last event of a stream.
struct InvokeTemplate: AnswerTemplate {
    private var model: any AnswerTemplate
    private var measures: String?

    init(_ model: any AnswerTemplate) {
        self.model = model
    }

    var sheet: AnswerSheet { model.sheet }
    var usageSaid: String? { measures ?? model.usageSaid }

    private var counts: ReportedCounts { ReportedCounts(plan, completionTokens: plan.completionTokens) }

    mutating func plain() -> PreparedAnswer {
        var answer = model.plain()
        answer.headers["x-amzn-requestid"] = sheet.id
        if let tier = sheet.servedTier { answer.headers["x-amzn-bedrock-service-tier"] = tier }
        guard behavior.usage != .missing, behavior.usage != .null else { return answer }
        let counts = counts
        answer.headers["x-amzn-bedrock-invocation-latency"] = String(EngineTimes(plan).totalMilliseconds)
        answer.headers["x-amzn-bedrock-input-token-count"] = String(max(0, counts.uncached))
        answer.headers["x-amzn-bedrock-output-token-count"] = String(counts.completion)
        answer.headers["x-amzn-bedrock-cache-read-input-token-count"] = String(counts.cached)
        answer.headers["x-amzn-bedrock-cache-write-input-token-count"] = String(counts.cacheWrites)
        return answer
    }

    var stream: StreamHead {
        var headers = [("x-amzn-requestid", sheet.id), ("x-amzn-bedrock-content-type", "application/json")]
        if let tier = sheet.servedTier { headers.append(("x-amzn-bedrock-service-tier", tier)) }
        return StreamHead(
            framing: .awsEventStream, contentType: "application/vnd.amazon.eventstream", headers: headers)
    }

    mutating func opening(choice: Int) -> [StreamPiece] { Self.wrapped(model.opening(choice: choice)) }
    mutating func tokens(_ step: TokenStep) -> [StreamPiece] { Self.wrapped(model.tokens(step)) }
    mutating func finish(choice: Int) -> [StreamPiece] { Self.wrapped(model.finish(choice: choice)) }
    mutating func usage() -> [StreamPiece] { Self.wrapped(model.usage()) }

    /// The model's last event carries what Bedrock measured.
    mutating func terminator() -> [StreamPiece] {
        guard behavior.usage != .missing, behavior.usage != .null else { return Self.wrapped(model.terminator()) }
        let counts = counts
        let times = EngineTimes(plan)
        let metrics =
            "{\"inputTokenCount\":\(counts.text(max(0, counts.uncached))),\"outputTokenCount\":"
            + "\(counts.text(counts.completion)),\"invocationLatency\":\(times.totalMilliseconds),"
            + "\"firstByteLatency\":\(times.firstTokenMilliseconds),\"cacheReadInputTokenCount\":"
            + "\(counts.text(counts.cached)),\"cacheWriteInputTokenCount\":\(counts.text(counts.cacheWrites))}"
        measures = metrics
        let member = ",\"amazon-bedrock-invocationMetrics\":\(metrics)}"
        return Self.wrapped(
            model.terminator().map { piece in
                guard case .event(let name, let id, let data) = piece, data.hasSuffix("}") else { return piece }
                return .event(name: name, id: id, data: data.dropLast() + member)
            })
    }

    mutating func failure(_ error: EngineError) -> [StreamPiece] { [.awsFailure(error)] }

    private static func wrapped(_ pieces: [StreamPiece]) -> [StreamPiece] {
        pieces.map { piece in
            guard case .event(_, _, let data) = piece else { return piece }
            return .event("chunk", "{\"bytes\":\"\(Base64.encode(Array(data.utf8)))\",\"p\":\"abcdefgh\"}")
        }
    }
}

/// Words Llama's answers on Bedrock.
struct LlamaTemplate: AnswerTemplate {
    let sheet: AnswerSheet
    private(set) var usageSaid: String?

    init(sheet: AnswerSheet) {
        self.sheet = sheet
    }

    private var reason: String { plan.finishReason == "length" ? "length" : "stop" }

    mutating func plain() -> PreparedAnswer {
        PreparedAnswer(
            body: generation(plan.text.tokens(0..<plan.completionTokensEach, choice: 0), plan.completionTokens, reason))
    }

    private mutating func generation(_ text: String, _ tokens: Int, _ reason: String?) -> String {
        let start = "{\"generation\":\(JSONText.quoted(text))"
        let end = ",\"stop_reason\":\(JSONText.quoted(reason))}"
        guard behavior.usage != .missing else { return start + end }
        let counts = ReportedCounts(plan, completionTokens: tokens)
        let isNull = behavior.usage == .null
        let usage =
            "\"prompt_token_count\":\(isNull ? "null" : counts.text(counts.prompt)),"
            + "\"generation_token_count\":\(isNull ? "null" : counts.text(counts.completion))"
        usageSaid = "{\(usage)}"
        return start + "," + usage + end
    }

    mutating func tokens(_ step: TokenStep) -> [StreamPiece] {
        [.event(generation(plan.text.tokens(step.positions, choice: 0), step.tokensSoFar, nil))]
    }

    mutating func terminator() -> [StreamPiece] { [.event(generation("", plan.completionTokens, reason))] }
}
