/// `POST /v1/rerank` as vLLM, Jina and Cohere have it.
struct RerankDialect: Dialect {
    /// Documents of one request.
    static let documentsMax = 2048

    var operation: Operation { .rerank }
    var credentials: CredentialScheme { .bearer }
    var envelope: ErrorEnvelope { .openai }

    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        let body = try exchange.object()
        guard let model = body["model"]?.string else { throw .badRequest("Field required", "model") }
        guard let query = body["query"]?.string else { throw .badRequest("Field required", "query") }
        guard let documents = body["documents"]?.array, !documents.isEmpty, documents.count <= Self.documentsMax else {
            throw .badRequest("documents must be a list of 1 to \(Self.documentsMax) texts", "documents")
        }
        var request = EngineRequest(operation: .rerank, model: model)
        request.documents = documents.map { $0.string ?? $0["text"]?.string ?? "" }
        request.topCount = try EngineRequest.bounded(body, "top_n", 1...Self.documentsMax)
        request.repeatsDocuments = body["return_documents"]?.bool ?? true
        request.takePrompts(request.documents.map { [query, $0] })
        return request
    }

    func template(_ sheet: AnswerSheet) -> any AnswerTemplate { RerankTemplate(sheet: sheet) }
}

/// Words a ranking.
struct RerankTemplate: AnswerTemplate {
    let sheet: AnswerSheet
    private(set) var usageSaid: String?

    init(sheet: AnswerSheet) {
        self.sheet = sheet
    }

    mutating func plain() -> PreparedAnswer {
        let documents = sheet.request.documents
        let scored = documents.indices.map { index in
            (index, Int(Hash.mix(plan.text.seed &+ UInt64(index)) % 1_000_000))
        }
        let ranked = scored.sorted { ($1.1, $0.0) < ($0.1, $1.0) }.prefix(sheet.request.topCount ?? documents.count)
        let results = ranked.map { index, score in
            let document = ",\"document\":{\"text\":\(JSONText.quoted(documents[index])),\"multi_modal\":null}"
            return "{\"index\":\(index)\(sheet.request.repeatsDocuments ? document : ""),"
                + "\"relevance_score\":\(JSONText.seconds(score))}"
        }
        var body = "{\"id\":\"rerank-\(sheet.id)\",\"model\":\(JSONText.quoted(sheet.model)),"
        body += "\"results\":[\(results.joined(separator: ","))]"
        guard behavior.usage != .missing else { return PreparedAnswer(body: body + "}") }
        let counts = ReportedCounts(plan, completionTokens: 0)
        let usage: String
        if behavior.flavour == .cohere {
            usage = "{\"billed_units\":{\"search_units\":\(plan.units.searches)}}"
            body += ",\"meta\":{\"api_version\":{\"version\":\"2\"},\(usage.dropFirst().dropLast())}"
        } else {
            let numbers =
                "{\"prompt_tokens\":\(counts.text(counts.prompt)),\"total_tokens\":\(counts.text(counts.total))}"
            usage = behavior.usage == .null ? "null" : numbers
            body += ",\"usage\":\(usage)"
        }
        usageSaid = usage
        return PreparedAnswer(body: body + "}")
    }
}
