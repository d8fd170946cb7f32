/// Reads the members of a body that make up its input, and adds up what they come to. One pass, whatever they hold.
struct InputReader {
    let body: UnsafeRawBufferPointer
    var measure = InputMeasure()
    /// What is asked for beside text.
    var features: RequestedFeatures = []

    /// Where a value stands.
    private enum Place {
        /// Among what a prompt is made of: messages and their parts. Media may stand here.
        case content
        /// In a value that is text whatever it says: tools, calls, schemas.
        case data
        /// Among tools: text as well, and some of them are sold by the call.
        case tools
    }

    init(_ body: UnsafeRawBufferPointer) { self.body = body }

    /// The members of messages, parts and documents under which text stands, at whatever depth.
    static let textFields: [StaticString] = ["content", "text", "parts", "output", "toolResult", "summary"]

    /// The members of parts in which something other than text stands, and what it is.
    static let mediaNames = NameTable(media.map(\.0))
    private static let media: [(StaticString, MediaKind)] = [
        ("image_url", .picture), ("image", .picture), ("images", .picture), ("input_image", .picture),
        ("image_embeds", .picture),

        ("input_audio", .sound), ("audio", .sound), ("audio_url", .sound), ("video", .video), ("video_url", .video),
        ("file", .file), ("file_data", .file), ("fileData", .file), ("file_url", .file), ("document", .file),
        ("source", .unknown), ("inlineData", .unknown), ("inline_data", .unknown),
    ]
    /// The members of parts that hold what a call was given, or gave back, in whatever form.
    private static let dataNames = NameTable(["input", "args", "arguments", "response", "json", "tool_calls"])

    // MARK: Prompts

    /// A prompt: text, tokens, messages, or lists of them. Returns how many elements other than tokens it lists.
    @discardableResult
    mutating func readPrompt(_ scanner: inout JSONScanner) throws(JSONScanError) -> Int64 {
        switch try scanner.kind() {
        case .string: takeText(Int64(try scanner.string().valueByteCount(in: body)), isPrompt: true)
        case .number:
            _ = try scanner.number()
            takeText(UsageEstimate.bytesPerToken, isPrompt: true)
        case .array:
            var count: Int64 = 0
            try scanner.beginArray()
            while try scanner.nextElement() {
                if try scanner.kind() != .number { count += 1 }
                try readPrompt(&scanner)
            }
            return count
        case .object: try read(&scanner, .content, isPrompt: true)
        case .bool, .null: try scanner.skip()
        }
        return 1
    }

    /// A member that no table names: all of it is text, name and all, but a number or a boolean of its own is none.
    mutating func readOther(_ key: JSONText, _ scanner: inout JSONScanner) throws(JSONScanError) {
        switch try scanner.kind() {
        case .number, .bool, .null: try scanner.skip()
        case .string:
            let text = try scanner.string()
            if isDataURL(text) { return takePayload(text, .unknown, type: nil) }
            takeName(key)
            takeText(Int64(text.valueByteCount(in: body)) + 2)
        case .array, .object:
            takeName(key)
            try read(&scanner, .data)
        }
    }

    /// Tools, each an object; whatever else stands here is only counted.
    mutating func readTools(_ key: JSONText, _ scanner: inout JSONScanner) throws(JSONScanError) {
        guard try scanner.kind() == .array else { return try readOther(key, &scanner) }
        takeName(key)
        try read(&scanner, .tools)
    }

    /// A member that holds a picture, sound or a file, or several.
    mutating func readMedia(_ kind: MediaKind, _ scanner: inout JSONScanner) throws(JSONScanError) {
        switch try scanner.kind() {
        case .string:
            features.formUnion(RequestedFeatures(input: kind))
            takePayload(try scanner.string(), kind, type: nil)
        case .array:
            try scanner.beginArray()
            while try scanner.nextElement() { try readMedia(kind, &scanner) }
        case .object: try readMediaObject(kind, &scanner)
        case .number, .bool, .null: try scanner.skip()
        }
    }

    // MARK: Values

    mutating func takeText(_ bytes: Int64, isPrompt: Bool = false) {
        measure.textBytes += bytes
        if isPrompt { measure.promptBytes += bytes }
    }

    /// A key with its quotes and colon.
    private mutating func takeName(_ key: JSONText) { takeText(Int64(key.valueByteCount(in: body)) + 3) }

    /// A value, delimiters and all. `isPrompt` says that what stands under a name such as `content` is the prompt's.
    private mutating func read(
        _ scanner: inout JSONScanner, _ place: Place, isPrompt: Bool = false, isText: Bool = false
    ) throws(JSONScanError) {
        switch try scanner.kind() {
        case .string:
            let count = Int64(try scanner.string().valueByteCount(in: body))
            takeText(2)
            takeText(count, isPrompt: isText)
        case .number:
            let start = scanner.offset
            _ = try scanner.number()
            takeText(Int64(scanner.offset - start))
        case .bool, .null: takeText(Int64(try scanner.skip().count))
        case .array:
            takeText(2)
            var isFirst = true
            try scanner.beginArray()
            while try scanner.nextElement() {
                if !isFirst { takeText(1) }
                isFirst = false
                try read(&scanner, place, isPrompt: isPrompt, isText: isText)
            }
        case .object:
            takeText(2)
            var isFirst = true
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                if !isFirst { takeText(1) }
                isFirst = false
                takeName(key)
                try readMember(key, &scanner, place, isPrompt: isPrompt)
            }
        }
    }

    private mutating func readMember(
        _ key: JSONText, _ scanner: inout JSONScanner, _ place: Place, isPrompt: Bool
    ) throws(JSONScanError) {
        switch place {
        case .content: break
        case .data: return try read(&scanner, .data)
        case .tools: return try readToolMember(key, &scanner)
        }
        if key.equals("type", in: body), try scanner.kind() == .string {
            return features.formUnion(RequestedFeatures(partType: try readWord(&scanner), in: body))
        }
        let isText = isPrompt && InputReader.textFields.contains { key.equals($0, in: body) }
        if isText { return try read(&scanner, .content, isPrompt: true, isText: true) }
        if case .name(let index) = InputReader.mediaNames.match(key, in: body) {
            return try readMedia(InputReader.media[index].1, &scanner)
        }
        if case .name = InputReader.dataNames.match(key, in: body) { return try read(&scanner, .data) }
        try read(&scanner, .content)
    }

    /// OpenAI's, Anthropic's and xAI's tools are told by their type, Gemini's by their members.
    private mutating func readToolMember(_ key: JSONText, _ scanner: inout JSONScanner) throws(JSONScanError) {
        let kind = try scanner.kind()
        if kind == .string, key.equals("type", in: body) {
            return features.formUnion(RequestedFeatures(toolType: try readWord(&scanner), in: body))
        }
        if kind != .null { features.formUnion(RequestedFeatures(toolMember: key, in: body)) }
        try read(&scanner, .data)
    }

    /// A string that is text like any other, and means something beside that.
    private mutating func readWord(_ scanner: inout JSONScanner) throws(JSONScanError) -> JSONText {
        let word = try scanner.string()
        takeText(Int64(word.valueByteCount(in: body)) + 2)
        return word
    }

    // MARK: Media

    private static let payloadNames = NameTable(["data", "url", "bytes", "file_data", "b64_json", "uri", "fileUri"])
    private static let typeNames = NameTable(["media_type", "mime_type", "mimeType", "mediaType", "format"])

    private mutating func readMediaObject(_ kind: MediaKind, _ scanner: inout JSONScanner) throws(JSONScanError) {
        features.formUnion(RequestedFeatures(input: kind))
        var payload: JSONText?
        var type: String?
        var isText = false
        /// What a `source` within came to: Bedrock's `document` has its format beside that.
        var inner = (likely: Int64(0), most: Int64(0), bytes: Int64(0))
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            takeName(key)
            let valueKind = try scanner.kind()
            if valueKind == .string, payload == nil, case .name = InputReader.payloadNames.match(key, in: body) {
                payload = try scanner.string()
            } else if valueKind == .string, case .name = InputReader.typeNames.match(key, in: body) {
                let text = try scanner.string()
                takeText(Int64(text.range.count))
                guard text.range.count <= 100 else { continue }
                let value = text.value(in: body)
                type = value
                features.formUnion(RequestedFeatures(input: MediaKind(type: value, otherwise: kind)))
            } else if valueKind == .string, key.equals("type", in: body) {
                let text = try scanner.string()
                takeText(Int64(text.range.count))
                isText = isText || body.equals("text", in: text.range)
            } else if valueKind == .string, key.equals("file_id", in: body) {
                takeText(Int64(try scanner.string().range.count))
                measure.take(MediaKind.elsewhere)
            } else if valueKind == .object, key.equals("source", in: body) {
                let before = measure
                try readMediaObject(kind, &scanner)
                inner.likely += measure.mediaTokens - before.mediaTokens
                inner.most += measure.mediaTokensMax - before.mediaTokensMax
                inner.bytes += measure.mediaBytes - before.mediaBytes
            } else {
                if case .name(let index) = InputReader.mediaNames.match(key, in: body), valueKind != .null {
                    features.formUnion(RequestedFeatures(input: InputReader.media[index].1))
                }
                try read(&scanner, .content, isPrompt: true, isText: key.equals("text", in: body))
            }
        }
        if let type, inner.most > 0, MediaKind(type: type, otherwise: kind) == nil {
            // Text in Base64, which was taken for a file.
            measure.take((-inner.likely, -inner.most))
            measure.mediaBytes -= inner.bytes
            takeText(inner.most * UsageEstimate.bytesPerToken)
        }
        guard let payload else { return }
        if isText {
            takeText(Int64(payload.valueByteCount(in: body)), isPrompt: true)
        } else {
            takePayload(payload, kind, type: type)
        }
    }

    private func isDataURL(_ text: JSONText) -> Bool {
        body.hasBytes("data:", at: text.range.lowerBound) && !text.isEscaped && isOpaque(text.range)
    }

    /// Whether it can be no text that anybody reads: no white space, nothing beyond ASCII.
    private func isOpaque(_ range: Range<Int>) -> Bool { body.part(range).isVisibleASCII }

    /// What stands where media belong. Prose is text there, too; an address is one, and what it leads to.
    private mutating func takePayload(_ text: JSONText, _ kind: MediaKind, type: String?) {
        let range = text.range
        guard isOpaque(range) else { return takeText(Int64(text.valueByteCount(in: body))) }
        var start = range.lowerBound
        var type = type
        if body.hasBytes("data:", at: start) {
            let head = body[start..<min(range.upperBound, start + 200)]
            guard let comma = head.firstIndex(of: UInt8(ascii: ",")) else { return takeText(Int64(range.count)) }
            let named = String(decoding: body[start + 5..<comma], as: UTF8.self).lowercased()
            guard named.hasSuffix(";base64") else { return takeText(Int64(range.count)) }
            type = named
            start = comma + 1
        } else if body[range].prefix(16).contains(UInt8(ascii: ":")) || range.count < 16 {
            takeText(Int64(range.count))
            measure.take(MediaKind.elsewhere)
            return
        }
        let bytes = Int64(range.upperBound - start) * 3 / 4
        guard let kind = type.map({ MediaKind(type: $0, otherwise: kind) }) ?? kind else { return takeText(bytes) }
        features.formUnion(RequestedFeatures(input: kind))
        measure.take(kind.tokens(inBytes: bytes))
        measure.mediaBytes += Int64(range.count)
    }
}
