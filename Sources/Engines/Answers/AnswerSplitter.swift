/// Finds where the pieces of an answer end that mean something on their own, as its framing has them.
public struct AnswerSplitter: Sendable {
    private let framing: AnswerFraming
    private var events = EventStreamSplitter()
    private var frames = AWSEventStreamSplitter()
    private var elements = JSONArraySplitter()

    /// A splitter at the start of an answer.
    public init(framing: AnswerFraming) { self.framing = framing }

    /// Looks on from `offset` and returns the offset just after the next end; nil when `bytes` hold none.
    ///
    /// Bytes once looked at are not to be shown again: after nil, go on with what comes after `bytes`.
    public mutating func nextEventEnd(in bytes: UnsafeRawBufferPointer, from offset: Int) -> Int? {
        switch framing {
        case .serverSentEvents: events.nextEventEnd(in: bytes, from: offset)
        case .awsEventStream: frames.nextEventEnd(in: bytes, from: offset)
        case .jsonArray: elements.nextEventEnd(in: bytes, from: offset)
        case .plain: nil
        }
    }
}

/// Finds where the elements of a JSON array end that comes piece by piece (Gemini's streams without `alt=sse`). The
/// brackets and commas between belong to the element after them, the last bracket to an event of its own.
public struct JSONArraySplitter: Sendable {
    private var depth = 0
    /// How deep the elements stand: none where the document is no array, but the error that came in its place.
    private var elementDepth: Int?
    private var isInString = false
    private var isEscaped = false

    /// A splitter at the start of an array.
    public init() {}

    /// Looks on from `offset` and returns the offset just after the next end of an element; nil when `bytes` hold none.
    public mutating func nextEventEnd(in bytes: UnsafeRawBufferPointer, from offset: Int) -> Int? {
        var index = offset
        while index < bytes.count {
            if isEscaped {
                isEscaped = false
                index += 1
                continue
            }
            if isInString {
                index = bytes.firstIndexOfStringDelimiter(from: index)
                guard index < bytes.count else { return nil }
                if bytes[index] == UInt8(ascii: "\"") { isInString = false }
                if bytes[index] == UInt8(ascii: "\\") { isEscaped = true }
                index += 1
                continue
            }
            switch bytes[index] {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                if elementDepth == nil { elementDepth = bytes[index] == UInt8(ascii: "[") ? 1 : 0 }
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth <= elementDepth ?? 1 {
                    index += 1
                    return index
                }
            default: break
            }
            index += 1
        }
        return nil
    }

    /// The element inside an event: what is left without the brackets, commas and white space around it.
    static func element(in bytes: UnsafeRawBufferPointer) -> Range<Int> {
        var start = 0
        while start < bytes.count, bytes[start] != UInt8(ascii: "{") { start += 1 }
        return start..<bytes.count
    }
}
