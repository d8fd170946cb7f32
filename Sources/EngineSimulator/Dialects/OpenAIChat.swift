/// OpenAI's chat and text completions, in every flavour of engines that speak them.
struct OpenAIChatDialect: Dialect {
    let operation: Operation
    var credentials = CredentialScheme.bearer
    /// What the path says of the engine.
    var flavour: Behavior.Flavour?
    /// Whether the path names the model, as Azure's deployments do.
    var modelInPath = false

    var envelope: ErrorEnvelope { .openai }

    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        var body = try exchange.object()
        if modelInPath, body["model"] == nil, case .object(var members) = body {
            members["model"] = .string(exchange.parameters.first ?? "")
            body = .object(members)
        }
        var request = try EngineRequest(operation: operation, body: body, contextTokensMax: contextTokensMax)
        request.impliedFlavour = exchange.isFromAzureClient ? .azure : flavour
        return request
    }

    func template(_ sheet: AnswerSheet) -> any AnswerTemplate { OpenAIChatTemplate(sheet) }
}

extension EngineRequest {
    /// Reads the body of a chat, a text completion or an embeddings request.
    ///
    /// - Throws: the `EngineError` that a real engine would answer with.
    init(operation: Operation, body: JSONValue, contextTokensMax: Int) throws(EngineError) {
        guard let model = body["model"]?.string else { throw .badRequest("Field required", "model") }
        self.init(operation: operation, model: model)
        serviceTier = body["service_tier"]?.string
        members = body.object?.keys.sorted() ?? []
        try readStreaming(body)
        let texts = try Self.texts(operation, body)
        takePrompts(texts)
        guard operation != .embeddings else {
            base64 = body["encoding_format"]?.string == "base64"
            dimensions = try Self.bounded(body, "dimensions", 1...4096)
            return
        }
        let newName = try Self.maxTokens(body, "max_completion_tokens", contextTokensMax)
        let oldName = try Self.maxTokens(body, "max_tokens", contextTokensMax)
        maxTokens = newName ?? oldName
        ignoresEndOfSequence = body["ignore_eos"]?.bool ?? false
        let each = try Self.bounded(body, "n", 1...Self.choicesMax) ?? 1
        choices = (operation == .chat ? 1 : texts.count) * each
        guard choices <= Self.choicesMax else { throw .badRequest("at most \(Self.choicesMax) choices", "n") }
        tool = body["tools"]?.array?.first?["function"]?["name"]?.string
        mustCallTool = body["tool_choice"]?.string == "required" || body["tool_choice"]?.object != nil
    }

    private mutating func readStreaming(_ body: JSONValue) throws(EngineError) {
        guard operation != .embeddings else { return }
        streamed = body["stream"]?.bool ?? false
        guard let options = body["stream_options"] else { return }
        guard streamed else {
            throw .badRequest(
                "Stream options can only be defined when `stream=True`. (parameter=stream_options)", "stream_options"
            )
        }
        streamOptions = options.object?.keys.sorted() ?? []
        includeUsage = options["include_usage"]?.bool ?? false
        // vLLM's rule: continuous statistics are given only where usage was asked for.
        continuousUsage = includeUsage && (options["continuous_usage_stats"]?.bool ?? false)
    }

    /// The prompts of a request; each is a list of texts (a chat has one prompt of several messages).
    private static func texts(_ operation: Operation, _ body: JSONValue) throws(EngineError) -> [[String]] {
        switch operation {
        case .completions: return try inputs(body, "prompt")
        case .embeddings: return try inputs(body, "input")
        default:
            guard let messages = body["messages"]?.array else { throw .badRequest("Field required", "messages") }
            guard !messages.isEmpty else {
                throw .badRequest(
                    "Cannot apply chat template to an empty conversation. Provide at least one message."
                )
            }
            return [messages.map { contentText($0["content"]) }]
        }
    }

    /// A text, a list of texts, a list of token numbers, or a list of those.
    private static func inputs(_ body: JSONValue, _ name: String) throws(EngineError) -> [[String]] {
        guard let value = body[name] else { throw .badRequest("Field required", name) }
        if let text = value.string { return [[text]] }
        guard let values = value.array, !values.isEmpty, values.count <= inputsMax || values[0].int != nil else {
            throw .badRequest("\(name) must be a text or a list of 1 to \(inputsMax) of them", name)
        }
        if values[0].int != nil { return [[numbers(values)]] }
        return values.map { [$0.string ?? numbers($0.array ?? [])] }
    }

    private static func numbers(_ values: [JSONValue]) -> String {
        values.compactMap(\.int).map(String.init).joined(separator: " ")
    }
}

/// Words a chat's or a text completion's answer.
struct OpenAIChatTemplate: AnswerTemplate {
    let sheet: AnswerSheet
    private(set) var usageSaid: String?

    /// What every event of the stream starts with, up to and with the bracket of `choices`.
    private let streamStart: String
    private let isChat: Bool
    private static let fingerprint = "simulator-1"

    private var flavour: Behavior.Flavour { behavior.flavour }

    init(_ sheet: AnswerSheet) {
        self.sheet = sheet
        isChat = sheet.plan.operation != .completions
        let object = isChat ? "chat.completion.chunk" : "text_completion"
        let tier = sheet.servedTier.map { ",\"service_tier\":\(JSONText.quoted($0))" } ?? ""
        let id = sheet.behavior.flavour == .tgi ? "" : "\(isChat ? "chatcmpl" : "cmpl")-\(sheet.id)"
        streamStart =
            "{\"id\":\"\(id)\",\"object\":\"\(object)\",\"created\":\(Self.created(sheet)),"
            + "\"model\":\(JSONText.quoted(sheet.model))\(tier),\"system_fingerprint\":\"\(Self.fingerprint)\","
            + "\"choices\":["
    }

    /// SambaNova tells the second with a fraction.
    private static func created(_ sheet: AnswerSheet) -> String {
        sheet.behavior.flavour == .sambanova ? JSONText.milliseconds(sheet.startedMilliseconds) : "\(sheet.created)"
    }

    private func usage(_ tokens: Int) -> OpenAIUsage {
        OpenAIUsage(plan: plan, completionTokens: tokens, startedMilliseconds: sheet.startedMilliseconds)
    }

    // MARK: Plain

    mutating func plain() -> PreparedAnswer {
        let object = isChat ? "chat.completion" : "text_completion"
        let choices = (0..<plan.choices).map(plainChoice).joined(separator: ",")
        let id = flavour == .tgi ? "" : "\(isChat ? "chatcmpl" : "cmpl")-\(sheet.id)"
        var body = "{\"id\":\"\(id)\",\"object\":\"\(object)\",\"created\":\(Self.created(sheet)),"
        body += "\"model\":\(JSONText.quoted(sheet.model)),\"choices\":[\(choices)],"
        body += "\"service_tier\":\(JSONText.quoted(sheet.servedTier)),\"system_fingerprint\":\"\(Self.fingerprint)\""
        if behavior.usage != .missing {
            let usage = usage(plan.completionTokens)
            let json = usage.json(in: .plainAnswer)
            usageSaid = json
            body += ",\"usage\":\(json)" + usage.beside
        }
        if flavour == .groq { body += ",\"x_groq\":{\"id\":\"req_\(sheet.id)\"}" + breakdown }
        return PreparedAnswer(headers: headers, body: body + "}")
    }

    /// What Groq says of the models inside a compound system: their tokens are not in the usage beside.
    private var breakdown: String {
        guard behavior.innerInferences == .components else { return ",\"usage_breakdown\":null" }
        let models = plan.inner.map { inner in
            JSONText.object([
                "model": JSONText.quoted(inner.model),
                "usage": JSONText.object([
                    "queue_time": "0.000125", "prompt_tokens": String(inner.promptTokens), "prompt_time": "0.001000",
                    "completion_tokens": String(inner.completionTokens), "completion_time": "0.002000",
                    "total_tokens": String(inner.promptTokens + inner.completionTokens), "total_time": "0.003000",
                ]),
            ])
        }
        return ",\"usage_breakdown\":{\"models\":[\(models.joined(separator: ","))]}"
    }

    private func plainChoice(_ choice: Int) -> String {
        let reasoning = plan.reasoningText(choice: choice)
        let visible = plan.visibleText(choice: choice)
        let start = "{\"index\":\(choice),"
        let filters = flavour == .azure ? "," + Self.filters : ""
        let end = "\"logprobs\":null,\"finish_reason\":\"\(plan.finishReason)\",\"stop_reason\":null\(filters)}"
        guard isChat else { return start + "\"text\":\(JSONText.quoted(reasoning + visible))," + end }
        let call = plan.tool.map { tool in
            let function = JSONText.object([
                "name": JSONText.quoted(tool), "arguments": JSONText.quoted(plan.toolArguments(choice: choice)),
            ])
            return "{\"id\":\"call_\(sheet.id)\",\"type\":\"function\",\"function\":\(function)}"
        }
        let message = JSONText.object([
            "role": "\"assistant\"", "content": call == nil ? JSONText.quoted(visible) : "null", "refusal": "null",
            "tool_calls": "[\(call ?? "")]",
            reasoningName: reasoning.isEmpty ? "null" : JSONText.quoted(reasoning),
        ])
        return start + "\"message\":\(message)," + end
    }

    private var reasoningName: String { flavour == .deepseek || flavour == .xai ? "reasoning_content" : "reasoning" }

    // MARK: Streamed

    var stream: StreamHead { StreamHead(headers: headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }) }

    mutating func opening(choice: Int) -> [StreamPiece] {
        let role = event(
            choices: streamedChoice(choice, "\"delta\":{\"role\":\"assistant\",\"content\":\"\"}"), tokensSoFar: 0,
            more: flavour == .groq ? ",\"x_groq\":{\"id\":\"req_\(sheet.id)\"}" : "")
        guard flavour == .azure, choice == 0 else { return [role] }
        return [.event(Self.promptFilter), role]
    }

    mutating func tokens(_ step: TokenStep) -> [StreamPiece] {
        let content: String
        if !isChat {
            content = "\"text\":\(JSONText.quoted(plan.text.tokens(step.positions, choice: step.choice)))"
        } else {
            content = "\"delta\":{\(delta(step))}"
        }
        return [
            event(
                choices: streamedChoice(step.choice, content, finishes: step.finishes), tokensSoFar: step.tokensSoFar)
        ]
    }

    /// A chunk may hold the last reasoning tokens and the first visible ones.
    private func delta(_ step: TokenStep) -> String {
        let (reasoning, visible) = plan.parted(step.positions)
        var members: [String] = []
        if let reasoning {
            members.append("\"\(reasoningName)\":\(JSONText.quoted(plan.text.tokens(reasoning, choice: step.choice)))")
        }
        guard let visible else { return members.joined(separator: ",") }
        if let tool = plan.tool {
            let isFirst = visible.lowerBound == plan.reasoningTokensEach
            let arguments = JSONText.quoted(plan.toolArguments(choice: step.choice, positions: visible))
            let name = isFirst ? "\"name\":\(JSONText.quoted(tool))," : ""
            let start = isFirst ? "\"id\":\"call_\(sheet.id)\",\"type\":\"function\"," : ""
            members.append(
                "\"tool_calls\":[{\"index\":0,\(start)\"function\":{\(name)\"arguments\":\(arguments)}}]")
        } else {
            members.append("\"content\":\(JSONText.quoted(plan.text.tokens(visible, choice: step.choice)))")
        }
        return members.joined(separator: ",")
    }

    mutating func finish(choice: Int) -> [StreamPiece] {
        var content = isChat ? "\"delta\":{}" : "\"text\":\"\""
        if flavour == .together { content = "\"text\":\"\",\"delta\":{\"role\":\"assistant\",\"content\":\"\"}" }
        let isLast = choice == plan.choices - 1
        let rides = flavour.usageRidesOnFinish && isLast && behavior.usage != .missing
        return [
            event(
                choices: streamedChoice(choice, content, finishes: true), tokensSoFar: plan.completionTokens,
                more: rides ? ridingUsage() : "")
        ]
    }

    private mutating func ridingUsage() -> String {
        let usage = usage(plan.completionTokens)
        let json = usage.json(in: .lastChunk)
        usageSaid = json
        let twice = flavour == .groq ? ",\"x_groq\":{\"id\":\"req_\(sheet.id)\",\"usage\":\(json)}" + breakdown : ""
        return twice + ",\"usage\":\(json)" + usage.beside
    }

    mutating func usage() -> [StreamPiece] {
        guard behavior.usage != .missing, plan.includeUsage || flavour == .openrouter else { return [] }
        // llama.cpp counts each choice for itself, the prompt in each.
        let counted = flavour == .llamaCpp ? Array(repeating: plan.completionTokensEach, count: plan.choices) : nil
        return (counted ?? [plan.completionTokens]).map { tokens in
            let usage = usage(tokens)
            let json = usage.json(in: .lastChunk)
            usageSaid = json
            return .event(streamStart + "],\"usage\":\(json)" + usage.beside + "}")
        }
    }

    mutating func terminator() -> [StreamPiece] { [.event("[DONE]")] }

    mutating func failure(_ error: EngineError) -> [StreamPiece] {
        [.event(ErrorEnvelope.openai.json(error, flavour))]
    }

    private func streamedChoice(_ choice: Int, _ content: String, finishes: Bool = false) -> String {
        let reason = finishes ? "\"\(plan.finishReason)\"" : "null"
        let filters = flavour == .azure ? "," + Self.filters : ""
        return "{\"index\":\(choice),\(content),\"logprobs\":null,\"finish_reason\":\(reason)\(filters)}"
    }

    private mutating func event(choices: String, tokensSoFar: Int, more: String = "") -> StreamPiece {
        .event(streamStart + choices + "]" + runningUsage(tokensSoFar, given: !more.isEmpty) + more + "}")
    }

    private mutating func runningUsage(_ tokensSoFar: Int, given: Bool) -> String {
        guard behavior.usage != .missing, !given else { return "" }
        if plan.continuousUsage {
            let json = usage(tokensSoFar).json(in: .runningChunk)
            usageSaid = json
            return ",\"usage\":\(json)"
        }
        if flavour == .together { return ",\"usage\":null" }
        return plan.includeUsage && [.openai, .azure, .tgi].contains(flavour) ? ",\"usage\":null" : ""
    }

    // MARK: Azure, TGI

    private static let filters =
        "\"content_filter_results\":{\"hate\":{\"filtered\":false,\"severity\":\"safe\"},"
        + "\"violence\":{\"filtered\":false,\"severity\":\"safe\"}}"

    /// Azure's first chunk: no choice, no name, and no usage either.
    private static let promptFilter =
        "{\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\",\"prompt_filter_results\":"
        + "[{\"prompt_index\":0,\(filters)}]}"

    private var headers: [String: String] {
        switch flavour {
        case .azure: ["x-ms-region": "Simulated", "x-ms-deployment-name": sheet.request.model]
        case .openai:
            ["openai-processing-ms": "\(EngineTimes(plan).totalMilliseconds)", "openai-version": "2020-10-01"]
        default: [:]
        }
    }
}
