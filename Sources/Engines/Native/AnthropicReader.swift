internal import Metering

/// Reads answers of Anthropic's Messages API, plain and streamed.
///
/// A stream says its usage at the start (`message_start`, the output still a placeholder) and again, cumulative, in
/// each `message_delta`: the last word on each field counts. A second start with the same id is a repetition; one with
/// another id was spliced in and begins another inference.
struct AnthropicReader: AnswerReader {
    private(set) var usageEnd: Int?
    private(set) var modelRange: Range<Int>?

    /// Of the current inference: what its start and its deltas said.
    private var start: EngineUsage?
    private var delta: EngineUsage?
    private var iterations: (found: [AnthropicUsage.Iteration], said: EngineUsage)?
    private var startedModel: String?
    /// The model that declined, and the one that takes over from it, as a block between their words says.
    private var declinedModel: String?
    private var fallbackModel: String?
    private var eventsSinceStart: Int64 = 0
    /// Tokens that the content of the inferences before came to.
    private var estimateAtStart: Int64 = 0
    private var tier: String?
    private var isFast = false
    private var region: String?
    /// Inferences that another start cut short.
    private var cutShort: [InnerInference] = []

    private enum Part: Int { case id, model, stopReason, usage, declinedModel, error }
    private static let partShape = DocumentShape([
        .value("id"), .value("model"), .value("stop_reason"),
        .value("usage", bytesMax: DocumentShape.usageBytesMax), .value("content.from.model"),
        .value("error", bytesMax: 8192),
        .text("content.text"), .reasoning("content.thinking"), .written("content.input"),
        .encrypted("content.data"), .encrypted("content.signature"),
        // Of events too long to be kept.
        .text("delta.text"), .reasoning("delta.thinking"), .text("delta.partial_json"),
        .encrypted("delta.signature"), .encrypted("content_block.data"),
    ])

    var shape: DocumentShape { AnthropicReader.partShape }
    var usagePart: Int? { Part.usage.rawValue }
    var modelPart: Int? { Part.model.rawValue }

    mutating func take(part: Int, value: UnsafeRawBufferPointer, facts: inout AnswerFacts) {
        switch Part(rawValue: part) {
        case .id: facts.id = NativeValue.name(value) ?? facts.id
        case .model:
            startedModel = NativeValue.name(value) ?? startedModel
            facts.model = startedModel
        case .stopReason: take(stopReason: NativeValue.name(value), &facts)
        case .usage: takeUsage(value, &facts)
        case .declinedModel: declinedModel = declinedModel ?? NativeValue.name(value)
        case .error: facts.takeError(value)
        case nil: break
        }
        // The model may come after the usage.
        if part != Part.error.rawValue { publish(&facts) }
    }

    private mutating func takeUsage(_ value: UnsafeRawBufferPointer, _ facts: inout AnswerFacts) {
        var scanner = JSONScanner(value)
        guard let usage = try? AnthropicUsage(scanner: &scanner, bytes: value) else {
            facts.unreadCount += 1
            return
        }
        take(delta: usage)
    }

    private func take(stopReason: String?, _ facts: inout AnswerFacts) {
        guard let stopReason else { return }
        facts.finishReason = stopReason
        facts.finishedChoices = 1
    }

    // MARK: Streams

    mutating func read(_ event: StreamedEvent, facts: inout AnswerFacts) -> StreamEvent {
        usageEnd = nil
        modelRange = nil
        // vLLM ends its messages as it ends its completions.
        if event.isDone {
            facts.isTerminated = true
            return .terminator
        }
        let message: AnthropicEvent
        do throws(JSONScanError) {
            message = try AnthropicEvent(event.data)
        } catch {
            facts.unreadCount += 1
            return .other
        }
        if let error = message.error {
            facts.takeError(event.data.part(error))
            if facts.hasError { return .error }
        }
        if message.isError || event.isNamed("error") {
            facts.hasError = true
            return .error
        }
        // The usage at the end counts them, too.
        if message.isSearchResult { facts.units.searches += 1 }
        facts.hiddenWork.formUnion(message.hiddenWork)
        switch message.type {
        case .messageStart:
            begin(message, &facts)
            if let offset = event.dataOffset, let range = message.modelRange {
                modelRange = offset + range.lowerBound - 1..<offset + range.upperBound + 1
            }
        case .messageDelta: advance(message, &facts, dataOffset: event.dataOffset)
        case .messageStop:
            facts.isTerminated = true
            return .terminator
        case .other:
            if let model = message.fallbackModel {
                fallbackModel = model
                publish(&facts)
            }
        }
        guard message.hasContent else {
            if message.hasSignature { facts.noteSilent(WrittenText.content(of: event.data)) }
            return .other
        }
        facts.noteContent(WrittenText.content(of: event.data))
        eventsSinceStart += 1
        // The start's count of output is a placeholder: it stands for the first events, not for tokens before them.
        if delta == nil {
            let placeholder = min(max(0, start?.completionTokens ?? 0), TokenBuckets.bucketMax)
            facts.takeCount(of: placeholder, events: eventsSinceStart, since: estimateAtStart)
        } else {
            facts.uncountedEvents += 1
        }
        return .content
    }

    private mutating func begin(_ message: AnthropicEvent, _ facts: inout AnswerFacts) {
        if let id = message.id, let previous = facts.id, id != previous { splice(&facts) }
        facts.id = facts.id ?? message.id
        startedModel = startedModel ?? message.model
        facts.model = facts.model ?? startedModel
        if let usage = message.usage {
            if start == nil { start = EngineUsage() }
            start?.update(with: usage.usage)
            takeTier(of: usage)
        }
        publish(&facts)
    }

    /// Another inference begins before this one's end: what it came to is what came. One of which nothing came was
    /// replaced, and is nobody's.
    private mutating func splice(_ facts: inout AnswerFacts) {
        if var usage = facts.usage, eventsSinceStart > 0 {
            let uncounted = facts.uncountedEstimate + facts.uncountedBeside.total
            if delta == nil, uncounted > 0 {
                usage.completionTokens = usage.sum("output_tokens", usage.completionTokens, uncounted)
            }
            if cutShort.count + facts.inferences.count < AnswerFacts.inferencesMax {
                var inference = InnerInference(kind: facts.kind, model: facts.model, usage: usage)
                inference.id = facts.id
                inference.isComplete = delta != nil
                cutShort = [inference] + facts.inferences
            } else {
                facts.hasMoreInferences = true
            }
        }
        start = nil
        delta = nil
        iterations = nil
        startedModel = nil
        fallbackModel = nil
        facts.kind = .primary
        eventsSinceStart = 0
        estimateAtStart = facts.contentEstimate
        facts.id = nil
        facts.model = nil
        facts.usage = nil
        facts.uncountedEvents = 0
    }

    private mutating func advance(_ message: AnthropicEvent, _ facts: inout AnswerFacts, dataOffset: Int?) {
        take(stopReason: message.stopReason, &facts)
        guard let usage = message.usage else { return }
        // A count that is smaller than the last, zero above all, says nothing of what came since.
        let isNewCount = usage.usage.completionTokens.map { $0 >= max(1, delta?.completionTokens ?? 0) } ?? false
        take(delta: usage)
        // The steps count all that came.
        if isNewCount || usage.iterations?.isEmpty == false { facts.uncountedEvents = 0 }
        publish(&facts)
        if let dataOffset { usageEnd = dataOffset + usage.end }
    }

    // MARK: Usage

    private mutating func take(delta usage: AnthropicUsage) {
        if delta == nil { delta = EngineUsage() }
        delta?.update(with: usage.usage)
        if let found = usage.iterations, !found.isEmpty { iterations = (found, usage.usage) }
        takeTier(of: usage)
    }

    private mutating func takeTier(of usage: AnthropicUsage) {
        tier = usage.serviceTier ?? tier
        isFast = isFast || usage.isFast
        region = usage.region ?? region
    }

    private func publish(_ facts: inout AnswerFacts) {
        facts.serviceTier = isFast && (tier == nil || tier == "standard") ? "fast" : tier
        facts.region = region
        guard var merged = start ?? delta else { return }
        if start != nil, let delta { merged.update(with: delta) }
        facts.usage = merged
        facts.inferences = cutShort
        guard let iterations else {
            // Cut before its last usage, the answer is still the work of the model that took over.
            guard let fallbackModel else { return }
            facts.kind = .fallback
            facts.model = fallbackModel
            return
        }
        let inferences = AnthropicInferences(iterations.found, said: iterations.said, merged: merged)
        facts.usage = inferences.main
        facts.kind = inferences.kind
        facts.model = inferences.model ?? startedModel
        facts.inferences += inferences.inner.map { inner in
            var inner = inner
            // A step without a model is of the one that the answer began with.
            inner.model = inner.model ?? (inner.kind == .primary ? declinedModel : nil) ?? startedModel
            return inner
        }
    }
}
