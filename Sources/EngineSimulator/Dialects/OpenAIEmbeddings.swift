/// `POST /v1/embeddings`.
struct EmbeddingsDialect: Dialect {
    var credentials = CredentialScheme.bearer
    var flavour: Behavior.Flavour?
    var modelInPath = false

    var operation: Operation { .embeddings }
    var envelope: ErrorEnvelope { .openai }

    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        try OpenAIChatDialect(operation: .embeddings, flavour: flavour, modelInPath: modelInPath)
            .read(exchange, contextTokensMax: contextTokensMax)
    }

    func template(_ sheet: AnswerSheet) -> any AnswerTemplate { EmbeddingsTemplate(sheet: sheet) }
}

/// Writes the answer of an embeddings request.
struct EmbeddingsTemplate: AnswerTemplate {
    /// The length of a vector when the request does not say.
    static let dimensionsDefault = 16

    let sheet: AnswerSheet
    private(set) var usageSaid: String?

    init(sheet: AnswerSheet) {
        self.sheet = sheet
    }

    mutating func plain() -> PreparedAnswer {
        let inputs = sheet.request.promptTokens.count
        let data = (0..<inputs).map { index in
            "{\"index\":\(index),\"object\":\"embedding\",\"embedding\":\(vector(index))}"
        }
        var body = "{\"id\":\"embd-\(sheet.id)\",\"object\":\"list\",\"created\":\(sheet.created),"
        body += "\"model\":\(JSONText.quoted(sheet.model)),\"data\":[\(data.joined(separator: ","))]"
        if behavior.usage != .missing {
            let usage = OpenAIUsage(plan: plan, completionTokens: 0, startedMilliseconds: sheet.startedMilliseconds)
                .json(in: .plainAnswer)
            usageSaid = usage
            body += ",\"usage\":\(usage)"
        }
        return PreparedAnswer(body: body + "}")
    }

    /// Values are multiples of 1/1024 in [-1, 1), so that text and binary say the same number exactly.
    private func values(_ index: Int) -> [Float] {
        (0..<(sheet.request.dimensions ?? Self.dimensionsDefault)).map { position in
            let mixed = Hash.mix(plan.text.seed &+ UInt64(index) &* 0x1_0000_0001 &+ UInt64(position))
            return (Float(mixed % 2048) - 1024) / 1024
        }
    }

    private func vector(_ index: Int) -> String {
        guard sheet.request.base64 else { return "[" + values(index).map { "\($0)" }.joined(separator: ",") + "]" }
        let bytes = values(index).flatMap { value in
            (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (UInt32($0) * 8)) }
        }
        return "\"\(Base64.encode(bytes))\""
    }
}
