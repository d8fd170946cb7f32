internal import Metering

/// The headers of an answer, by lowercase name; whatever HTTP library holds them.
public protocol HeaderLookup {
    /// The first value of a header.
    func first(_ lowercaseName: String) -> String?
}

/// How an answer's body is cut into pieces that mean something on their own.
public enum AnswerFraming: Hashable, Sendable {
    /// One document, read as it comes and understood at its end.
    case plain
    /// Server-sent events.
    case serverSentEvents
    /// `application/vnd.amazon.eventstream`.
    case awsEventStream
    /// A JSON array whose elements come one by one (Gemini without `alt=sse`).
    case jsonArray
}

/// Reads one answer of an engine, whatever its dialect: what is usage, what is content, where it ends.
///
/// A class, because it holds much and is asked with every piece. Made when the head of the answer has come. Plain
/// answers are shown with `read(piece:)`, others event by event as `AnswerSplitter` cuts them; then `finish()`. What
/// has been understood so far stands in `facts` at any time.
public final class AnswerMeter {
    public private(set) var framing: AnswerFraming
    /// Of the event read last: the bytes that the client did not ask for and must not see (a count of
    /// `continuous_usage_stats`); nil when there are none.
    public var cutRange: Range<Int>? { native == nil ? place(stream.cutRange) : nil }
    /// Just inside the closing brace of a usage object, where the gateway may write members of its own; nil when there
    /// is none. Of a stream counted in the event read last, of a plain answer in all its bytes.
    public var usageEnd: Int? {
        if framing == .plain { return plain.usageEnd }
        let end = native == nil ? stream.usageEnd : native?.usageEnd
        return place(end.map { $0..<$0 })?.lowerBound
    }

    private let surface: Surface
    private let operation: Operation
    private let rules: ReadingRules

    /// Where the name of the model stands, with its quotes; nil when there is none, or the dialect keeps the engine's.
    /// Counted as `usageEnd` is.
    public var modelRange: Range<Int>? {
        if framing == .plain { return plain.modelRange }
        return place(native == nil ? stream.modelRange : native?.modelRange)
    }

    /// A place that a reader found, if it is in the event read last: whoever edits the event relies on that.
    private func place(_ range: Range<Int>?) -> Range<Int>? {
        guard let range, let bytes = readBytes else { return nil }
        assert(range.upperBound <= bytes, "a place is in its event")
        return range.upperBound <= bytes ? range : nil
    }

    private var plain: PlainAnswerMeter
    private var stream: StreamMeter
    /// Reads events outside the OpenAI family.
    private var native: (any AnswerReader)?
    private var nativeFacts = AnswerFacts()
    private var isFramingBroken = false
    /// How long the event read last is; nil where it was shown to no reader. Comments, brackets and new lines are not,
    /// and the places that the reader found in the event before are none of theirs.
    private var readBytes: Int?
    /// The event that is passing, when it is too long to be kept.
    private var long: LongEvent?
    /// What was known of the answer when it began.
    private var longBegan = (hadError: false, wasTerminated: false)
    /// Reads what the model wrote, where somebody counts it.
    private var text: AnswerTextReader?

    /// A meter for the answer that began with this head. `upstreamModel` is what the backend was asked for; nil where
    /// nobody knows. `beginning` is how its body is cut, where that was looked at (`AnswerBeginning`); else its type
    /// says it.
    public init(
        request: InferenceRequest, backend: Backend, status: Int, headers: some HeaderLookup,
        upstreamModel: String? = nil, beginning: AnswerFraming? = nil
    ) {
        let type = headers.first("content-type")?.lowercased() ?? ""
        let isSuccess = (200..<300).contains(status)
        surface = request.surface
        operation = request.operation
        rules = ReadingRules(of: request, by: backend)
        stream = StreamMeter(
            choiceCount: request.choiceCount, promptCount: request.promptCount, addsChoices: backend.kind == .llamaCpp,
            cutsUsage: request.isStream && backend.addsRunningUsage(to: request), repeatsPrompt: request.isEchoed)
        if case (var framing, var reader)? = NativeReaders.reader(
            for: request, backend: backend, isSuccess: isSuccess, contentType: type)
        {
            if isSuccess, let beginning { framing = beginning }
            if framing == .awsEventStream, !request.surface.isAmazons { framing = .plain }
            self.framing = framing
            if framing == .plain {
                plain = PlainAnswerMeter(reader: reader, status: status, headers: headers)
            } else {
                plain = PlainAnswerMeter()
                reader.begin(status: status, headers: headers, facts: &nativeFacts)
                native = reader
            }
            return
        }
        framing = beginning ?? AnswerMeter.framing(of: type, isSuccess: isSuccess, request)
        if framing == .awsEventStream { framing = .plain }
        var head = AnswerFacts()
        head.takeHead(of: backend.kind, headers, upstreamModel: upstreamModel)
        stream.begin(with: head)
        let isOpaque = isSuccess && OpaqueAnswerReader.isOpaque(request, contentType: type)
        plain = PlainAnswerMeter(reader: isOpaque ? OpaqueAnswerReader() : OpenAIAnswerReader(), head: head)
    }

    /// How an answer of OpenAI's family is cut, as far as its type says. What a request wanted as a stream is one,
    /// unless the type is that of a document.
    private static func framing(of type: String, isSuccess: Bool, _ request: InferenceRequest) -> AnswerFraming {
        guard isSuccess else { return .plain }
        if type.hasPrefix("text/event-stream") { return .serverSentEvents }
        guard request.isStream, request.operation != .speech, !OpaqueAnswerReader.isText(request) else {
            return .plain
        }
        if AnswerBeginning.isList(type) { return .jsonArray }
        let isDocument =
            type.contains("json") || type.hasPrefix("audio/") || type.hasPrefix("image/") || type.contains("html")
        return isDocument ? .plain : .serverSentEvents
    }

    /// The first bytes of what is called events, or a list: the one is read as the other where it is. Returns false
    /// while there is nothing but white space.
    public func takeBeginning(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let first = bytes.first(where: { $0 != 0x20 && !(0x09...0x0D).contains($0) }) else { return false }
        if framing == .jsonArray, [UInt8(ascii: "d"), UInt8(ascii: "e"), UInt8(ascii: ":")].contains(first) {
            framing = .serverSentEvents
            if text != nil { text = AnswerTextReader(of: surface, framing: framing) }
        } else if framing == .serverSentEvents, [UInt8(ascii: "{"), UInt8(ascii: "["), 0x1E].contains(first) {
            framing = .jsonArray
            if text != nil { text = AnswerTextReader(of: surface, framing: .jsonArray) }
        }
        return true
    }

    /// What is known so far.
    public var facts: AnswerFacts {
        var facts = framing == .plain ? plain.facts : native == nil ? stream.facts : nativeFacts
        facts.rules = rules
        return facts
    }

    /// `facts.id`, without a copy of the others: asked for with every event.
    public var id: String? {
        if framing == .plain { return plain.facts.id }
        return native == nil ? stream.facts.id : nativeFacts.id
    }

    /// `facts.finishedChoices`, without a copy of the others: asked for with every piece of a stream.
    public var finishedChoices: Int64 {
        if framing == .plain { return plain.facts.finishedChoices }
        return native == nil ? stream.facts.finishedChoices : nativeFacts.finishedChoices
    }

    /// `facts.contentEvents`, likewise.
    public var contentEvents: Int64 {
        if framing == .plain { return 0 }
        return native == nil ? stream.facts.contentEvents : nativeFacts.contentEvents
    }

    /// `facts.endsInFailure`, likewise.
    public var endsInFailure: Bool { native == nil ? stream.facts.endsInFailure : nativeFacts.endsInFailure }

    /// Whether an error object came, likewise.
    public var hasError: Bool {
        if framing == .plain { return plain.facts.hasError }
        return native == nil ? stream.facts.hasError : nativeFacts.hasError
    }

    /// Whether a plain answer is an error object and nothing else, or says that it failed whatever of it was made,
    /// although its status is that of a success.
    public var isErrorInPlaceOfAnswer: Bool {
        framing == .plain && hasError && (plain.facts.isNothingButError || plain.facts.endsInFailure)
    }

    /// Whether the engine has said nothing of the tokens that it wrote, where that is what such answers cost.
    public var lacksUsage: Bool {
        switch operation {
        case .chat, .textCompletion, .generateContent: framing != .plain && facts.usageSaid?.completionTokens == nil
        default: false
        }
    }

    /// Reads the next piece of a plain answer.
    public func read(piece: UnsafeRawBufferPointer) {
        plain.read(piece)
        text?.read(piece: piece)
    }

    /// Reads one whole event, its framing included.
    public func read(event bytes: UnsafeRawBufferPointer) -> StreamEvent {
        text?.read(event: bytes)
        readBytes = nil
        switch framing {
        case .serverSentEvents:
            return StreamedEvent.withServerSentEvent(bytes) { show($0) } ?? .other
        case .jsonArray:
            let element = JSONArraySplitter.element(in: bytes)
            guard !element.isEmpty else { return .other }
            return show(
                StreamedEvent(bytes: bytes, name: nil, data: bytes.part(element), dataOffset: element.lowerBound))
        case .awsEventStream, .plain:
            // Behind a frame whose length is not to be trusted nothing has a meaning, however it is cut.
            guard !isFramingBroken else { return .other }
            isFramingBroken = framing == .awsEventStream && !AWSPrelude.isValid(in: bytes)
            return show(StreamedEvent(bytes: bytes, name: nil, data: bytes, dataOffset: 0))
        }
    }

    private func show(_ event: StreamedEvent) -> StreamEvent {
        readBytes = event.bytes.count
        guard native != nil else { return stream.read(event) }
        return native?.read(event, facts: &nativeFacts) ?? .other
    }

    /// Reads the next piece of an event that is too long to be kept, from its first byte on; at its end comes
    /// `finishLongEvent()`.
    public func read(longEventPiece bytes: UnsafeRawBufferPointer) {
        // A frame is read when its checksum is known, or not at all.
        guard framing != .awsEventStream else { return }
        text?.read(longEventPiece: bytes)
        guard var reader = native else { return stream.read(longEventPiece: bytes) }
        if long == nil { longBegan = (nativeFacts.hasError, nativeFacts.isTerminated) }
        var event = long ?? LongEvent(shape: reader.shape)
        event.read(bytes, with: &reader, facts: &nativeFacts)
        native = reader
        long = event
    }

    /// The event that was too long to be kept is over.
    public func finishLongEvent() -> StreamEvent {
        readBytes = nil
        if framing == .awsEventStream {
            nativeFacts.unreadCount += 1
            return .other
        }
        text?.finishDocument()
        guard native != nil else { return stream.finishLongEvent() }
        long?.finish(facts: &nativeFacts)
        long = nil
        let (hadError, wasTerminated) = longBegan
        if nativeFacts.hasError, !hadError { return .error }
        return nativeFacts.isTerminated && !wasTerminated ? .terminator : .content
    }

    /// The answer is over.
    public func finish() {
        text?.finishEvents()
        if framing == .plain {
            plain.finish()
        } else if native != nil {
            native?.finish(facts: &nativeFacts)
        } else {
            stream.finish()
        }
    }

    // MARK: Text

    /// From here on what the model wrote is read too, to be counted. Must be asked for before the answer's first byte.
    public func beginText(of request: InferenceRequest) {
        text = AnswerTextReader(of: request.surface, framing: framing)
    }

    /// Whether all text that came could be read; false too where none is looked for.
    public var isTextWhole: Bool {
        guard let text, text.isWhole else { return false }
        let facts = facts
        // Text under a name that only the meter knows is not counted: neither is it free.
        return facts.unreadCount == 0 && facts.silentTokens <= UsageFilling.underreportedTokensMax
            && !UsageFilling.isUnderreported(
                UsageEstimate.tokens(inTextBytes: text.byteCount),
                delivered: UsageEstimate.tokens(inTextBytes: facts.textBytesSeen))
    }

    /// Shows the text that came since the last time. Of a plain answer it is known once `finishText` was called.
    public func takeText(_ body: (AnswerTextKey, UnsafeRawBufferPointer) -> Void) { text?.drain(body) }

    /// Nothing more will come of a plain answer, whether it is whole or not.
    public func finishText() {
        if framing == .plain { text?.finishDocument() }
    }
}

extension Surface {
    fileprivate var isAmazons: Bool {
        self == .bedrockConverse || self == .bedrockInvoke || self == .sageMakerInvocations
    }
}

extension Operation {
    /// Whether no provider has tiers for it.
    fileprivate var isOfOneTier: Bool {
        switch self {
        case .embeddings, .imageGeneration, .transcription, .speech, .rerank: true
        case .chat, .textCompletion, .generateContent, .prediction, .countTokens, .batch: false
        }
    }
}

extension Backend {
    /// Whether the request asks for another tier than the base one and the backend has none: nor has its kind, or any
    /// kind for such requests, and the catalogue says nothing else.
    func lacksTier(of request: InferenceRequest) -> Bool {
        guard request.serviceTier != nil else { return false }
        let asked = OpenAIDialect.tier(named: request.serviceTier)
        guard asked != OpenAIDialect.baseTier, !settings.tiers.contains(asked) else { return false }
        return !kind.mayServe(tier: asked) || request.operation.isOfOneTier
    }

    /// Whether chunks of a stream hold counts that only the gateway asked for: those of `continuous_usage_stats`, which
    /// `trtllm-serve` takes for granted wherever usage is asked for.
    fileprivate func addsRunningUsage(to request: InferenceRequest) -> Bool {
        if kind == .tensorRTLLM, !request.wantsUsageChunk { return true }
        return countsContinuously && !request.wantsContinuousUsage
    }
}
