/// Events that name their type: responses, transcriptions, speech and pictures.
extension StreamChunk {
    /// What an event that names its `type` is.
    enum Typed {
        case delta
        case error
        /// `response.completed` and `response.incomplete`: the only ones with usage, and the last.
        case responseEnd
        case responseFailed
        /// `transcript.text.done` and `speech.audio.done`.
        case mediaEnd
        /// `image_generation.completed` and `image_edit.completed`.
        case pictureEnd
        case other
    }

    /// Nil for a type that no such event has: the chunk is read as any other.
    static func type(named text: JSONText, in bytes: UnsafeRawBufferPointer) -> Typed? {
        let range = text.range
        if bytes.equals("error", in: range) { return .error }
        guard prefixes.contains(where: { bytes.hasBytes($0, at: range.lowerBound) }) else { return nil }
        if range.count > 6, bytes.hasBytes(".delta", at: range.upperBound - 6) { return .delta }
        return ends.first { bytes.equals($0.name, in: range) }?.type ?? .other
    }

    static let soundTypes: [StaticString] = [
        "response.audio.delta", "response.output_audio.delta", "speech.audio.delta",
    ]
    private static let prefixes: [StaticString] = ["response.", "transcript.", "speech.", "image_"]
    private static let ends: [(name: StaticString, type: Typed)] = [
        ("response.completed", .responseEnd), ("response.incomplete", .responseEnd),
        ("response.failed", .responseFailed), ("response.cancelled", .responseFailed),
        ("transcript.text.done", .mediaEnd), ("speech.audio.done", .mediaEnd),
        ("image_generation.completed", .pictureEnd), ("image_edit.completed", .pictureEnd),
    ]
}
