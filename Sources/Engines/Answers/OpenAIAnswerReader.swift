internal import Metering

/// Understands plain answers of the OpenAI family: completions, responses, embeddings, pictures, sound, rankings.
struct OpenAIAnswerReader: AnswerReader {
    private enum Part: Int, CaseIterable {
        case usage, id, model, serviceTier, error, errorType, choiceError, object, finishReason, status
        case incompleteReason, metrics, timeInfo, timings, groq, breakdown, searchUnits, billedInput, billedOutput
        case duration, choiceUsage, itemType, itemAction, executedTool, toolUsage, searchResult, webSearch
        case tierUsed, annotation, baseStatus, baseMessage, errorCode, itemError
        // Of events of a stream that are too long to be kept.
        case eventType, longItemType, longItemAction, repeatedItemType, repeatedItemAction, responseUsage, responseID
        case responseModel, responseStatus, responseReason, responseTier, responseError, responseToolUsage

        var wish: DocumentShape.Part {
            switch self {
            case .usage: .value("usage", bytesMax: DocumentShape.usageBytesMax)
            case .id: .value("id")
            case .model: .value("model")
            case .serviceTier: .value("service_tier")
            case .error: .value("error", bytesMax: 4096)
            case .errorType: .value("error_type")
            case .choiceError: .value("choices.error", bytesMax: 4096)
            case .object: .value("object")
            case .finishReason: .value("choices.finish_reason")
            case .status: .value("status")
            case .incompleteReason: .value("incomplete_details.reason")
            case .metrics: .value("metrics", bytesMax: 4096)
            case .timeInfo: .value("time_info", bytesMax: 4096)
            case .timings: .value("timings", bytesMax: 4096)
            case .groq: .value("x_groq", bytesMax: DocumentShape.usageBytesMax)
            case .breakdown: .value("usage_breakdown", bytesMax: DocumentShape.usageBytesMax)
            case .searchUnits: .value("meta.billed_units.search_units")
            case .billedInput: .value("meta.billed_units.input_tokens")
            case .billedOutput: .value("meta.billed_units.output_tokens")
            case .duration: .value("duration")
            case .choiceUsage: .value("choices.usage", bytesMax: DocumentShape.usageBytesMax)
            case .itemType: .value("output.type")
            case .itemAction: .value("output.action.type")
            case .executedTool: .value("choices.message.executed_tools.type")
            case .toolUsage: .value("tool_usage", bytesMax: DocumentShape.usageBytesMax)
            case .searchResult: .value("search_results.url", bytesMax: DocumentShape.addressBytesMax)
            case .webSearch: .value("web_search.link", bytesMax: DocumentShape.addressBytesMax)
            case .tierUsed: .value("service_tier_used")
            case .annotation: .value("choices.message.annotations.type")
            // MiniMax's errors, and Baidu's.
            case .baseStatus: .value("base_resp.status_code")
            case .baseMessage: .value("base_resp.status_msg", bytesMax: 4096)
            case .errorCode: .value("error_code")
            // Of one of several pictures that did not come (Seedream).
            case .itemError: .value("data.error", bytesMax: 4096)
            case .eventType: .value("type")
            case .longItemType: .value("item.type")
            case .longItemAction: .value("item.action.type")
            case .repeatedItemType: .value("response.output.type")
            case .repeatedItemAction: .value("response.output.action.type")
            case .responseUsage: .value("response.usage", bytesMax: DocumentShape.usageBytesMax)
            case .responseID: .value("response.id")
            case .responseModel: .value("response.model")
            case .responseStatus: .value("response.status")
            case .responseReason: .value("response.incomplete_details.reason")
            case .responseTier: .value("response.service_tier")
            case .responseError: .value("response.error", bytesMax: 4096)
            case .responseToolUsage: .value("response.tool_usage", bytesMax: DocumentShape.usageBytesMax)
            }
        }
    }

    private static let documentShape = DocumentShape(
        Part.allCases.map(\.wish) + [
            .items("data"), .text("text"), .text("choices.text"), .text("choices.message.content"),
            .text("choices.message.content.text"), .repeatedReasoning("choices.message.reasoning_content"),
            .repeatedReasoning("choices.message.reasoning"), .text("choices.message.refusal"),
            .text("choices.message.tool_calls.function.arguments"), .text("choices.message.function_call.arguments"),
            .text("output.content.text"), .text("output.content.refusal"), .reasoning("output.summary.text"),
            .written("output.arguments"), .written("output.input"), .text("output.code"),
            .written("choices.message.tool_calls.custom.input"),
            .repeatedReasoning("choices.message.reasoning_details.text"),
            .reasoning("choices.message.reasoning_details.summary"), .text("choices.message.audio.transcript"),
            .encrypted("choices.message.reasoning_details.data"), .encrypted("output.encrypted_content"),
            .media("choices.message.images.image_url.url", .picture), .media("choices.message.images.url", .picture),
            .media("choices.message.images.b64_json", .picture), .media("choices.message.images", .picture),
            .media("choices.message.content.image_url.url", .picture),
            .media("choices.message.content.image_url", .picture), .media("choices.message.audio.data", .sound),
            .media("output.content.image_url", .picture), .media("output.result", .picture),
            // Of events too long to be kept.
            .text("choices.delta.content"), .text("choices.delta.content.text"),
            .reasoning("choices.delta.reasoning_content"), .reasoning("choices.delta.reasoning"),
            .media("choices.delta.images.image_url.url", .picture), .media("choices.delta.images.url", .picture),
            .media("choices.delta.images.b64_json", .picture), .media("choices.delta.images", .picture),
            .media("choices.delta.content.image_url.url", .picture),
            .media("choices.delta.content.image_url", .picture), .media("choices.delta.audio.data", .sound),
            .text("choices.delta.audio.transcript"), .encrypted("choices.delta.reasoning_details.data"),
            .reasoning("choices.delta.reasoning_details.text"),
            .media("item.result", .picture), .encrypted("item.encrypted_content"),
            .media("response.output.result", .picture), .encrypted("response.output.encrypted_content"),
            .text("choices.delta.refusal"), .written("choices.delta.tool_calls.function.arguments"),
            .text("delta"), .text("item.content.text"), .text("item.summary.text"), .written("item.arguments"),
            .written("item.input"), .text("response.output.content.text"), .text("response.output.summary.text"),
            .written("response.output.arguments"), .written("response.output.input"),
            // Pictures that stand beside `data`, or in its place.
            .media("images.url", .picture), .media("images.b64_json", .picture), .media("images", .picture),
            .media("artifacts.base64", .picture),
            // Names that only some engines have.
            .repeatedReasoning("choices.message.thinking"), .reasoning("choices.message.content.thinking"),
            .reasoning("choices.message.content.thinking.text"), .text("choices.message.tool_plan"),
            .reasoning("choices.delta.thinking"), .reasoning("choices.delta.content.thinking"),
            .reasoning("choices.delta.content.thinking.text"), .text("choices.delta.tool_plan"),
            .text("message.content.text"), .reasoning("message.content.thinking"), .text("message.tool_plan"),
            .text("delta.message.content.text"), .reasoning("delta.message.content.thinking"),
            .text("delta.message.tool_plan"),
        ])

    /// Of an event that is too long to be kept: what it is, and what the items in it are.
    private(set) var eventType: StreamChunk.Typed?
    private(set) var isItemDone = false
    private(set) var isPartialPicture = false
    private(set) var itemUnits = UsageUnits()
    private var failedChoices: Int64 = 0
    private var hasFailed = false
    private var hasUsage = false
    private var hasTierUsed = false
    private var choiceUsage: ChoiceUsage?
    private var choices: Int64 = 0
    private var hasChoiceUsage: Bool { choiceUsage != nil }

    var shape: DocumentShape { OpenAIAnswerReader.documentShape }
    var usagePart: Int? { Part.usage.rawValue }
    var innerUsagePart: Int? { Part.responseUsage.rawValue }
    var modelPart: Int? { Part.model.rawValue }

    mutating func take(part: Int, value: UnsafeRawBufferPointer, facts: inout AnswerFacts) {
        guard let part = Part(rawValue: part) else { return }
        switch part {
        case .usage:
            // What single choices say is in it.
            if hasChoiceUsage, value.first == UInt8(ascii: "{") {
                facts.usage = nil
                choiceUsage = nil
            }
            hasUsage = hasUsage || value.first == UInt8(ascii: "{")
            facts.takeUsage(value)
        case .responseUsage: facts.takeUsage(value)
        case .toolUsage, .responseToolUsage: facts.takeToolUsage(value)
        case .id, .responseID: facts.id = AnswerFacts.name(value) ?? facts.id
        case .model, .responseModel: facts.model = AnswerFacts.name(value) ?? facts.model
        case .serviceTier, .responseTier:
            if !hasTierUsed { facts.serviceTier = AnswerFacts.name(value) ?? facts.serviceTier }
        case .tierUsed:
            guard let tier = AnswerFacts.name(value) else { return }
            facts.serviceTier = tier
            hasTierUsed = true
        case .annotation: if AnswerFacts.name(value) == "url_citation" { facts.showsSources = true }
        case .baseStatus, .errorCode:
            guard let code = AnswerFacts.integer(value), code != 0 else { return }
            facts.hasError = true
            if facts.error == nil { facts.error = EngineErrorText() }
        case .baseMessage:
            guard facts.hasError else { return }
            if let message = AnswerFacts.name(value) { facts.error?.message = message }
        case .error, .choiceError, .responseError:
            let type = facts.error?.type
            facts.takeError(value)
            if let type { facts.error?.type = type }
        case .object: if AnswerFacts.name(value) == "error" { facts.hasError = true }
        case .errorType:
            if facts.error == nil { facts.error = EngineErrorText() }
            facts.error?.type = AnswerFacts.name(value)
        case .finishReason:
            guard let reason = AnswerFacts.name(value) else { return }
            facts.finishReason = reason
            facts.finishedChoices += 1
            if reason == "error" {
                facts.hasError = true
                failedChoices += 1
            }
            facts.choicesSeen = facts.finishedChoices
        case .responseStatus:
            guard let status = AnswerFacts.name(value), status != "queued", status != "in_progress" else { return }
            facts.finishReason = facts.finishReason ?? status
        case .status:
            // Of responses; other answers have no status.
            guard let status = AnswerFacts.name(value) else { return }
            facts.finishReason = facts.finishReason ?? status
            if status == "failed" || status == "cancelled" { facts.hasError = true }
            hasFailed = status == "failed"
        case .incompleteReason, .responseReason: facts.finishReason = AnswerFacts.name(value) ?? facts.finishReason
        case .metrics, .timeInfo, .timings: facts.takeTimings(value)
        case .groq: facts.takeGroq(value)
        case .breakdown: facts.takeBreakdown(value)
        case .searchUnits: facts.units.searches = max(0, AnswerFacts.integer(value) ?? 0)
        case .billedInput, .billedOutput: takeBilled(part, value, &facts)
        case .duration: takeDuration(value, &facts)
        case .itemError: if !value.equals("null", in: 0..<value.count) { facts.itemsFailed += 1 }
        case .choiceUsage: takeChoiceUsage(value, &facts)
        case .itemType, .itemAction, .executedTool: Self.takeTool(part, value, &facts.units)
        // What a search found stands beside the answer (Perplexity, Zhipu), which says no other number of searches.
        case .searchResult, .webSearch: facts.units.searches = max(1, facts.units.searches)
        case .longItemType, .repeatedItemType: Self.takeTool(.itemType, value, &itemUnits)
        case .longItemAction, .repeatedItemAction: Self.takeTool(.itemAction, value, &itemUnits)
        case .eventType: takeEventType(value)
        }
    }

    private mutating func takeEventType(_ value: UnsafeRawBufferPointer) {
        guard value.count > 2, value.first == UInt8(ascii: "\"") else { return }
        let name = JSONText(range: 1..<value.count - 1, isEscaped: false)
        eventType = StreamChunk.type(named: name, in: value)
        isItemDone = name.equals("response.output_item.done", in: value)
        isPartialPicture = name.equals("response.image_generation_call.partial_image", in: value)
    }

    /// A plain answer failed where it says so, or where none of its choices ended well.
    mutating func finish(facts: inout AnswerFacts) {
        facts.endsInFailure = hasFailed || failedChoices > 0 && failedChoices == facts.finishedChoices
    }

    private static func takeTool(_ part: Part, _ value: UnsafeRawBufferPointer, _ units: inout UsageUnits) {
        guard value.count > 2 else { return }
        let name = JSONText(range: 1..<value.count - 1, isEscaped: false)
        switch part {
        case .itemType:
            units.searches += ToolCalls.searches(itemType: name, in: value)
            if ToolCalls.isPicture(itemType: name, in: value) { units.images += 1 }
        case .itemAction:
            if ToolCalls.isFree(action: name, in: value) { units.searches = max(0, units.searches - 1) }
        default:
            if let tool = AnswerFacts.name(value), ToolCalls.isSearch(executed: tool) { units.searches += 1 }
        }
    }

    /// Usage inside the choices (Moonshot): their outputs add up, and each has the whole prompt.
    private mutating func takeChoiceUsage(_ value: UnsafeRawBufferPointer, _ facts: inout AnswerFacts) {
        guard !hasUsage, let usage = EngineUsage(object: value) else { return }
        var all = choiceUsage ?? ChoiceUsage(choiceCount: ChoiceUsage.choicesMax, addsChoices: false)
        all.take(usage, of: choices, into: &facts.usage)
        choices += 1
        choiceUsage = all
    }

    /// Cohere's form of usage.
    private func takeBilled(_ part: Part, _ value: UnsafeRawBufferPointer, _ facts: inout AnswerFacts) {
        var usage = facts.usage ?? EngineUsage()
        let count = usage.readCount("a count of billed units", value)
        guard count != nil || usage.contradiction != nil else { return }
        if part == .billedInput {
            usage.promptTokens = count ?? usage.promptTokens
        } else {
            usage.completionTokens = count ?? usage.completionTokens
        }
        facts.usage = usage
    }

    /// Of transcriptions in their long form: seconds, with a fraction.
    private func takeDuration(_ value: UnsafeRawBufferPointer, _ facts: inout AnswerFacts) {
        let isText = value.first == UInt8(ascii: "\"")
        let range = isText ? 1..<max(1, value.count - 1) : 0..<value.count
        guard let milliseconds = DecimalText.scaled(value, range, exponent: 3) else { return }
        facts.units.audioMilliseconds = max(facts.units.audioMilliseconds, milliseconds)
    }

    /// Streams of this family are read by `StreamMeter`.
    mutating func read(_ event: StreamedEvent, facts: inout AnswerFacts) -> StreamEvent { .other }
}

extension AnswerFacts {
    /// The string that a JSON value is, when it is one that is short enough to be kept and not empty.
    static func name(_ value: UnsafeRawBufferPointer) -> String? {
        guard (3...nameBytesMax + 2).contains(value.count), value[0] == UInt8(ascii: "\"") else { return nil }
        let isEscaped = value.contains(UInt8(ascii: "\\"))
        return JSONText(range: 1..<value.count - 1, isEscaped: isEscaped).value(in: value)
    }

    /// The integer that a JSON value is.
    static func integer(_ value: UnsafeRawBufferPointer) -> Int64? {
        var scanner = JSONScanner(value)
        guard let kind = try? scanner.kind(), kind == .number, let number = try? scanner.number() else { return nil }
        return number
    }
}
