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
    /// Reasoning itself, and no summary of it.
    static let reasoningTypes: [StaticString] = ["response.reasoning_text.delta", "response.reasoning.delta"]
    private static let prefixes: [StaticString] = ["response.", "transcript.", "transcription.", "speech.", "image_"]
    private static let ends: [(name: StaticString, type: Typed)] = [
        ("response.completed", .responseEnd), ("response.incomplete", .responseEnd),
        ("response.failed", .responseFailed), ("response.cancelled", .responseFailed),
        ("transcript.text.done", .mediaEnd),
        // Mistral's.
        ("transcription.done", .mediaEnd), ("speech.audio.done", .mediaEnd),
        ("image_generation.completed", .pictureEnd), ("image_edit.completed", .pictureEnd),
    ]

    /// Routers put the error of a provider into the choice that it broke off.
    mutating func readChoiceError(_ kind: JSONKind, _ scanner: inout JSONScanner) throws(JSONScanError) {
        if kind == .string { return takeError(try scanner.string()) }
        error = try scanner.skip()
    }

    /// Where a choice names its tokens one by one (vLLM's `return_token_ids`, OpenAI's `logprobs`).
    static let naming = NameIndex(["token_ids", "logprobs"])
    private static let namingLists = NameIndex(["content", "refusal", "tokens"])

    /// How many tokens are named there.
    func readNamedTokens(_ kind: JSONKind, _ scanner: inout JSONScanner) throws(JSONScanError) -> Int64 {
        var count: Int64 = 0
        if kind == .array {
            try scanner.eachElement { kind, _ throws(JSONScanError) in
                if kind != .null { count += 1 }
                return false
            }
            return count
        }
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            guard kind == .array, StreamChunk.namingLists.place(of: key, in: bytes) != nil else { return false }
            count += try readNamedTokens(kind, &scanner)
            return true
        }
        return count
    }

    /// MiniMax's errors have a status of their own.
    mutating func readBaseResponse(_ scanner: inout JSONScanner) throws(JSONScanError) {
        var code: Int64? = 0
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            guard kind == .number, key.equals("status_code", in: bytes) else { return false }
            code = try scanner.number()
            return true
        }
        if code != 0 { isErrorObject = true }
    }

    /// The tools that a compound system ran: which of them are searches.
    mutating func readExecutedTools(_ scanner: inout JSONScanner) throws(JSONScanError) {
        try scanner.eachElement { kind, scanner throws(JSONScanError) in
            guard kind == .object else { return false }
            var place: Int64 = 0
            var isSearch = false
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                if kind == .number, key.equals("index", in: bytes) {
                    place = try scanner.number() ?? 0
                } else if kind == .string, key.equals("type", in: bytes) {
                    isSearch = try scanner.name(kind, in: bytes).map { ToolCalls.isSearch(executed: $0) } ?? false
                } else {
                    return false
                }
                return true
            }
            if isSearch { executedSearches |= 1 << UInt64(min(max(0, place), 63)) }
            return true
        }
    }
}
