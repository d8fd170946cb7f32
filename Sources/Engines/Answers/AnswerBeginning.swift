internal import Metering

/// Finds out from its first bytes how the body of an answer is cut that was asked for as a stream. Engines, and what
/// stands before them, call its type what they like: what decides is what is there.
public struct AnswerBeginning: Sendable {
    private enum State {
        /// Nothing but white space yet.
        case nothing
        /// A line that may begin with the name of a field of server-sent events.
        case line
        /// An object, whose end has not come.
        case object
        /// Behind an object: another one makes it a list.
        case behindObject
    }

    private var state = State.nothing
    private var line: [UInt8] = []
    private var elements = JSONArraySplitter()
    /// Whether the type says that objects come one by one, so that the first need not be waited for.
    private let isList: Bool

    /// `contentType` in lower case.
    public init(contentType: String = "") { isList = AnswerBeginning.isList(contentType) }

    /// Whether the answer to a request is to be looked at: streams were asked for, and its type does not say that
    /// events come. Speech without events is sound.
    public static func decides(_ request: InferenceRequest, status: Int, contentType: String) -> Bool {
        (200..<300).contains(status) && request.isStream && request.operation != .speech
            && !OpaqueAnswerReader.isText(request) && !contentType.hasPrefix("text/event-stream")
            && !contentType.hasPrefix("application/vnd.amazon.eventstream")
            // Gemini's own list, of which the client sees the head at once.
            && !(request.surface == .geminiGenerate && contentType.hasPrefix("application/json"))
    }

    static func isList(_ contentType: String) -> Bool {
        contentType.contains("ndjson") || contentType.contains("jsonl") || contentType.contains("json-seq")
            || contentType.contains("stream+json") || contentType.contains("json-lines")
    }

    /// Looks at the next bytes. Nil while they may be either.
    public mutating func take(_ bytes: UnsafeRawBufferPointer) -> AnswerFraming? {
        var index = 0
        while index < bytes.count {
            switch state {
            case .nothing:
                let byte = bytes[index]
                if AnswerBeginning.isSpace(byte) {
                    index += 1
                    continue
                }
                switch byte {
                case UInt8(ascii: "["), 0x1E: return .jsonArray
                case UInt8(ascii: "{"):
                    if isList { return .jsonArray }
                    state = .object
                // The length of a frame, which is below 16 MiB.
                case 0: return .awsEventStream
                default: state = .line
                }
            case .line:
                line.append(bytes[index])
                index += 1
                switch AnswerBeginning.isField(line) {
                case true?: return .serverSentEvents
                case false?: return .plain
                case nil: break
                }
            case .object:
                guard let end = elements.nextEventEnd(in: bytes, from: index) else { return nil }
                index = end
                state = .behindObject
            case .behindObject:
                let byte = bytes[index]
                if AnswerBeginning.isSpace(byte) {
                    index += 1
                    continue
                }
                return [UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: ","), 0x1E].contains(byte)
                    ? .jsonArray : .plain
            }
        }
        return nil
    }

    /// What it is if nothing more comes.
    public var framingAtEnd: AnswerFraming {
        switch state {
        // No events at all: no stream.
        case .nothing: .serverSentEvents
        case .line, .object, .behindObject: .plain
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    /// The fields of server-sent events, and comments. Some put a mark of byte order before them.
    private static let fields: [[UInt8]] = ["data", "event", "id", "retry"].map { Array($0.utf8) }
    private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// Whether a line is of events, by its beginning; nil while it may be.
    private static func isField(_ line: [UInt8]) -> Bool? {
        if line.count < mark.count, mark.starts(with: line) { return nil }
        let text = line.starts(with: mark) ? line.dropFirst(mark.count) : line[...]
        guard let last = text.last else { return nil }
        if text.count == 1, last == UInt8(ascii: ":") { return true }
        if fields.contains(where: { text.dropLast().elementsEqual($0) }) {
            return last == UInt8(ascii: ":") || last == 0x0A || last == 0x0D
        }
        return fields.contains { $0.starts(with: text) } ? nil : false
    }
}
