/// Replicate's predictions, created under `/v1/predictions`, `/v1/models/{owner}/{name}/predictions` and the same of
/// deployments.
struct ReplicateDialect: Dialect {
    var operation: Operation { .predictions }
    var credentials: CredentialScheme { .bearer }
    var envelope: ErrorEnvelope { .problem }

    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        let body = try exchange.object()
        guard let input = body["input"], let prompt = input["prompt"]?.string else {
            throw EngineError(status: 422, message: "- input: prompt is required")
        }
        let named = exchange.parameters.joined(separator: "/")
        guard !named.isEmpty || body["version"]?.string != nil else {
            throw EngineError(status: 422, message: "- version is required")
        }
        var request = EngineRequest(
            operation: .predictions, model: named.isEmpty ? body["version"]?.string ?? "" : named)
        request.maxTokens = try EngineRequest.maxTokens(input, "max_tokens", contextTokensMax)
        let system = input["system_prompt"]?.string.map { [$0] } ?? []
        request.takePrompts([system + [prompt]])
        return request
    }

    func template(_ sheet: AnswerSheet) -> any AnswerTemplate { ReplicateTemplate(sheet: sheet) }
}

/// Words a prediction, whole or as its stream of outputs.
struct ReplicateTemplate: AnswerTemplate {
    enum Status: String, Sendable {
        case starting, processing, succeeded, failed, canceled

        var isOver: Bool { self != .starting && self != .processing }
    }

    let sheet: AnswerSheet
    private(set) var usageSaid: String?
    private var outputs = 0
    /// How the prediction ended, for the last event of its stream.
    var ended = Status.succeeded

    init(sheet: AnswerSheet) {
        self.sheet = sheet
    }

    /// A prediction that the client waited for.
    mutating func plain() -> PreparedAnswer {
        PreparedAnswer(status: 201, body: prediction(.succeeded, tokens: plan.completionTokens))
    }

    /// The object, in any state.
    mutating func prediction(_ status: Status, tokens: Int) -> String {
        let base = "\(sheet.request.origin)/v1"
        let texts = (0..<tokens).map { JSONText.quoted(plan.text.token($0, choice: 0)) }
        let created = RFC3339.text(milliseconds: sheet.startedMilliseconds)
        let failure = behavior.errorMessage ?? "the engine failed during generation"
        var json = "{\"id\":\"\(sheet.id)\",\"model\":\(JSONText.quoted(sheet.model)),\"version\":\"hidden\","
        json += "\"input\":{},\"logs\":\"\",\"output\":\(texts.isEmpty ? "null" : "[\(texts.joined(separator: ","))]"),"
        json += "\"data_removed\":false,\"error\":\(status == .failed ? JSONText.quoted(failure) : "null"),"
        json += "\"status\":\"\(status.rawValue)\",\"created_at\":\"\(created)\""
        if status != .starting { json += ",\"started_at\":\"\(created)\"" }
        if status.isOver { json += ",\"completed_at\":\"\(created)\",\"metrics\":\(metrics(tokens: tokens))" }
        json += ",\"urls\":{\"get\":\"\(base)/predictions/\(sheet.id)\",\"cancel\":\"\(base)/predictions/\(sheet.id)"
        return json + "/cancel\",\"stream\":\"\(base)/streams/\(sheet.id)\"}}"
    }

    /// Only official language models count tokens; all tell how long the hardware ran, in seconds.
    private mutating func metrics(tokens: Int) -> String {
        if behavior.usage == .null { return "null" }
        let times = EngineTimes(plan, tokens: tokens)
        let counts = ReportedCounts(plan, completionTokens: tokens)
        let sign = behavior.usage == .negative ? "-" : ""
        var json = "{\"predict_time\":\(sign)\(times.total),\"total_time\":\(times.total)"
        if behavior.usage != .missing {
            json += ",\"input_token_count\":\(counts.text(counts.prompt)),\"output_token_count\":"
            json += "\(counts.text(counts.completion)),\"tokens_per_second\":\(times.perSecond),"
            json += "\"time_to_first_token\":\(times.prefill)"
        }
        usageSaid = json + "}"
        return json + "}"
    }

    // MARK: Streamed

    var stream: StreamHead { StreamHead(contentType: "text/event-stream") }

    mutating func tokens(_ step: TokenStep) -> [StreamPiece] {
        [event("output", plan.text.tokens(step.positions, choice: 0))]
    }

    private mutating func event(_ name: String, _ data: String) -> StreamPiece {
        defer { outputs += 1 }
        return .event(name: name, id: "\(sheet.startedMilliseconds):\(outputs)", data: data)
    }

    /// There is no usage here: the prediction has it.
    mutating func terminator() -> [StreamPiece] {
        [event("done", ended == .canceled ? "{\"reason\":\"canceled\"}" : "{}")]
    }

    mutating func failure(_ error: EngineError) -> [StreamPiece] {
        [
            event("error", JSONText.object(["detail": JSONText.quoted(error.message)])),
            event("done", "{\"reason\":\"error\"}"),
        ]
    }
}
