/// What one event of a stream is, as forwarding needs to know it.
public enum StreamEvent: Hashable, Sendable {
    /// Carries something that the model wrote.
    case content
    /// The chunk that `include_usage` asks for: no choices, and a usage object.
    case usageChunk
    /// The terminator, `[DONE]`.
    case terminator
    /// An error object inside the stream.
    case error
    /// Anything else: roles, finish reasons, filters, comments, keep-alives, what could not be read.
    case other
}

/// Reads the events of an OpenAI-family stream, one by one, and adds up what they say.
public struct StreamMeter: Sendable {
    /// What the stream has said so far.
    public private(set) var facts = AnswerFacts()

    /// Of the event read last: bytes that the client did not ask for.
    private(set) var cutRange: Range<Int>?
    /// Of the event read last: just inside the closing brace of its usage object.
    private(set) var usageEnd: Int?

    private let choiceCount: Int64
    private let cutsUsage: Bool
    private var choiceUsage = ChoiceUsage()

    /// A meter at the start of a stream that will have so many choices.
    public init(choiceCount: Int64 = 1) { self.init(choiceCount: choiceCount, cutsUsage: false) }

    /// A meter that finds running counts of usage to be cut out (`cutsUsage`).
    init(choiceCount: Int64, cutsUsage: Bool) {
        self.choiceCount = choiceCount
        self.cutsUsage = cutsUsage
    }

    /// Notes an event that was too long to be looked at.
    public mutating func skipEvent() { facts.unreadCount += 1 }

    /// Reads one event: all its lines, with or without the empty line at its end.
    public mutating func read(event bytes: UnsafeRawBufferPointer) -> StreamEvent {
        StreamedEvent.withServerSentEvent(bytes) { read($0) } ?? .other
    }

    /// The stream is over.
    mutating func finish() {}

    private mutating func read(_ event: StreamedEvent) -> StreamEvent {
        if event.isDone {
            facts.isTerminated = true
            return .terminator
        }
        do throws(JSONScanError) {
            var chunk = ChunkReader(bytes: event.data)
            try chunk.read()
            let meaning = take(chunk)
            guard event.isNamed("error") else { return meaning }
        } catch {
            facts.unreadCount += 1
            guard event.isNamed("error") else { return .other }
        }
        facts.hasError = true
        return .error
    }

    private mutating func take(_ chunk: ChunkReader) -> StreamEvent {
        if let usage = chunk.usage {
            if facts.usage == nil { facts.usage = EngineUsage() }
            facts.usage?.update(with: usage)
            if choiceCount > 1, chunk.hasEmptyChoices { choiceUsage.add(usage, choiceCount, to: &facts.usage) }
        }
        facts.finishedChoices += chunk.finishedChoices
        if let reason = chunk.finishReason { facts.finishReason = chunk.name(reason) ?? facts.finishReason }
        if facts.id == nil, let id = chunk.id { facts.id = chunk.name(id) }
        if facts.model == nil, let model = chunk.model { facts.model = chunk.name(model) }
        if let tier = chunk.serviceTier { facts.serviceTier = chunk.name(tier) ?? facts.serviceTier }
        if chunk.hasError {
            facts.hasError = true
            return .error
        }
        if chunk.hasContent {
            facts.contentEvents += 1
            facts.uncountedEvents += 1
        }
        if chunk.usage?.completionTokens != nil { facts.uncountedEvents = 0 }
        if chunk.hasContent { return .content }
        return chunk.usage != nil && chunk.hasEmptyChoices ? .usageChunk : .other
    }
}

/// llama.cpp sends a usage chunk for each of several choices, with the whole prompt in each; others send one in all.
private struct ChoiceUsage: Sendable {
    private var chunks: Int64 = 0
    private var completionTokens: Int64 = 0
    private var reasoningTokens: Int64 = 0

    /// Adds up the output of as many usage chunks as there are choices; a chunk beyond that is a repetition.
    mutating func add(_ usage: EngineUsage, _ choiceCount: Int64, to total: inout EngineUsage?) {
        chunks += 1
        completionTokens = completionTokens.addingReportingOverflow(usage.completionTokens ?? 0).partialValue
        reasoningTokens = reasoningTokens.addingReportingOverflow(usage.reasoningTokens ?? 0).partialValue
        guard chunks > 1, chunks <= choiceCount, usage.completionTokens != nil else { return }
        total?.completionTokens = completionTokens
        if usage.reasoningTokens != nil { total?.reasoningTokens = reasoningTokens }
        total?.totalTokens = nil
    }
}

/// Reads one chunk object.
private struct ChunkReader {
    let bytes: UnsafeRawBufferPointer
    private(set) var id: JSONText?
    private(set) var model: JSONText?
    private(set) var serviceTier: JSONText?
    private(set) var finishReason: JSONText?
    private(set) var finishedChoices: Int64 = 0
    private(set) var usage: EngineUsage?
    private(set) var hasContent = false
    private(set) var hasEmptyChoices = false
    private(set) var hasError = false

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// A name short enough to be kept, and not empty.
    func name(_ text: JSONText) -> String? {
        guard !text.range.isEmpty, text.range.count <= AnswerFacts.nameBytesMax else { return nil }
        return text.value(in: bytes)
    }

    mutating func read() throws(JSONScanError) {
        var scanner = JSONScanner(bytes)
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            let kind = try scanner.kind()
            if kind == .array, key.equals("choices", in: bytes) {
                try readChoices(&scanner)
            } else if kind == .object, key.equals("usage", in: bytes) {
                usage = try EngineUsage(scanner: &scanner, bytes: bytes)
            } else if kind == .string, key.equals("id", in: bytes) {
                id = try scanner.string()
            } else if kind == .string, key.equals("model", in: bytes) {
                model = try scanner.string()
            } else if kind == .string, key.equals("service_tier", in: bytes) {
                serviceTier = try scanner.string()
            } else if kind == .object || kind == .string, key.equals("error", in: bytes) {
                hasError = true
                try scanner.skip()
            } else {
                try scanner.skip()
            }
        }
        try scanner.end()
    }

    private mutating func readChoices(_ scanner: inout JSONScanner) throws(JSONScanError) {
        hasEmptyChoices = true
        try scanner.beginArray()
        while try scanner.nextElement() {
            hasEmptyChoices = false
            guard try scanner.kind() == .object else {
                try scanner.skip()
                continue
            }
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                let kind = try scanner.kind()
                if kind == .string, key.equals("finish_reason", in: bytes) {
                    finishReason = try scanner.string()
                    finishedChoices += 1
                } else if kind == .string, key.equals("text", in: bytes) {
                    if try !scanner.string().range.isEmpty { hasContent = true }
                } else if kind == .object, key.equals("delta", in: bytes) {
                    try readDelta(&scanner)
                } else {
                    try scanner.skip()
                }
            }
        }
    }

    /// A delta has content when the model wrote something in it: text, reasoning, a refusal, a call, sound. A role
    /// alone, or empty text, is none.
    private mutating func readDelta(_ scanner: inout JSONScanner) throws(JSONScanError) {
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            let kind = try scanner.kind()
            let value = try scanner.skip()
            guard !hasContent else { continue }
            switch kind {
            case .string, .array, .object:
                // Two bytes are the delimiters of something empty.
                if value.count > 2, OpenAIDialect.isContent(key, in: bytes) { hasContent = true }
            case .number, .bool, .null: break
            }
        }
    }
}
