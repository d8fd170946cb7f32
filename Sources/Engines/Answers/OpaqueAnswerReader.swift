internal import Metering

/// Reads nothing: the answer is the client's text or sound, and whatever stands in it says nothing of the engine.
struct OpaqueAnswerReader: AnswerReader {
    private static let documentShape = DocumentShape([])
    var shape: DocumentShape { OpaqueAnswerReader.documentShape }

    func take(part: Int, value: UnsafeRawBufferPointer, facts: inout AnswerFacts) {
        assertionFailure("an answer that is not read has no parts")
    }

    func read(_ event: StreamedEvent, facts: inout AnswerFacts) -> StreamEvent { .other }

    /// Whether an answer of that type is none of the engine's own words. A transcript is what the client's sound says,
    /// and a client that can steer it could write usage, or an error, for us to believe.
    static func isOpaque(_ request: InferenceRequest, contentType: String) -> Bool {
        switch request.surface {
        case .audioTranscriptions:
            if contentType.contains("json") || contentType.hasPrefix("text/event-stream") { return false }
            return !contentType.isEmpty || isText(request)
        case .audioSpeech: return contentType.hasPrefix("audio/") || contentType.hasPrefix("application/octet-stream")
        // Numbers as bytes (vLLM's `encoding_format`).
        case .embeddings: return !contentType.isEmpty && !contentType.contains("json")
        default: return false
        }
    }

    /// Whether the request wants a transcript that is nothing but text: engines that have no events for one send it as
    /// it is.
    static func isText(_ request: InferenceRequest) -> Bool {
        request.surface == .audioTranscriptions && textFormats.contains(request.responseFormat ?? "")
    }

    private static let textFormats: Set<String> = ["text", "srt", "vtt"]
}
