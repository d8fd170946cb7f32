/// What the model wrote in a document of any dialect: the values of the members that hold its words, its pictures and
/// sound, and reasoning that is encrypted, wherever they stand. Ids and probabilities are none of it.
enum WrittenText {
    /// What cannot be read is none. `place` is where the document itself stands.
    static func content(of document: UnsafeRawBufferPointer, _ place: Place = .elsewhere) -> WrittenContent {
        var scanner = JSONScanner(document)
        var content = WrittenContent()
        do throws(JSONScanError) {
            try add(&scanner, document, place, to: &content)
        } catch {
            return content
        }
        return content
    }

    /// That of what the scanner stands before.
    static func content(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> WrittenContent {
        var content = WrittenContent()
        try add(&scanner, bytes, .elsewhere, to: &content)
        return content
    }

    /// Where a value stands, and so what a text is there.
    enum Place {
        case words, reasoning
        case media(MediaKind)
        case elsewhere
    }

    private enum Member {
        case words, reasoning
        /// The same as `words`; an object is the JSON that the model wrote.
        case arguments
        /// What repeats the text, or measures it.
        case skipped
        case media(MediaKind)
        /// The data of what stands around it.
        case payload
        /// The data that reasoning is encrypted in, unless what stands around it is a picture or sound.
        case data
        case encrypted
        /// What a tool made: a picture in Base64, or anything else.
        case result
        /// What stands between a picture or sound and its data.
        case between
    }

    private static let members = NamedMeanings([
        [
            "content", "text", "delta", "refusal", "partial_json", "transcript", "outputText", "generation",
            "completion", "output", "text_output", "code", "tool_plan",
        ]: Member.words,
        ["reasoning_content", "reasoning", "thinking", "summary", "reasoningContent"]: .reasoning,
        ["arguments", "input", "args"]: .arguments,
        ["logprobs", "usage", "generated_text", "annotations", "citations", "obfuscation"]: .skipped,
        ["image_url", "images", "image", "partial_image_b64"]: .media(.picture),
        ["audio"]: .media(.sound), ["inlineData", "inline_data"]: .media(.unknown),
        ["url", "bytes", "b64_json"]: .payload, ["data"]: .data, ["source"]: .between, ["result"]: .result,
        ["encrypted_content", "thoughtSignature", "thought_signature", "signature", "redactedContent"]: .encrypted,
    ])

    private static func add(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer, _ place: Place, to content: inout WrittenContent
    ) throws(JSONScanError) {
        switch try scanner.kind() {
        case .string: take(try scanner.string(), bytes, place, to: &content)
        case .array:
            try scanner.beginArray()
            while try scanner.nextElement() { try add(&scanner, bytes, place, to: &content) }
        case .object:
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                let kind = try scanner.kind()
                switch kind {
                case .number, .bool, .null: try scanner.skip()
                case .string, .array, .object: try addMember(key, kind, &scanner, bytes, place, to: &content)
                }
            }
        case .number, .bool, .null: try scanner.skip()
        }
    }

    /// Adds the value of one member of an object.
    static func addMember(
        _ key: JSONText, _ kind: JSONKind, _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer,
        _ place: Place = .elsewhere, to content: inout WrittenContent
    ) throws(JSONScanError) {
        let member = members.meaning(of: key, in: bytes)
        switch member {
        case .skipped?: try scanner.skip()
        case .words?:
            // What is said inside of reasoning is reasoning.
            if case .reasoning = place { return try add(&scanner, bytes, .reasoning, to: &content) }
            try add(&scanner, bytes, .words, to: &content)
        case .reasoning?: try add(&scanner, bytes, .reasoning, to: &content)
        case .arguments? where kind == .object: content.textBytes += Int64(try scanner.skip().count)
        case .arguments?: try add(&scanner, bytes, .words, to: &content)
        case .media(let kind)?: try add(&scanner, bytes, .media(kind), to: &content)
        case .between?: try add(&scanner, bytes, place, to: &content)
        case .payload?, .data?: try addPayload(member, kind, &scanner, bytes, place, to: &content)
        case .encrypted? where kind == .string:
            content.takeHidden(base64Bytes: Int64(try scanner.string().range.count))
        case .result? where kind == .string:
            let text = try scanner.string()
            if text.range.count >= pictureBytesMin, bytes.part(text.range).isVisibleASCII {
                take(text, bytes, .media(.picture), to: &content)
            }
        case .encrypted?, .result?, nil: try add(&scanner, bytes, .elsewhere, to: &content)
        }
    }

    /// No picture is written in fewer bytes.
    private static let pictureBytesMin = 64

    private static func addPayload(
        _ member: Member?, _ kind: JSONKind, _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer,
        _ place: Place, to content: inout WrittenContent
    ) throws(JSONScanError) {
        if case .media = place { return try add(&scanner, bytes, place, to: &content) }
        guard kind == .string, case .data? = member else {
            return try add(&scanner, bytes, .elsewhere, to: &content)
        }
        content.takeHidden(base64Bytes: Int64(try scanner.string().range.count))
    }

    private static func take(
        _ text: JSONText, _ bytes: UnsafeRawBufferPointer, _ place: Place, to content: inout WrittenContent
    ) {
        switch place {
        case .words: content.textBytes += Int64(text.valueByteCount(in: bytes))
        case .reasoning:
            let count = Int64(text.valueByteCount(in: bytes))
            content.textBytes += count
            content.reasoningBytes += count
        case .media(let kind):
            content.media.take(
                kind, head: bytes[text.range].prefix(DeliveredMedia.headBytesMax), textBytes: Int64(text.range.count))
        case .elsewhere: break
        }
    }
}
