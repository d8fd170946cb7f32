public import Metering

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
/// Made when the head of the answer has come. Plain answers are shown with `read(piece:)`, others event by event; then
/// `finish()`. What has been understood so far stands in `facts` at any time.
public struct AnswerMeter: Sendable {
    public let framing: AnswerFraming
    /// Of the event read last: the bytes that the client did not ask for and must not see (a count of
    /// `continuous_usage_stats`); nil when there are none.
    public private(set) var cutRange: Range<Int>?
    /// Of the event or plain answer read last: just inside the closing brace of its usage object, where the gateway may
    /// write members of its own; nil when it has none.
    public private(set) var usageEnd: Int?

    private var plain: PlainAnswerMeter
    private var stream: StreamMeter

    /// A meter for the answer that began with this head.
    public init(
        request: InferenceRequest, backend: Backend, status: Int, headers: some HeaderLookup
    ) {
        let type = headers.first("content-type")?.lowercased() ?? ""
        framing = (200..<300).contains(status) && type.hasPrefix("text/event-stream") ? .serverSentEvents : .plain
        plain = PlainAnswerMeter()
        stream = StreamMeter(choiceCount: request.choiceCount)
    }

    /// What is known so far.
    public var facts: AnswerFacts { framing == .plain ? plain.facts : stream.facts }

    /// Reads the next piece of a plain answer.
    public mutating func read(piece: UnsafeRawBufferPointer) { plain.read(piece) }

    /// Reads one whole event, its framing included.
    public mutating func read(event: UnsafeRawBufferPointer) -> StreamEvent { stream.read(event: event) }

    /// Notes an event that was too long to be looked at.
    public mutating func skipEvent() { stream.skipEvent() }

    /// The answer is over.
    public mutating func finish() {}
}
