// What of a choice is new in a chunk.

extension StreamChunk {
    /// A delta has content when the model wrote something in it: text, reasoning, a refusal, a call, sound. A role
    /// alone, or empty text, is none.
    mutating func readDelta(_ scanner: inout JSONScanner) throws(JSONScanError) {
        var hasFound = false
        var written = WrittenContent()
        // Text under names that nobody knows: the model's, where it wrote nothing under those that are known.
        var unknown: Int64 = 0
        // The same reasoning may stand under several names, for the sake of older clients.
        var reasoning: Int64 = 0
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            let kind = try scanner.kind()
            switch kind {
            case .string:
                let text = try scanner.string()
                guard !text.range.isEmpty else { continue }
                let count = Int64(text.valueByteCount(in: bytes))
                guard let place = OpenAIDialect.content(key, in: bytes) else {
                    if !OpenAIDialect.isSilent(key, in: bytes) { unknown += count }
                    continue
                }
                hasFound = true
                switch place {
                case .reasoning: reasoning = max(reasoning, count)
                case .media(let kind):
                    written.media.take(kind, head: bytes[text.range].prefix(8), textBytes: Int64(text.range.count))
                case .words, .elsewhere: written.textBytes += count
                }
            case .array where key.equals("executed_tools", in: bytes): try readExecutedTools(&scanner)
            case .array where key.equals("annotations", in: bytes):
                if try scanner.skip().count > 2 { showsSources = true }
            case .array, .object:
                let value = try scanner.skip()
                // Two bytes are the delimiters of something empty.
                guard value.count > 2 else { continue }
                guard let place = OpenAIDialect.content(key, in: bytes) else {
                    if !OpenAIDialect.isSilent(key, in: bytes) { unknown += textBytes(ofList: value) }
                    continue
                }
                var content = WrittenText.content(of: bytes.part(value), place)
                if case .elsewhere = place, content.isEmpty { continue }
                hasFound = true
                if case .reasoning = place {
                    reasoning = max(reasoning, content.textBytes)
                    content.textBytes = 0
                    content.reasoningBytes = 0
                }
                written.add(content)
            case .number, .bool, .null: try scanner.skip()
            }
        }
        if !hasFound, unknown > 0 {
            hasFound = true
            written.textBytes += unknown
        }
        guard hasFound else { return }
        written.textBytes += reasoning
        written.reasoningBytes += reasoning
        noteContent(written)
    }

    /// Bytes of a list of texts; none of anything else.
    private func textBytes(ofList range: Range<Int>) -> Int64 {
        guard bytes[range.lowerBound] == UInt8(ascii: "["),
            bytes[range].dropFirst().first(where: { $0 > 0x20 }) == UInt8(ascii: "\"")
        else { return 0 }
        return WrittenText.content(of: bytes.part(range), .words).textBytes
    }
}
