internal import Metering

/// Understands plain answers of the OpenAI family: completions, responses, embeddings, pictures, sound, rankings.
struct OpenAIAnswerReader: AnswerReader {
    private enum Part: Int, CaseIterable {
        case usage, id, model, serviceTier, error, errorType, choiceError, object, finishReason, status
        case incompleteReason, metrics, timeInfo, timings, groq, breakdown, searchUnits, billedInput, billedOutput
        case duration, choiceUsage, itemType, itemAction, executedTool

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
            }
        }
    }

    private static let documentShape = DocumentShape(
        Part.allCases.map(\.wish) + [
            .items("data"), .text("text"), .text("choices.text"), .text("choices.message.content"),
            .text("choices.message.content.text"), .text("choices.message.reasoning_content"),
            .text("choices.message.reasoning"), .text("choices.message.refusal"),
            .text("choices.message.tool_calls.function.arguments"), .text("choices.message.function_call.arguments"),
            .text("output.content.text"), .text("output.content.refusal"), .text("output.summary.text"),
            .written("output.arguments"), .written("output.input"), .text("output.code"),
            .written("choices.message.tool_calls.custom.input"), .text("choices.message.reasoning_details.text"),
            .text("choices.message.reasoning_details.summary"), .text("choices.message.audio.transcript"),
            // Of events too long to be kept.
            .text("choices.delta.content"), .text("choices.delta.content.text"),
            .text("choices.delta.reasoning_content"), .text("choices.delta.reasoning"),
            .text("choices.delta.refusal"), .written("choices.delta.tool_calls.function.arguments"),
            .text("delta"), .text("item.content.text"), .text("item.summary.text"), .written("item.arguments"),
            .written("item.input"), .text("response.output.content.text"), .text("response.output.summary.text"),
            .written("response.output.arguments"), .written("response.output.input"),
        ])

    private var hasUsage = false
    private var choiceUsage: ChoiceUsage?
    private var choices: Int64 = 0
    private var hasChoiceUsage: Bool { choiceUsage != nil }

    var shape: DocumentShape { OpenAIAnswerReader.documentShape }
    var usagePart: Int? { Part.usage.rawValue }
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
        case .id: facts.id = AnswerFacts.name(value) ?? facts.id
        case .model: facts.model = AnswerFacts.name(value) ?? facts.model
        case .serviceTier: facts.serviceTier = AnswerFacts.name(value) ?? facts.serviceTier
        case .error, .choiceError:
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
            if reason == "error" { facts.hasError = true }
            facts.choicesSeen = facts.finishedChoices
        case .status:
            // Of responses; other answers have no status.
            guard let status = AnswerFacts.name(value) else { return }
            facts.finishReason = facts.finishReason ?? status
            if status == "failed" || status == "cancelled" { facts.hasError = true }
        case .incompleteReason: facts.finishReason = AnswerFacts.name(value) ?? facts.finishReason
        case .metrics, .timeInfo, .timings: facts.takeTimings(value)
        case .groq: facts.takeGroq(value)
        case .breakdown: facts.takeBreakdown(value)
        case .searchUnits: facts.units.searches = max(0, AnswerFacts.integer(value) ?? 0)
        case .billedInput, .billedOutput: takeBilled(part, value, &facts)
        case .duration: takeDuration(value, &facts)
        case .choiceUsage: takeChoiceUsage(value, &facts)
        case .itemType, .itemAction, .executedTool: takeTool(part, value, &facts)
        }
    }

    private func takeTool(_ part: Part, _ value: UnsafeRawBufferPointer, _ facts: inout AnswerFacts) {
        guard value.count > 2 else { return }
        let name = JSONText(range: 1..<value.count - 1, isEscaped: false)
        switch part {
        case .itemType:
            facts.units.searches += ToolCalls.searches(itemType: name, in: value)
            if ToolCalls.isPicture(itemType: name, in: value) { facts.units.images += 1 }
        case .itemAction:
            if ToolCalls.isFree(action: name, in: value) { facts.units.searches = max(0, facts.units.searches - 1) }
        default:
            if let tool = AnswerFacts.name(value), ToolCalls.isSearch(executed: tool) { facts.units.searches += 1 }
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
        guard let count = AnswerFacts.integer(value) else { return }
        if facts.usage == nil { facts.usage = EngineUsage() }
        if part == .billedInput { facts.usage?.promptTokens = count } else { facts.usage?.completionTokens = count }
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
