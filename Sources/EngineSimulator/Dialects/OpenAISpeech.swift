/// OpenAI's `POST /v1/audio/speech`: a text read out, as bytes of sound or as events that hold them.
struct SpeechDialect: Dialect {
    /// Characters of one request.
    static let charactersMax = 4096

    var operation: Operation { .speech }
    var credentials: CredentialScheme { .bearer }
    var envelope: ErrorEnvelope { .openai }

    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        let body = try exchange.object()
        guard let model = body["model"]?.string else { throw .badRequest("Field required", "model") }
        guard let text = body["input"]?.string else { throw .badRequest("Field required", "input") }
        guard body["voice"] != nil else { throw .badRequest("Field required", "voice") }
        guard text.unicodeScalars.count <= Self.charactersMax else {
            throw .badRequest("input should have at most \(Self.charactersMax) characters", "input")
        }
        var request = EngineRequest(operation: .speech, model: model)
        request.format = body["response_format"]?.string
        request.streamed = body["stream_format"]?.string == "sse"
        request.flows = true
        request.characters = text.unicodeScalars.count
        request.takePrompts([[text]])
        return request
    }

    func template(_ sheet: AnswerSheet) -> any AnswerTemplate { SpeechTemplate(sheet: sheet) }
}

/// Words sound: noise that follows from the seed, as many bytes for each token.
struct SpeechTemplate: AnswerTemplate {
    static let bytesPerToken = 160

    let sheet: AnswerSheet
    private(set) var usageSaid: String?

    init(sheet: AnswerSheet) {
        self.sheet = sheet
    }

    /// Speech always flows: see `EngineRequest.flows`.
    mutating func plain() -> PreparedAnswer {
        PreparedAnswer(contentType: contentType, bytes: sound(0..<plan.completionTokensEach))
    }

    private var contentType: String {
        switch sheet.request.format {
        case "wav": "audio/wav"
        case "pcm": "audio/pcm"
        case "opus": "audio/opus"
        case "flac": "audio/flac"
        case "aac": "audio/aac"
        default: "audio/mpeg"
        }
    }

    private func sound(_ positions: Range<Int>) -> [UInt8] {
        (positions.lowerBound * Self.bytesPerToken..<positions.upperBound * Self.bytesPerToken).map {
            UInt8(truncatingIfNeeded: Hash.mix(plan.text.seed &+ UInt64($0)))
        }
    }

    var stream: StreamHead {
        sheet.request.streamed ? StreamHead() : StreamHead(framing: .bytes, contentType: contentType)
    }

    mutating func tokens(_ step: TokenStep) -> [StreamPiece] {
        guard sheet.request.streamed else { return [.bytes(sound(step.positions))] }
        return [.event("{\"type\":\"speech.audio.delta\",\"audio\":\"\(Base64.encode(sound(step.positions)))\"}")]
    }

    /// Bytes of sound have no place for usage.
    mutating func usage() -> [StreamPiece] {
        guard sheet.request.streamed else { return [] }
        guard behavior.usage != .missing else { return [.event("{\"type\":\"speech.audio.done\"}")] }
        let counts = ReportedCounts(plan, completionTokens: plan.completionTokens)
        let numbers =
            "{\"input_tokens\":\(counts.text(counts.prompt)),\"output_tokens\":\(counts.text(counts.completion)),"
            + "\"total_tokens\":\(counts.text(counts.total))}"
        let usage = behavior.usage == .null ? "null" : numbers
        usageSaid = usage
        return [.event("{\"type\":\"speech.audio.done\",\"usage\":\(usage)}")]
    }

    /// Nothing can be said in the middle of sound: the answer just ends.
    mutating func failure(_ error: EngineError) -> [StreamPiece] {
        sheet.request.streamed ? [.event(ErrorEnvelope.openai.json(error, behavior.flavour))] : []
    }
}
