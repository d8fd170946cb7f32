/// OpenAI's `POST /v1/responses`.
struct ResponsesDialect: Dialect {
    var credentials = CredentialScheme.bearer
    var flavour: Behavior.Flavour?

    var operation: Operation { .responses }
    var envelope: ErrorEnvelope { .openai }

    func read(_ exchange: Exchange, contextTokensMax: Int) throws(EngineError) -> EngineRequest {
        let body = try exchange.object()
        guard let model = body["model"]?.string else { throw .badRequest("Field required", "model") }
        var request = EngineRequest(operation: .responses, model: model)
        request.impliedFlavour = exchange.isFromAzureClient ? .azure : flavour
        request.serviceTier = body["service_tier"]?.string
        request.streamed = body["stream"]?.bool ?? false
        request.maxTokens = try EngineRequest.maxTokens(body, "max_output_tokens", contextTokensMax)
        request.tool = body["tools"]?.array?.first { $0["type"]?.string == "function" }?["name"]?.string
        request.mustCallTool = body["tool_choice"]?.string == "required" || body["tool_choice"]?.object != nil
        request.takePrompts([try Self.texts(body)])
        return request
    }

    private static func texts(_ body: JSONValue) throws(EngineError) -> [String] {
        let instructions = body["instructions"]?.string.map { [$0] } ?? []
        if let text = body["input"]?.string { return instructions + [text] }
        guard let items = body["input"]?.array, !items.isEmpty else { throw .badRequest("Field required", "input") }
        return instructions + items.map { EngineRequest.contentText($0["content"]) }
    }

    func template(_ sheet: AnswerSheet) -> any AnswerTemplate { ResponsesTemplate(sheet: sheet) }
}

/// Words a response: reasoning is an item of its own, before the message or the call of a function.
struct ResponsesTemplate: AnswerTemplate {
    let sheet: AnswerSheet
    private(set) var usageSaid: String?
    private var sequence = 0
    private var isBackground = false

    var responseID: String { "resp_\(sheet.id)" }

    init(sheet: AnswerSheet) {
        self.sheet = sheet
    }

    private var hasReasoning: Bool { plan.reasoningTokensEach > 0 }
    private var itemIndex: Int { hasReasoning ? 1 : 0 }
    private var itemID: String { (plan.tool == nil ? "msg_" : "fc_") + sheet.id }

    // MARK: Plain

    mutating func plain() -> PreparedAnswer { PreparedAnswer(body: response(finalStatus)) }

    /// The document of one that was created in the background.
    mutating func background(_ status: String) -> String {
        isBackground = true
        let message = behavior.errorMessage ?? "the engine failed during generation"
        return response(status, error: status == "failed" ? EngineError(status: 500, message: message) : nil)
    }

    var finalStatus: String { plan.finishReason == "length" ? "incomplete" : "completed" }

    private mutating func response(_ status: String, error: EngineError? = nil) -> String {
        let isOver = status != "in_progress" && status != "queued" && status != "cancelled"
        let isWhole = isOver && error == nil
        let items = isWhole ? (hasReasoning ? [reasoningItem] : []) + [item(isDone: true)] : []
        let reason = status == "incomplete" ? "{\"reason\":\"max_output_tokens\"}" : "null"
        let failure = error.map { "{\"code\":\"server_error\",\"message\":\(JSONText.quoted($0.message))}" }
        var body = "{\"id\":\"\(responseID)\",\"object\":\"response\",\"created_at\":\(sheet.created),"
        body += "\"status\":\"\(status)\",\"background\":\(isBackground),\"error\":\(failure ?? "null"),"
        body += "\"incomplete_details\":\(reason),\"instructions\":null,\"max_output_tokens\":null,"
        body += "\"model\":\(JSONText.quoted(sheet.model)),\"output\":[\(items.joined(separator: ","))],"
        body += "\"parallel_tool_calls\":true,\"previous_response_id\":null,\"service_tier\":"
        body += "\(JSONText.quoted(sheet.servedTier ?? "auto")),\"store\":false,\"temperature\":1.0,"
        body += "\"tool_choice\":\"auto\",\"tools\":[],\"top_p\":1.0,\"truncation\":\"disabled\",\"metadata\":{}"
        if !isWhole {
            body += ",\"usage\":null"
        } else if behavior.usage != .missing {
            let usage = usageJSON
            usageSaid = usage
            body += ",\"usage\":\(usage)"
        }
        return body + "}"
    }

    private var usageJSON: String {
        if behavior.usage == .null { return "null" }
        let counts = ReportedCounts(plan, completionTokens: plan.completionTokens)
        return "{\"input_tokens\":\(counts.text(counts.prompt)),\"input_tokens_details\":"
            + "{\"cached_tokens\":\(counts.text(counts.cached)),"
            + "\"cache_write_tokens\":\(counts.text(counts.cacheWrites))},"
            + "\"output_tokens\":\(counts.text(counts.completion)),\"output_tokens_details\":"
            + "{\"reasoning_tokens\":\(counts.text(counts.reasoning))},\"total_tokens\":\(counts.text(counts.total))}"
    }

    private var reasoningItem: String {
        let text = JSONText.quoted(plan.reasoningText(choice: 0))
        return "{\"id\":\"rs_\(sheet.id)\",\"type\":\"reasoning\",\"summary\":[],\"content\":"
            + "[{\"type\":\"reasoning_text\",\"text\":\(text)}],\"status\":\"completed\"}"
    }

    private func item(isDone: Bool) -> String {
        let status = isDone ? "completed" : "in_progress"
        if let tool = plan.tool {
            let arguments = isDone ? plan.toolArguments(choice: 0) : ""
            return "{\"id\":\"\(itemID)\",\"type\":\"function_call\",\"status\":\"\(status)\",\"call_id\":"
                + "\"call_\(sheet.id)\",\"name\":\(JSONText.quoted(tool)),\"arguments\":\(JSONText.quoted(arguments))}"
        }
        return "{\"id\":\"\(itemID)\",\"type\":\"message\",\"status\":\"\(status)\",\"content\":"
            + "[\(isDone ? part(plan.visibleText(choice: 0)) : "")],\"role\":\"assistant\"}"
    }

    private func part(_ text: String) -> String {
        "{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\(JSONText.quoted(text))}"
    }

    // MARK: Streamed

    private mutating func event(_ type: String, _ members: String) -> StreamPiece {
        defer { sequence += 1 }
        return .event(type, "{\"type\":\"\(type)\",\"sequence_number\":\(sequence),\(members)}")
    }

    private func place(_ index: Int, _ id: String) -> String { "\"output_index\":\(index),\"item_id\":\"\(id)\"" }

    private var textPlace: String { place(itemIndex, itemID) + ",\"content_index\":0" }

    mutating func opening(choice: Int) -> [StreamPiece] {
        var pieces = ["response.created", "response.in_progress"].map { type in
            let response = response("in_progress")
            return event(type, "\"response\":\(response)")
        }
        if hasReasoning {
            pieces.append(
                event(
                    "response.output_item.added",
                    "\"output_index\":0,\"item\":{\"id\":\"rs_\(sheet.id)\",\"type\":\"reasoning\",\"summary\":[]}"))
        } else {
            pieces += itemOpening()
        }
        return pieces
    }

    private mutating func itemOpening() -> [StreamPiece] {
        let added = event("response.output_item.added", "\"output_index\":\(itemIndex),\"item\":\(item(isDone: false))")
        guard plan.tool == nil else { return [added] }
        return [added, event("response.content_part.added", textPlace + ",\"part\":\(part(""))")]
    }

    mutating func tokens(_ step: TokenStep) -> [StreamPiece] {
        let (reasoning, visible) = plan.parted(step.positions)
        var pieces: [StreamPiece] = []
        if let reasoning {
            let text = JSONText.quoted(plan.text.tokens(reasoning, choice: 0))
            let members = place(0, "rs_\(sheet.id)") + ",\"content_index\":0,\"delta\":\(text)"
            pieces.append(event("response.reasoning_text.delta", members))
            if reasoning.upperBound == plan.reasoningTokensEach { pieces += reasoningEnding() }
        }
        if let visible {
            if plan.tool != nil {
                let arguments = JSONText.quoted(plan.toolArguments(choice: 0, positions: visible))
                let members = place(itemIndex, itemID) + ",\"delta\":\(arguments)"
                pieces.append(event("response.function_call_arguments.delta", members))
            } else {
                let text = JSONText.quoted(plan.text.tokens(visible, choice: 0))
                pieces.append(event("response.output_text.delta", textPlace + ",\"logprobs\":[],\"delta\":\(text)"))
            }
        }
        return pieces
    }

    private mutating func reasoningEnding() -> [StreamPiece] {
        let text = JSONText.quoted(plan.reasoningText(choice: 0))
        let done = event(
            "response.reasoning_text.done", place(0, "rs_\(sheet.id)") + ",\"content_index\":0,\"text\":\(text)")
        let itemDone = event("response.output_item.done", "\"output_index\":0,\"item\":\(reasoningItem)")
        return [done, itemDone] + itemOpening()
    }

    mutating func finish(choice: Int) -> [StreamPiece] {
        var pieces: [StreamPiece] = []
        if let tool = plan.tool {
            let arguments = JSONText.quoted(plan.toolArguments(choice: 0))
            let members = place(itemIndex, itemID) + ",\"name\":\(JSONText.quoted(tool)),\"arguments\":\(arguments)"
            pieces.append(event("response.function_call_arguments.done", members))
        } else {
            let text = plan.visibleText(choice: 0)
            let members = textPlace + ",\"logprobs\":[],\"text\":\(JSONText.quoted(text))"
            pieces.append(event("response.output_text.done", members))
            pieces.append(event("response.content_part.done", textPlace + ",\"part\":\(part(text))"))
        }
        pieces.append(
            event("response.output_item.done", "\"output_index\":\(itemIndex),\"item\":\(item(isDone: true))"))
        return pieces
    }

    /// The last event is both the usage and the end.
    mutating func usage() -> [StreamPiece] {
        let response = response(finalStatus)
        return [event("response.\(finalStatus)", "\"response\":\(response)")]
    }

    mutating func failure(_ error: EngineError) -> [StreamPiece] {
        let message = JSONText.quoted(error.message)
        let told = event("error", "\"code\":\"server_error\",\"message\":\(message),\"param\":null")
        let response = response("failed", error: error)
        return [told, event("response.failed", "\"response\":\(response)")]
    }
}
