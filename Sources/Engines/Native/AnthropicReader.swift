internal import Metering

/// Reads answers of Anthropic's Messages API, plain and streamed.
///
/// A stream says its usage at the start (`message_start`, the output still a placeholder) and again, cumulative, in
/// each `message_delta`: the last word on each field counts. A second start with the same id is a repetition; one with
/// another id was spliced in and begins another inference.
struct AnthropicReader: AnswerReader {
    private(set) var usageEnd: Int?

    /// Of the current inference: what its start and its deltas said.
    private var start: EngineUsage?
    private var delta: EngineUsage?
    private var iterations: (found: [AnthropicUsage.Iteration], said: EngineUsage)?
    private var startedModel: String?
    private var eventsSinceStart: Int64 = 0
    private var tier: String?
    private var isFast = false
    private var region: String?
    /// Inferences that another start cut short.
    private var cutShort: [InnerInference] = []

    private enum Part: Int { case id, model, stopReason, usage, error }
    private static let partShape = DocumentShape([
        .value("id"), .value("model"), .value("stop_reason"),
        .value("usage", bytesMax: DocumentShape.usageBytesMax), .value("error", bytesMax: 8192),
        .text("content.text"), .text("content.thinking"),
    ])

    var shape: DocumentShape { AnthropicReader.partShape }
    var usagePart: Int? { Part.usage.rawValue }

    mutating func take(part: Int, value: UnsafeRawBufferPointer, facts: inout AnswerFacts) {
        switch Part(rawValue: part) {
        case .id: facts.id = NativeValue.name(value) ?? facts.id
        case .model:
            startedModel = NativeValue.name(value) ?? startedModel
            facts.model = startedModel
        case .stopReason: take(stopReason: NativeValue.name(value), &facts)
        case .usage: takeUsage(value, &facts)
        case .error: facts.takeError(value)
        case nil: break
        }
        // The model may come after the usage.
        if part <= Part.usage.rawValue { publish(&facts) }
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
            return .error
        }
        if message.isError || event.isNamed("error") {
            facts.hasError = true
            return .error
        }
        switch message.type {
        case .messageStart: begin(message, &facts)
        case .messageDelta: advance(message, &facts, dataOffset: event.dataOffset)
        case .messageStop:
            facts.isTerminated = true
            return .terminator
        case .other: break
        }
        guard message.hasContent else { return .other }
        facts.contentEvents += 1
        eventsSinceStart += 1
        // The start's count of output is a placeholder: it stands for the first events, not for tokens before them.
        facts.uncountedEvents =
            delta == nil ? max(0, eventsSinceStart - (start?.completionTokens ?? 0)) : facts.uncountedEvents + 1
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

    /// Another inference begins before this one's end: what it came to is what came.
    private mutating func splice(_ facts: inout AnswerFacts) {
        if var usage = facts.usage {
            if delta == nil, facts.uncountedEvents > 0 {
                usage.completionTokens = usage.sum("output_tokens", usage.completionTokens, facts.uncountedEvents)
            }
            if cutShort.count + facts.inferences.count < AnswerFacts.inferencesMax {
                var inference = InnerInference(kind: facts.kind, model: facts.model, usage: usage)
                inference.id = facts.id
                inference.isComplete = delta != nil
                cutShort = [inference] + facts.inferences
            }
        }
        start = nil
        delta = nil
        iterations = nil
        startedModel = nil
        eventsSinceStart = 0
        facts.id = nil
        facts.model = nil
        facts.usage = nil
        facts.uncountedEvents = 0
    }

    private mutating func advance(_ message: AnthropicEvent, _ facts: inout AnswerFacts, dataOffset: Int?) {
        take(stopReason: message.stopReason, &facts)
        guard let usage = message.usage else { return }
        take(delta: usage)
        if usage.usage.completionTokens != nil { facts.uncountedEvents = 0 }
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
        guard let iterations else { return }
        let inferences = AnthropicInferences(iterations.found, said: iterations.said, merged: merged)
        facts.usage = inferences.main
        facts.kind = inferences.kind
        facts.model = inferences.model ?? startedModel
        facts.inferences += inferences.inner.map { inner in
            var inner = inner
            // A step without a model is of the one that the answer began with.
            inner.model = inner.model ?? startedModel
            return inner
        }
    }
}

/// One event of the stream.
private struct AnthropicEvent {
    enum EventType { case messageStart, messageDelta, messageStop, other }

    private(set) var type = EventType.other
    private(set) var isError = false
    private(set) var id: String?
    private(set) var model: String?
    private(set) var stopReason: String?
    private(set) var usage: AnthropicUsage?
    private(set) var hasContent = false
    /// Where the error object stands.
    private(set) var error: Range<Int>?

    init(_ bytes: UnsafeRawBufferPointer) throws(JSONScanError) {
        var scanner = JSONScanner(bytes)
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            let kind = try scanner.kind()
            if kind == .string, key.equals("type", in: bytes) {
                take(type: try scanner.string(), bytes)
            } else if kind == .object, key.equals("message", in: bytes) {
                try readMessage(&scanner, bytes)
            } else if kind == .object, key.equals("usage", in: bytes) {
                usage = try AnthropicUsage(scanner: &scanner, bytes: bytes)
            } else if kind == .object, key.equals("delta", in: bytes) {
                try readDelta(&scanner, bytes)
            } else if kind == .object, key.equals("content_block", in: bytes) {
                try readBlock(&scanner, bytes)
            } else if kind == .object || kind == .string, key.equals("error", in: bytes) {
                error = try scanner.skip()
            } else {
                try scanner.skip()
            }
        }
        try scanner.end()
    }

    private mutating func take(type text: JSONText, _ bytes: UnsafeRawBufferPointer) {
        if text.equals("message_start", in: bytes) {
            type = .messageStart
        } else if text.equals("message_delta", in: bytes) {
            type = .messageDelta
        } else if text.equals("message_stop", in: bytes) {
            type = .messageStop
        } else if text.equals("error", in: bytes) {
            isError = true
        }
    }

    private mutating func readMessage(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if key.equals("id", in: bytes) {
                id = try scanner.name(kind, in: bytes)
            } else if key.equals("model", in: bytes) {
                model = try scanner.name(kind, in: bytes)
            } else if kind == .object, key.equals("usage", in: bytes) {
                usage = try AnthropicUsage(scanner: &scanner, bytes: bytes)
            } else {
                return false
            }
            return true
        }
    }

    /// Of a `message_delta` the stop reason; of a block's delta, whether the model wrote something in it. A signature
    /// is none of its words.
    private mutating func readDelta(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if key.equals("stop_reason", in: bytes) {
                stopReason = try scanner.name(kind, in: bytes)
            } else if key.equals("text", in: bytes) || key.equals("thinking", in: bytes)
                || key.equals("partial_json", in: bytes) || key.equals("content", in: bytes)
            {
                if try scanner.isSomething(kind) { hasContent = true }
            } else {
                return false
            }
            return true
        }
    }

    /// A block that begins with text, or with a call, which has a name already.
    private mutating func readBlock(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            guard
                key.equals("text", in: bytes) || key.equals("thinking", in: bytes) || key.equals("data", in: bytes)
                    || key.equals("name", in: bytes)
            else { return false }
            if try scanner.isSomething(kind) { hasContent = true }
            return true
        }
    }
}
