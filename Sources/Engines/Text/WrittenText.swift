/// How much text the model wrote in a document of any dialect: the values of the members that hold its words, wherever
/// they stand. What is none of them (ids, signatures, pictures and sound in Base64, probabilities) does not count.
enum WrittenText {
    /// Bytes of UTF-8; what cannot be read is none.
    static func bytes(in document: UnsafeRawBufferPointer) -> Int64 {
        var scanner = JSONScanner(document)
        var sum: Int64 = 0
        do throws(JSONScanError) {
            try add(&scanner, document, isText: false, to: &sum)
        } catch {
            return sum
        }
        return sum
    }

    /// Bytes of what the scanner stands before.
    static func bytes(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer, isText: Bool = false
    ) throws(JSONScanError) -> Int64 {
        var sum: Int64 = 0
        try add(&scanner, bytes, isText: isText, to: &sum)
        return sum
    }

    /// Adds one value. `isText`: a string, or each string of a list, is text.
    private static func add(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer, isText: Bool, to sum: inout Int64
    ) throws(JSONScanError) {
        switch try scanner.kind() {
        case .string:
            let text = try scanner.string()
            if isText { sum += Int64(text.valueByteCount(in: bytes)) }
        case .array:
            try scanner.beginArray()
            while try scanner.nextElement() { try add(&scanner, bytes, isText: isText, to: &sum) }
        case .object:
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                let kind = try scanner.kind()
                switch kind {
                case .number, .bool, .null: try scanner.skip()
                case .object where isArguments(key, in: bytes):
                    // The JSON itself is what the model wrote.
                    sum += Int64(try scanner.skip().count)
                case .string, .array, .object:
                    if isSkipped(key, in: bytes) {
                        try scanner.skip()
                    } else {
                        try add(&scanner, bytes, isText: isWords(key, in: bytes), to: &sum)
                    }
                }
            }
        case .number, .bool, .null: try scanner.skip()
        }
    }

    private static func isWords(_ key: JSONText, in bytes: UnsafeRawBufferPointer) -> Bool {
        words.contains { key.equals($0, in: bytes) }
    }

    private static func isArguments(_ key: JSONText, in bytes: UnsafeRawBufferPointer) -> Bool {
        arguments.contains { key.equals($0, in: bytes) }
    }

    private static func isSkipped(_ key: JSONText, in bytes: UnsafeRawBufferPointer) -> Bool {
        skipped.contains { key.equals($0, in: bytes) }
    }

    private static let words: [StaticString] = [
        "content", "text", "delta", "arguments", "input", "args", "reasoning_content", "reasoning", "refusal",
        "thinking", "partial_json", "transcript", "summary", "outputText", "generation", "completion", "output",
        "text_output", "code",
    ]
    private static let arguments: [StaticString] = ["input", "args", "arguments"]
    /// What repeats the text, or measures it.
    private static let skipped: [StaticString] = ["logprobs", "usage", "generated_text", "annotations", "obfuscation"]
}
