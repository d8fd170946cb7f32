/// Triton's generate extension, `POST /v2/models/{model}[/versions/{version}]/generate[_stream]`.
struct TritonDialect: Dialect {
    var streams: Bool

    var operation: Operation { .tritonGenerate }
    var credentials: CredentialScheme { .bearer }
    var envelope: ErrorEnvelope { .triton }

    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        let body = try exchange.object()
        guard let text = body["text_input"]?.string ?? body["prompt"]?.string else {
            throw .badRequest("failed to parse the request JSON buffer: `text_input` is missing")
        }
        var request = EngineRequest(operation: .tritonGenerate, model: exchange.parameters.first ?? "")
        // Inputs of the model may stand in the body itself or among its parameters.
        func input(_ name: String) -> JSONValue? { body[name] ?? body["parameters"]?[name] }
        var limits: [String: JSONValue] = [:]
        limits["max_tokens"] = input("max_tokens")
        request.maxTokens = try EngineRequest.maxTokens(.object(limits), "max_tokens", contextTokensMax)
        request.streamed = streams
        request.includeUsage = input("return_num_output_tokens")?.bool ?? false
        request.countsPrompt = input("return_num_input_tokens")?.bool ?? false
        request.format = body["id"]?.string
        request.version = exchange.parameters.count > 1 ? exchange.parameters[1] : "1"
        request.takePrompts([[text]])
        return request
    }

    func template(_ sheet: AnswerSheet) -> any AnswerTemplate { TritonTemplate(sheet: sheet) }
}

/// Words Triton's answers. Counts are outputs of the model, there only when they were asked for.
struct TritonTemplate: AnswerTemplate {
    let sheet: AnswerSheet
    private(set) var usageSaid: String?
    private var tokensCounted = 0

    init(sheet: AnswerSheet) {
        self.sheet = sheet
    }

    mutating func plain() -> PreparedAnswer {
        PreparedAnswer(body: answer(plan.text.tokens(0..<plan.completionTokensEach, choice: 0), plan.completionTokens))
    }

    var stream: StreamHead { StreamHead(contentType: "text/event-stream") }

    /// vLLM's backend counts the tokens of each event, TensorRT-LLM's all so far.
    mutating func tokens(_ step: TokenStep) -> [StreamPiece] {
        let counted = behavior.flavour == .trtllm ? step.tokensSoFar : step.tokensSoFar - tokensCounted
        tokensCounted = step.tokensSoFar
        return [.event(answer(plan.text.tokens(step.positions, choice: 0), counted))]
    }

    private mutating func answer(_ text: String, _ tokens: Int) -> String {
        var body = "{"
        if let id = sheet.request.format { body += "\"id\":\(JSONText.quoted(id))," }
        body += "\"model_name\":\(JSONText.quoted(sheet.model)),\"model_version\":"
        body += "\(JSONText.quoted(sheet.request.version)),"
        let counts = ReportedCounts(plan, completionTokens: tokens)
        var said: [String] = []
        if behavior.usage != .missing {
            let isNull = behavior.usage == .null
            if sheet.request.countsPrompt {
                said.append("\"num_input_tokens\":\(isNull ? "null" : counts.text(counts.prompt))")
            }
            if plan.includeUsage {
                said.append("\"num_output_tokens\":\(isNull ? "null" : counts.text(counts.completion))")
            }
        }
        if !said.isEmpty { usageSaid = "{\(said.joined(separator: ","))}" }
        return body + (said + ["\"text_output\":\(JSONText.quoted(text))"]).joined(separator: ",") + "}"
    }

    mutating func failure(_ error: EngineError) -> [StreamPiece] {
        [.event(ErrorEnvelope.triton.json(error, behavior.flavour))]
    }
}
