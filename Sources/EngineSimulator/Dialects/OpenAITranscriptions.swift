/// OpenAI's `POST /v1/audio/transcriptions`: a form with a file of sound.
struct TranscriptionsDialect: Dialect {
    /// Bytes of one millisecond of sound: 16,000 samples a second of two bytes each.
    static let bytesPerMillisecond = 32

    var operation: Operation { .transcriptions }
    var credentials: CredentialScheme { .bearer }
    var envelope: ErrorEnvelope { .openai }

    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        let form = try Multipart(exchange)
        guard let model = form.text("model") else { throw .badRequest("Field required", "model") }
        guard let file = form.file("file") else { throw .badRequest("Field required", "file") }
        var request = EngineRequest(operation: .transcriptions, model: model)
        request.streamed = form.text("stream") == "true"
        request.format = form.text("response_format")
        request.audioMilliseconds = file.content.count / Self.bytesPerMillisecond
        if let prompt = form.text("prompt") { request.takePrompts([[prompt]]) }
        request.promptHash = Hash.mix(request.promptHash ^ Hash.of(file.content))
        return request
    }

    func template(_ sheet: AnswerSheet) -> any AnswerTemplate { TranscriptionsTemplate(sheet: sheet) }
}

/// Words what was heard.
struct TranscriptionsTemplate: AnswerTemplate {
    let sheet: AnswerSheet
    private(set) var usageSaid: String?

    init(sheet: AnswerSheet) {
        self.sheet = sheet
    }

    mutating func plain() -> PreparedAnswer {
        let text = plan.visibleText(choice: 0)
        switch sheet.request.format {
        case "text": return PreparedAnswer(contentType: "text/plain; charset=utf-8", body: text + "\n")
        case "srt", "vtt":
            let start = sheet.request.format == "vtt" ? "WEBVTT\n\n00:00.000" : "1\n00:00:00,000"
            return PreparedAnswer(
                contentType: "text/plain; charset=utf-8", body: "\(start) --> 00:00:09,000\n\(text)\n")
        case "verbose_json":
            let seconds = JSONText.milliseconds(plan.units.audioMilliseconds)
            let start = "{\"task\":\"transcribe\",\"language\":\"english\",\"duration\":\(seconds),\"segments\":[],"
            return PreparedAnswer(body: start + "\"text\":\(JSONText.quoted(text))" + usageMember(duration: true) + "}")
        default:
            return PreparedAnswer(
                body: "{\"text\":\(JSONText.quoted(text))"
                    + usageMember(duration: behavior.transcriptionUsage == .duration) + "}")
        }
    }

    private mutating func usageMember(duration: Bool) -> String {
        guard behavior.usage != .missing else { return "" }
        let usage = duration ? durationUsage : tokenUsage
        usageSaid = usage
        return ",\"usage\":\(usage)"
    }

    private var durationUsage: String {
        if behavior.usage == .null { return "null" }
        return "{\"type\":\"duration\",\"seconds\":\((plan.units.audioMilliseconds + 999) / 1000)}"
    }

    private var tokenUsage: String {
        if behavior.usage == .null { return "null" }
        let counts = ReportedCounts(plan, completionTokens: plan.completionTokens)
        return "{\"type\":\"tokens\",\"input_tokens\":\(counts.text(counts.prompt)),\"input_token_details\":"
            + "{\"text_tokens\":\(counts.text(counts.prompt - counts.promptAudio)),"
            + "\"audio_tokens\":\(counts.text(counts.promptAudio))},\"output_tokens\":"
            + "\(counts.text(counts.completion)),\"total_tokens\":\(counts.text(counts.total))}"
    }

    mutating func tokens(_ step: TokenStep) -> [StreamPiece] {
        let text = JSONText.quoted(plan.text.tokens(step.positions, choice: 0))
        return [.event("{\"type\":\"transcript.text.delta\",\"delta\":\(text)}")]
    }

    mutating func usage() -> [StreamPiece] {
        let text = JSONText.quoted(plan.text.tokens(0..<plan.completionTokensEach, choice: 0))
        let member = usageMember(duration: behavior.transcriptionUsage == .duration)
        return [.event("{\"type\":\"transcript.text.done\",\"text\":\(text)\(member)}")]
    }

    mutating func terminator() -> [StreamPiece] { [.event("[DONE]")] }
}
