/// Text Generation Inference's own `POST /generate`, `/generate_stream` and `/`.
struct TGIDialect: Dialect {
    enum Form: Sendable {
        case generate
        case stream
        /// `/` streams when the body says so, and wraps a plain answer in an array.
        case root
    }

    var form: Form

    var operation: Operation { .tgiGenerate }
    var credentials: CredentialScheme { .bearer }
    var envelope: ErrorEnvelope { .tgi }

    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        let body = try exchange.object()
        var request = try EngineRequest(
            tgi: body, operation: .tgiGenerate, model: "", contextTokensMax: contextTokensMax)
        request.streamed = form == .stream || form == .root && body["stream"]?.bool == true
        try request.checkTGIStream(body)
        request.format = form == .root ? "array" : nil
        return request
    }

    func template(_ sheet: AnswerSheet) -> any AnswerTemplate { TGITemplate(sheet: sheet) }
}

extension EngineRequest {
    /// Reads a body with `inputs` and `parameters`.
    init(tgi body: JSONValue, operation: Operation, model: String, contextTokensMax: Int) throws(EngineError) {
        guard let inputs = body["inputs"]?.string else {
            throw EngineError(status: 422, message: "Input validation error: `inputs` is missing")
        }
        self.init(operation: operation, model: model)
        let parameters = body["parameters"] ?? .object([:])
        maxTokens = try Self.maxTokens(parameters, "max_new_tokens", contextTokensMax)
        includeUsage = parameters["details"]?.bool ?? false
        choices = try Self.bounded(parameters, "best_of", 1...8) ?? 1
        takePrompts([[inputs]])
    }

    /// TGI streams neither several sequences nor the prompt's details.
    func checkTGIStream(_ body: JSONValue) throws(EngineError) {
        guard streamed else { return }
        guard choices == 1 else {
            throw EngineError(status: 422, message: "Input validation error: `best_of` != 1 is not allowed for streams")
        }
        guard body["parameters"]?["decoder_input_details"]?.bool != true else {
            throw EngineError(
                status: 422,
                message: "Input validation error: `decoder_input_details` == true is not supported for streams")
        }
    }
}

/// Words TGI's answers. SageMaker's containers use it too.
struct TGITemplate: AnswerTemplate {
    let sheet: AnswerSheet
    private(set) var usageSaid: String?

    init(sheet: AnswerSheet) {
        self.sheet = sheet
    }

    private var reason: String {
        switch plan.finishReason {
        case "stop", "tool_calls": "eos_token"
        default: plan.finishReason
        }
    }

    // MARK: Plain

    mutating func plain() -> PreparedAnswer {
        let text = wholeText(choice: 0)
        var body = "{\"generated_text\":\(JSONText.quoted(text))"
        if plan.includeUsage, behavior.usage != .missing {
            let details = plainDetails
            usageSaid = details
            body += ",\"details\":\(details)"
        }
        body += "}"
        if sheet.request.format == "array" { body = "[\(body)]" }
        return PreparedAnswer(headers: headers, body: body)
    }

    private func wholeText(choice: Int) -> String { plan.text.tokens(0..<plan.completionTokensEach, choice: choice) }

    private var plainDetails: String {
        if behavior.usage == .null { return "null" }
        let counts = ReportedCounts(plan, completionTokens: plan.completionTokensEach)
        let generated = counts.text(counts.completion)
        let others = (1..<max(1, plan.choices)).map { choice in
            "{\"generated_text\":\(JSONText.quoted(wholeText(choice: choice))),\"finish_reason\":\"\(reason)\","
                + "\"generated_tokens\":\(generated),\"prefill\":[],\"seed\":null,\"tokens\":[]}"
        }
        let best = others.isEmpty ? "null" : "[\(others.joined(separator: ","))]"
        return "{\"best_of_sequences\":\(best),\"finish_reason\":\"\(reason)\",\"generated_tokens\":\(generated),"
            + "\"prefill\":[],\"seed\":null,\"tokens\":[],\"top_tokens\":null}"
    }

    /// What the engine tells outside the body: the only place of the prompt's count.
    private var headers: [String: String] {
        var headers = [
            "x-compute-type": "simulated", "x-compute-characters": String(wholeText(choice: 0).unicodeScalars.count),
        ]
        guard behavior.usage != .missing, behavior.flavour != .lmi else { return headers }
        let times = EngineTimes(plan)
        let counts = ReportedCounts(plan, completionTokens: plan.completionTokens)
        headers["x-compute-time"] = times.total
        headers["x-total-time"] = String(times.totalMilliseconds)
        headers["x-validation-time"] = "0"
        headers["x-queue-time"] = "0"
        headers["x-inference-time"] = String(times.totalMilliseconds)
        headers["x-time-per-token"] = String(behavior.decodeMicroseconds / 1000)
        headers["x-prompt-tokens"] = String(counts.prompt)
        headers["x-generated-tokens"] = String(counts.completion)
        return headers
    }

    // MARK: Streamed

    var stream: StreamHead {
        StreamHead(
            framing: .serverSentEvents(space: false), contentType: "text/event-stream",
            headers: [("x-compute-type", "simulated"), ("x-accel-buffering", "no")])
    }

    /// One event a token, whatever a chunk holds.
    mutating func tokens(_ step: TokenStep) -> [StreamPiece] {
        var pieces: [StreamPiece] = []
        for position in step.positions {
            let isLast = step.finishes && position == step.positions.upperBound - 1
            pieces.append(event(position, text: plan.text.token(position, choice: 0), isLast: isLast))
        }
        return pieces
    }

    mutating func finish(choice: Int) -> [StreamPiece] { [event(plan.completionTokensEach, text: "", isLast: true)] }

    private mutating func event(_ position: Int, text: String, isLast: Bool) -> StreamPiece {
        var end = "\"generated_text\":null,\"details\":null}"
        if isLast {
            var details = "null"
            if plan.includeUsage, behavior.usage != .missing {
                details = streamedDetails
                usageSaid = details
            }
            end = "\"generated_text\":\(JSONText.quoted(wholeText(choice: 0))),\"details\":\(details)}"
        }
        let token = "{\"id\":\(position + 3),\"text\":\(JSONText.quoted(text)),\"logprob\":-0.5,\"special\":false}"
        return .event("{\"index\":\(position + 1),\"token\":\(token),\(end)")
    }

    private var streamedDetails: String {
        if behavior.usage == .null { return "null" }
        let counts = ReportedCounts(plan, completionTokens: plan.completionTokens)
        let input = behavior.flavour == .lmi ? "" : ",\"input_length\":\(counts.text(counts.prompt))"
        return "{\"finish_reason\":\"\(reason)\",\"generated_tokens\":\(counts.text(counts.completion)),\"seed\":null"
            + input + "}"
    }

    mutating func failure(_ error: EngineError) -> [StreamPiece] {
        [.event(ErrorEnvelope.tgi.json(error, behavior.flavour))]
    }
}
