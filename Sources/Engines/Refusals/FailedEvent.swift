/// An event of a stream that says that the answer failed, as a client may see it.
public enum FailedEvent {
    /// The event with its document, from the first brace to the last, replaced by `document`: framing and names stay.
    /// Nil where it has none.
    public static func replacing(documentOf event: UnsafeRawBufferPointer, with document: [UInt8]) -> [UInt8]? {
        guard let range = documentRange(of: event) else { return nil }
        return Array(event[..<range.lowerBound]) + document + Array(event[range.upperBound...])
    }

    /// The event with the error inside its `response` (OpenAI's `response.failed`) replaced by `error`. Nil where there
    /// is none.
    public static func replacing(errorInResponseOf event: UnsafeRawBufferPointer, with error: [UInt8]) -> [UInt8]? {
        guard let document = documentRange(of: event) else { return nil }
        var found: Range<Int>?
        AnswerFacts.members(of: event.part(document)) { key, kind, range in
            guard kind == .object, key.equals("response", in: event.part(document)) else { return }
            let start = document.lowerBound + range.lowerBound
            let response = event.part(start..<document.lowerBound + range.upperBound)
            AnswerFacts.members(of: response) { key, kind, range in
                guard kind == .object, key.equals("error", in: response) else { return }
                found = start + range.lowerBound..<start + range.upperBound
            }
        }
        guard let found else { return nil }
        return Array(event[..<found.lowerBound]) + error + Array(event[found.upperBound...])
    }

    private static func documentRange(of event: UnsafeRawBufferPointer) -> Range<Int>? {
        guard let start = event.firstIndex(of: UInt8(ascii: "{")), let end = event.lastIndex(of: UInt8(ascii: "}")),
            start < end
        else { return nil }
        return start..<end + 1
    }
}
