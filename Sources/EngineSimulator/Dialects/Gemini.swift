/// Google's `…:generateContent` and `…:streamGenerateContent`, as the Gemini API and Vertex have them.
struct GeminiDialect: Dialect {
    /// Where models stand, without the verb.
    static let models = [
        "/v1beta/models/*", "/v1/models/*", "/v1/publishers/*/models/*",
        "/v1/projects/*/locations/*/publishers/*/models/*", "/v1beta1/projects/*/locations/*/publishers/*/models/*",
    ]

    var streams: Bool

    var operation: Operation { .generateContent }
    var credentials: CredentialScheme { .google }
    var envelope: ErrorEnvelope { .google }

    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        let body = try exchange.object()
        var request = EngineRequest(operation: .generateContent, model: exchange.parameters.last ?? "")
        request.impliedFlavour = exchange.parameters.count > 1 ? .vertex : .gemini
        let limits = body["generationConfig"] ?? body["generation_config"] ?? .object([:])
        request.maxTokens = try EngineRequest.maxTokens(limits, "maxOutputTokens", contextTokensMax)
        request.choices = try EngineRequest.bounded(limits, "candidateCount", 1...8) ?? 1
        request.serviceTier =
            exchange.header("x-vertex-ai-llm-shared-request-type")
            ?? body["service_tier"]?.string ?? body["serviceTier"]?.string
        request.streamed = streams
        request.format = exchange.query("alt")
        request.tool = body["tools"]?.array?.first?["functionDeclarations"]?.array?.first?["name"]?.string
        request.mustCallTool = body["toolConfig"]?["functionCallingConfig"]?["mode"]?.string == "ANY"
        request.takePrompts([try Self.texts(body)])
        return request
    }

    static func texts(_ body: JSONValue) throws(EngineError) -> [String] {
        guard let contents = body["contents"]?.array, !contents.isEmpty else {
            throw .badRequest("* GenerateContentRequest.contents: contents is not specified", "contents")
        }
        let system = body["systemInstruction"].map { [EngineRequest.contentText($0["parts"])] } ?? []
        return system + contents.map { EngineRequest.contentText($0["parts"]) }
    }

    func template(_ sheet: AnswerSheet) -> any AnswerTemplate { GeminiTemplate(sheet: sheet) }
}

/// Words candidates. Every chunk of a stream has the counts so far.
struct GeminiTemplate: AnswerTemplate {
    let sheet: AnswerSheet
    private(set) var usageSaid: String?
    private var hasBegun = false

    init(sheet: AnswerSheet) {
        self.sheet = sheet
    }

    private var isVertex: Bool { behavior.flavour == .vertex }
    private var reason: String { plan.finishReason == "length" ? "MAX_TOKENS" : "STOP" }

    private var trafficType: String {
        switch sheet.servedTier {
        case "priority": "ON_DEMAND_PRIORITY"
        case "flex": "ON_DEMAND_FLEX"
        case "provisioned", "dedicated": "PROVISIONED_THROUGHPUT"
        default: "ON_DEMAND"
        }
    }

    private var headers: [String: String] {
        isVertex ? [:] : ["x-gemini-service-tier": sheet.servedTier ?? "standard"]
    }

    // MARK: Usage

    private func usageJSON(_ tokens: Int) -> String {
        if behavior.usage == .null { return "null" }
        let counts = ReportedCounts(plan, completionTokens: tokens)
        // Candidates usually leave the thoughts out; the total never does.
        let inside = behavior.countsThoughtsAsCandidates
        var json = "{\"promptTokenCount\":\(counts.text(counts.prompt)),"
        json += "\"candidatesTokenCount\":\(counts.text(inside ? counts.completion : counts.visible)),"
        json += "\"totalTokenCount\":\(counts.text(counts.total))"
        if counts.reasoning > 0 { json += ",\"thoughtsTokenCount\":\(counts.text(counts.reasoning))" }
        if counts.cached > 0 {
            json += ",\"cachedContentTokenCount\":\(counts.text(counts.cached)),\"cacheTokensDetails\":"
            json += "[{\"modality\":\"TEXT\",\"tokenCount\":\(counts.text(counts.cached))}]"
        }
        return json + ",\"promptTokensDetails\":[\(modalities(counts))]" + traffic + "}"
    }

    private func modalities(_ counts: ReportedCounts) -> String {
        let text = counts.prompt - counts.promptAudio - counts.promptImage
        return [("TEXT", text), ("AUDIO", counts.promptAudio), ("IMAGE", counts.promptImage)]
            .filter { $0.1 != 0 }
            .map { "{\"modality\":\"\($0.0)\",\"tokenCount\":\(counts.text($0.1))}" }
            .joined(separator: ",")
    }

    private var traffic: String { isVertex ? ",\"trafficType\":\"\(trafficType)\"" : "" }

    // MARK: Answers

    private func answer(_ candidates: [String], usage: String?) -> String {
        let member = usage.map { ",\"usageMetadata\":\($0)" } ?? ""
        return "{\"candidates\":[\(candidates.joined(separator: ","))]\(member),"
            + "\"modelVersion\":\(JSONText.quoted(sheet.model)),\"responseId\":\"\(sheet.id)\"}"
    }

    private func candidate(_ choice: Int, _ parts: [String], isLast: Bool) -> String {
        let end = isLast ? ",\"finishReason\":\"\(reason)\"" : ""
        return
            "{\"content\":{\"parts\":[\(parts.joined(separator: ","))],\"role\":\"model\"},\"index\":\(choice)\(end)}"
    }

    private func textPart(_ text: String, isThought: Bool = false) -> String {
        "{\"text\":\(JSONText.quoted(text))\(isThought ? ",\"thought\":true" : "")}"
    }

    private func callPart(_ tool: String, choice: Int) -> String {
        "{\"functionCall\":{\"name\":\(JSONText.quoted(tool)),\"args\":\(plan.toolArguments(choice: choice))}}"
    }

    mutating func plain() -> PreparedAnswer {
        let candidates = (0..<plan.choices).map { choice in
            var parts: [String] = []
            if plan.reasoningTokensEach > 0 {
                parts.append(textPart(plan.reasoningText(choice: choice), isThought: true))
            }
            let call = plan.tool.map { callPart($0, choice: choice) }
            parts.append(call ?? textPart(plan.visibleText(choice: choice)))
            return candidate(choice, parts, isLast: true)
        }
        if behavior.usage != .missing { usageSaid = usageJSON(plan.completionTokens) }
        return PreparedAnswer(headers: headers, body: answer(candidates, usage: usageSaid))
    }

    /// Without `alt=sse` a stream is one JSON array.
    var stream: StreamHead {
        let list = headers.map { ($0.key, $0.value) }
        if sheet.request.format == "sse" { return StreamHead(contentType: "text/event-stream", headers: list) }
        return StreamHead(framing: .jsonArray, contentType: "application/json; charset=UTF-8", headers: list)
    }

    mutating func tokens(_ step: TokenStep) -> [StreamPiece] {
        let (reasoning, visible) = plan.parted(step.positions)
        var parts: [String] = []
        if let reasoning { parts.append(textPart(plan.text.tokens(reasoning, choice: step.choice), isThought: true)) }
        // A call comes whole, at the end.
        if let visible, plan.tool == nil { parts.append(textPart(plan.text.tokens(visible, choice: step.choice))) }
        guard !parts.isEmpty else { return [] }
        return [.event(answer([candidate(step.choice, parts, isLast: false)], usage: running(step.tokensSoFar)))]
    }

    /// Vertex's first chunk may name the traffic and count nothing.
    private mutating func running(_ tokens: Int) -> String? {
        guard behavior.usage != .missing else { return nil }
        defer { hasBegun = true }
        if isVertex, !hasBegun { return "{\"trafficType\":\"\(trafficType)\"}" }
        usageSaid = usageJSON(tokens)
        return usageSaid
    }

    /// The last chunk has the finish reasons and the final counts.
    mutating func usage() -> [StreamPiece] {
        let candidates = (0..<plan.choices).map { choice in
            candidate(choice, [plan.tool.map { callPart($0, choice: choice) } ?? textPart("")], isLast: true)
        }
        if behavior.usage != .missing { usageSaid = usageJSON(plan.completionTokens) }
        return [.event(answer(candidates, usage: behavior.usage == .missing ? nil : usageSaid))]
    }

    mutating func failure(_ error: EngineError) -> [StreamPiece] {
        [.event(ErrorEnvelope.google.json(error, behavior.flavour))]
    }
}

/// Google's embeddings: `embedContent`, `batchEmbedContents`, and `predict` of Vertex's older models.
struct GeminiEmbedDialect: Dialect {
    enum Form { case one, batch, predict }

    var form: Form

    var operation: Operation { .embeddings }
    var credentials: CredentialScheme { .google }
    var envelope: ErrorEnvelope { .google }

    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        let body = try exchange.object()
        var request = EngineRequest(operation: .embeddings, model: exchange.parameters.last ?? "")
        request.impliedFlavour = exchange.parameters.count > 1 ? .vertex : .gemini
        let texts: [String]
        switch form {
        case .one: texts = [EngineRequest.contentText(body["content"]?["parts"])]
        case .batch:
            texts = body["requests"]?.array?.map { EngineRequest.contentText($0["content"]?["parts"]) } ?? []
            // The API insists on the model of the path.
            for one in body["requests"]?.array ?? []
            where one["model"]?.string.map({ $0 != "models/\(request.model)" }) ?? true {
                throw .badRequest("* BatchEmbedContentsRequest.requests[].model: must be that of the path", "requests")
            }
        case .predict: texts = body["instances"]?.array?.map { $0["content"]?.string ?? "" } ?? []
        }
        guard !texts.isEmpty, texts.allSatisfy({ !$0.isEmpty }) else {
            throw .badRequest("* EmbedContentRequest.content: contents is not specified", "content")
        }
        request.takePrompts(texts.map { [$0] })
        return request
    }

    func template(_ sheet: AnswerSheet) -> any AnswerTemplate { GeminiEmbedTemplate(sheet: sheet, form: form) }
}

/// Words embeddings.
struct GeminiEmbedTemplate: AnswerTemplate {
    let sheet: AnswerSheet
    let form: GeminiEmbedDialect.Form
    private(set) var usageSaid: String?

    init(sheet: AnswerSheet, form: GeminiEmbedDialect.Form) {
        self.sheet = sheet
        self.form = form
    }

    private static let values = "\"values\":[0.0125,-0.25,0.5,0.0625]"

    mutating func plain() -> PreparedAnswer {
        let counts = ReportedCounts(plan, completionTokens: 0)
        let count = sheet.request.promptTokens.count
        var body: String
        switch form {
        case .one: body = "{\"embedding\":{\(Self.values)}"
        case .batch:
            let all = Array(repeating: "{\(Self.values)}", count: count).joined(separator: ",")
            body = "{\"embeddings\":[\(all)]"
        case .predict:
            // The last text has what the others leave.
            let said = behavior.usage != .missing
            let each = counts.prompt / max(1, count)
            let all = (0..<count).map { index in
                let tokens = index == count - 1 ? counts.prompt - each * (count - 1) : each
                let statistics = said ? ",\"statistics\":{\"token_count\":\(tokens),\"truncated\":false}" : ""
                return "{\"embeddings\":{\(Self.values)\(statistics)}}"
            }
            if said { usageSaid = "{\"token_count\":\(counts.prompt)}" }
            return PreparedAnswer(body: "{\"predictions\":[\(all.joined(separator: ","))]}")
        }
        if behavior.usage != .missing {
            usageSaid = "{\"promptTokenCount\":\(counts.text(counts.prompt))}"
            body += ",\"usageMetadata\":\(usageSaid ?? "")"
        }
        return PreparedAnswer(body: body + "}")
    }

    mutating func tokens(_ step: TokenStep) -> [StreamPiece] { [] }
}

extension Engine {
    /// `…:countTokens`.
    func countGeminiTokens(_ exchange: Exchange) -> PreparedAnswer {
        do throws(EngineError) {
            let body = try exchange.object()
            let count = EngineRequest.tokenCount(try GeminiDialect.texts(body["generateContentRequest"] ?? body))
            let details = "[{\"modality\":\"TEXT\",\"tokenCount\":\(count)}]"
            return PreparedAnswer(body: "{\"totalTokens\":\(count),\"promptTokensDetails\":\(details)}")
        } catch {
            return ErrorEnvelope.google.answer(error)
        }
    }
}
