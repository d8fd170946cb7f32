/// OpenAI's `POST /v1/images/generations`.
struct ImagesDialect: Dialect {
    /// Pictures of one request.
    static let imagesMax = 10

    var operation: Operation { .images }
    var credentials: CredentialScheme { .bearer }
    var envelope: ErrorEnvelope { .openai }

    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        let body = try exchange.object()
        guard let prompt = body["prompt"]?.string else { throw .badRequest("Field required", "prompt") }
        var request = EngineRequest(operation: .images, model: body["model"]?.string ?? "sim-image")
        request.choices = try EngineRequest.bounded(body, "n", 1...Self.imagesMax) ?? 1
        request.format = body["response_format"]?.string
        request.takePrompts([[prompt]])
        return request
    }

    func template(_ sheet: AnswerSheet) -> any AnswerTemplate { ImagesTemplate(sheet: sheet) }
}

/// Words pictures: each is a few bytes that no program would show.
struct ImagesTemplate: AnswerTemplate {
    let sheet: AnswerSheet
    private(set) var usageSaid: String?

    init(sheet: AnswerSheet) {
        self.sheet = sheet
    }

    mutating func plain() -> PreparedAnswer {
        let data = (0..<plan.choices).map(image).joined(separator: ",")
        var body = "{\"created\":\(sheet.created),\"data\":[\(data)],\"size\":\"1024x1024\",\"quality\":\"high\","
        body += "\"output_format\":\"png\",\"background\":\"opaque\""
        if behavior.usage != .missing {
            let usage = usageJSON
            usageSaid = usage
            body += ",\"usage\":\(usage)"
        }
        return PreparedAnswer(body: body + "}")
    }

    private func image(_ index: Int) -> String {
        if sheet.request.format == "url" {
            return "{\"url\":\"\(sheet.request.origin)/pictures/\(sheet.id)-\(index)\"}"
        }
        let bytes = (0..<24).map { UInt8(truncatingIfNeeded: Hash.mix(plan.text.seed &+ UInt64(index * 64 + $0))) }
        return "{\"b64_json\":\"\(Base64.encode([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + bytes))\"}"
    }

    private var usageJSON: String {
        if behavior.usage == .null { return "null" }
        let counts = ReportedCounts(plan, completionTokens: plan.completionTokens)
        return "{\"input_tokens\":\(counts.text(counts.prompt)),\"input_tokens_details\":{\"text_tokens\":"
            + "\(counts.text(counts.prompt - counts.promptImage)),\"image_tokens\":\(counts.text(counts.promptImage))},"
            + "\"output_tokens\":\(counts.text(counts.completion)),\"output_tokens_details\":{\"image_tokens\":"
            + "\(counts.text(counts.completion)),\"text_tokens\":0},\"total_tokens\":\(counts.text(counts.total))}"
    }
}
