/// OpenAI's `POST /v1/images/generations`.
struct ImagesDialect: Dialect {
    /// Pictures of one request.
    static let imagesMax = 10
    /// Unfinished pictures that a stream shows before the finished one.
    static let partialImagesMax = 3

    var operation: Operation { .images }
    var credentials: CredentialScheme { .bearer }
    var envelope: ErrorEnvelope { .openai }

    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        let body = try exchange.object()
        guard let prompt = body["prompt"]?.string else { throw .badRequest("Field required", "prompt") }
        var request = EngineRequest(operation: .images, model: body["model"]?.string ?? "sim-image")
        request.choices = try EngineRequest.bounded(body, "n", 1...Self.imagesMax) ?? 1
        request.format = body["response_format"]?.string
        request.streamed = body["stream"]?.bool ?? false
        guard !request.streamed || request.choices == 1 else {
            throw .badRequest("Streaming is only supported with n=1.", "n")
        }
        request.topCount = try EngineRequest.bounded(body, "partial_images", 0...Self.partialImagesMax)
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
        let body = "{\"created\":\(sheet.created),\"data\":[\(data)],\(Self.looks)"
        return PreparedAnswer(body: body + usageMember() + "}")
    }

    private static let looks =
        "\"size\":\"1024x1024\",\"quality\":\"high\",\"output_format\":\"png\",\"background\":\"opaque\""

    private mutating func usageMember() -> String {
        guard behavior.usage != .missing else { return "" }
        let usage = usageJSON
        usageSaid = usage
        return ",\"usage\":\(usage)"
    }

    /// Unfinished pictures come at equal distances of tokens.
    mutating func tokens(_ step: TokenStep) -> [StreamPiece] {
        let distance = plan.completionTokensEach / ((sheet.request.topCount ?? 0) + 1)
        guard distance > 0 else { return [] }
        return (1..<max(1, (sheet.request.topCount ?? 0) + 1)).compactMap { number in
            guard step.positions.contains(number * distance - 1) else { return nil }
            return picture("partial_image", index: number, ",\"partial_image_index\":\(number - 1)")
        }
    }

    private func picture(_ kind: String, index: Int, _ more: String) -> StreamPiece {
        let type = "image_generation.\(kind)"
        let start = "{\"type\":\"\(type)\",\"b64_json\":\"\(bytes(index))\",\"created_at\":\(sheet.created),"
        return .event(type, start + Self.looks + more + "}")
    }

    mutating func usage() -> [StreamPiece] {
        let usage = usageMember()
        return [picture("completed", index: 0, usage)]
    }

    private func image(_ index: Int) -> String {
        if sheet.request.format == "url" {
            return "{\"url\":\"\(sheet.request.origin)/pictures/\(sheet.id)-\(index)\"}"
        }
        return "{\"b64_json\":\"\(bytes(index))\"}"
    }

    /// A PNG's first bytes, then noise by the seed.
    private func bytes(_ index: Int) -> String {
        let noise = (0..<24).map { UInt8(truncatingIfNeeded: Hash.mix(plan.text.seed &+ UInt64(index * 64 + $0))) }
        return Base64.encode([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + noise)
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
