/// Understands the answers of one dialect, plain and streamed. A struct with no more than its own small state: what is
/// known of the answer stands in the `AnswerFacts` that it is handed.
///
/// The OpenAI family has readers of its own (`StreamMeter`, `PlainAnswerMeter`), which `AnswerMeter` calls directly.
protocol AnswerReader: Sendable {
    /// What is kept of a plain answer; each part is shown to `take`.
    var shape: DocumentShape { get }

    /// The head of the answer: usage in headers, request ids, tiers.
    mutating func begin(status: Int, headers: any HeaderLookup, facts: inout AnswerFacts)

    /// A part of a plain answer: `part` is its place in the shape's list, `value` the JSON value as it stood, empty
    /// when it was longer than wanted.
    mutating func take(part: Int, value: UnsafeRawBufferPointer, facts: inout AnswerFacts)

    /// One event of a stream. Content has to be counted in `facts.contentEvents` and `uncountedEvents`, errors noted in
    /// `facts.error` and `hasError`, the terminator in `facts.isTerminated`.
    mutating func read(_ event: StreamedEvent, facts: inout AnswerFacts) -> StreamEvent

    /// The answer is over. Where a dialect has no terminator, this is where `facts.isTerminated` is decided.
    mutating func finish(facts: inout AnswerFacts)

    /// Whether a text of a plain answer may be the model's under any name.
    var takesAnyText: Bool { get }

    /// Which part of a plain answer is its usage object.
    var usagePart: Int? { get }

    /// Which part is the usage object inside the answer that a stream's last event repeats.
    var innerUsagePart: Int? { get }

    /// Of the event read last: just inside the closing brace of its usage object, counted from `event.bytes`.
    var usageEnd: Int? { get }

    /// Which part of a plain answer is its model's name; nil where answers keep the engine's.
    var modelPart: Int? { get }

    /// Of the event read last: where its model's name stands, with its quotes, counted from `event.bytes`.
    var modelRange: Range<Int>? { get }
}

extension AnswerReader {
    mutating func begin(status: Int, headers: any HeaderLookup, facts: inout AnswerFacts) {}
    mutating func finish(facts: inout AnswerFacts) {}
    var takesAnyText: Bool { false }
    var usagePart: Int? { nil }
    var innerUsagePart: Int? { nil }
    var usageEnd: Int? { nil }
    var modelPart: Int? { nil }
    var modelRange: Range<Int>? { nil }
}

/// One event of a stream, whatever cut it out.
struct StreamedEvent {
    /// All of it: lines of a server-sent event, a frame of an AWS event stream, an element of a JSON array.
    let bytes: UnsafeRawBufferPointer
    /// What `event:` names, for server-sent events.
    let name: Range<Int>?
    /// The JSON text: of server-sent events what stands after `data:`, else the same as `bytes`.
    let data: UnsafeRawBufferPointer
    /// Where `data` begins within `bytes`; nil when it was put together from several lines.
    let dataOffset: Int?

    /// Whether the event is named so.
    func isNamed(_ text: StaticString) -> Bool { name.map { bytes.equals(text, in: $0) } ?? false }
}

/// What is wanted of a plain JSON answer, which is read as it comes and otherwise forgotten. Arrays are looked through:
/// `choices.message.content` is the content of every choice.
final class DocumentShape: Sendable {
    /// What the model wrote in a string, or in each string of an array.
    enum Content: Sendable {
        case text, reasoning
        /// Reasoning that may stand under another name as well, for the sake of older clients: the longest counts.
        case repeatedReasoning
        /// Reasoning that only the engine can read, in Base64.
        case encrypted
        /// A picture or sound, in Base64 or by its address.
        case media(MediaKind)
    }

    struct Part: Sendable {
        enum Wish: Sendable {
            /// The whole value, up to so many bytes, is shown to `take`.
            case value(bytesMax: Int)
            /// The string counts in `facts.written`.
            case content(Content)
            /// The same as text, and of an object all its JSON.
            case written
            /// The elements of the array are counted in `facts.items`.
            case items
        }

        /// Names from the outermost object inwards, with dots between.
        let path: StaticString
        let wish: Wish

        static func value(_ path: StaticString, bytesMax: Int = AnswerFacts.nameBytesMax + 2) -> Part {
            Part(path: path, wish: .value(bytesMax: bytesMax))
        }
        static func text(_ path: StaticString) -> Part { Part(path: path, wish: .content(.text)) }
        static func reasoning(_ path: StaticString) -> Part { Part(path: path, wish: .content(.reasoning)) }
        static func repeatedReasoning(_ path: StaticString) -> Part {
            Part(path: path, wish: .content(.repeatedReasoning))
        }
        static func encrypted(_ path: StaticString) -> Part { Part(path: path, wish: .content(.encrypted)) }
        static func media(_ path: StaticString, _ kind: MediaKind) -> Part {
            Part(path: path, wish: .content(.media(kind)))
        }
        static func written(_ path: StaticString) -> Part { Part(path: path, wish: .written) }
        static func items(_ path: StaticString) -> Part { Part(path: path, wish: .items) }
    }

    let parts: [Part]
    let tree: DocumentTree

    init(_ parts: [Part]) {
        self.parts = parts
        tree = DocumentTree(parts)
    }

    /// The most bytes of a usage object that are kept while it comes.
    static let usageBytesMax = 64 * 1024
    /// The longest address that is looked at.
    static let addressBytesMax = 16 * 1024
}
