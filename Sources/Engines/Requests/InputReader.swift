/// Reads the members of a body that make up its input, and adds up what they come to. One pass, whatever they hold.
struct InputReader {
    let body: UnsafeRawBufferPointer
    var measure = InputMeasure()
    /// What is asked for beside text.
    var features: RequestedFeatures = []
    /// The first tool or plugin that is in no list of allowed ones.
    var otherTool: String?
    /// Members of parts that no client may set.
    var restricted = RestrictedMembers()
    /// The tools that are to make pictures.
    var pictures = PictureTools()
    /// Whether a tool among them searches for every answer, and no answer says so.
    var searchesAlways = false
    /// Whether it names an address on the web, which the engine is to fetch something from.
    var namesAddress = false
    /// The first address that leads elsewhere.
    var refusedAddress: String?
    /// The first text in the place of a picture or sound that may be a path.
    var possiblePath: String?
    /// Whose tools they are.
    let form: AllowedTools.Form
    /// Of the object that is being read.
    private var part = PartNames()
    /// Whether an address stands in the value that is being read, whatever kind of media it is.
    var isURLExpected = false
    /// Whether an object with an address and no type is a picture: among what is embedded or ranked.
    var takesBareAddresses = false

    /// What a part of a message holds beside its text. A name in a cache is one where it stands beside a picture or
    /// sound, or in its place; beside text it is the client's own.
    private struct PartNames {
        var isMedia = false
        var hasType = false
        /// What an earlier search found, handed in again.
        var isSearchResult = false
        /// Each `url` and `path` of its own: readers differ in which of several they take.
        var addresses: [JSONText] = []
        /// Where a search found it, as long as it is the result of one.
        var searchSources: [JSONText] = []
        var restricted = RestrictedMembers()
    }

    /// Where a value stands.
    enum Place {
        /// Among what a prompt is made of: messages and their parts. Media may stand here.
        case content
        /// In a value that is text whatever it says: tools, calls, schemas.
        case data
        /// In a member that nobody knows, and which may hold pictures or sound.
        case unknown
    }

    init(_ body: UnsafeRawBufferPointer, _ form: AllowedTools.Form) {
        self.body = body
        self.form = form
    }

    /// What a member of a message, a part or a document holds.
    private enum Member {
        /// Text of the prompt, at whatever depth.
        case text
        /// Something other than text.
        case media(MediaKind)
        /// What a call was given, or gave back, in whatever form.
        case data
        case type
        /// In a response's input, tools that are handed in later.
        case tools
    }

    /// The members of messages, parts and documents under which text stands, at whatever depth.
    private static let textFields: [StaticString] = ["content", "text", "parts", "output", "toolResult", "summary"]
    private static let media: [(name: StaticString, meaning: Member)] = [
        ("image_url", .media(.picture)), ("image", .media(.picture)), ("images", .media(.picture)),
        ("input_image", .media(.picture)), ("image_embeds", .media(.picture)),
        ("input_audio", .media(.sound)), ("audio", .media(.sound)), ("audio_url", .media(.sound)),
        ("video", .media(.video)), ("video_url", .media(.video)),
        ("file", .media(.file)), ("file_data", .media(.file)), ("fileData", .media(.file)),
        ("file_url", .media(.file)), ("document", .media(.file)), ("document_url", .media(.file)),
        ("source", .media(.unknown)), ("inlineData", .media(.unknown)), ("inline_data", .media(.unknown)),
    ]
    private static let data: [StaticString] = ["input", "args", "arguments", "response", "json", "tool_calls"]

    private static let members = NamedMeanings(
        textFields.map { ($0, Member.text) } + media + data.map { ($0, .data) } + [("type", .type), ("tools", .tools)])

    /// Whether text stands under this name.
    static func isText(_ key: JSONText, in body: UnsafeRawBufferPointer) -> Bool {
        if case .text? = members.meaning(of: key, in: body) { true } else { false }
    }

    /// The members of parts in which something other than text stands.
    static let mediaNames = NameTable(media.map(\.name))

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
    mutating func readOther(
        _ key: JSONText, _ scanner: inout JSONScanner, isLookedAt: Bool = true
    ) throws(JSONScanError) {
        let isOwn = !isLookedAt || InputReader.ownTexts.place(of: key, in: body) != nil
        switch try scanner.kind() {
        case .number, .bool, .null: try scanner.skip()
        case .string:
            let text = try scanner.string()
            if isDataURL(text) { return takePayload(text, .unknown, type: nil) }
            if !isOwn { take(unknown: text, named: key) }
            takeName(key)
            takeText(Int64(text.valueByteCount(in: body)) + 2)
        case .array, .object:
            takeName(key)
            try read(&scanner, isOwn ? .data : .unknown)
        }
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
    mutating func takeName(_ key: JSONText) { takeText(Int64(key.valueByteCount(in: body)) + 3) }

    /// A value, delimiters and all. `isPrompt` says that what stands under a name such as `content` is the prompt's.
    mutating func read(
        _ scanner: inout JSONScanner, _ place: Place, isPrompt: Bool = false, isText: Bool = false
    ) throws(JSONScanError) {
        switch try scanner.kind() {
        case .string:
            let text = try scanner.string()
            if place == .unknown { take(unknown: text, named: nil) }
            takeText(2)
            takeText(Int64(text.valueByteCount(in: body)), isPrompt: isText)
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
            let outer = part
            part = PartNames()
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                if !isFirst { takeText(1) }
                isFirst = false
                takeName(key)
                try readMember(key, &scanner, place, isPrompt: isPrompt)
            }
            finishPart()
            part = outer
        }
    }

    mutating func readMember(
        _ key: JSONText, _ scanner: inout JSONScanner, _ place: Place, isPrompt: Bool
    ) throws(JSONScanError) {
        if place == .data { return try read(&scanner, .data) }
        if place == .unknown {
            return try read(&scanner, InputReader.ownTexts.place(of: key, in: body) == nil ? .unknown : .data)
        }
        switch InputReader.members.meaning(ofAnyCase: key, in: body) {
        case .type? where try scanner.kind() == .string:
            let type = try readWord(&scanner)
            let asked = RequestedFeatures(partType: type, in: body)
            if !asked.isEmpty { part.isMedia = true }
            // Of several types, a reader may take any.
            part.isSearchResult = type.equals("search_result", in: body) && (!part.hasType || part.isSearchResult)
            part.hasType = true
            features.formUnion(asked)
        case .text? where isPrompt: try read(&scanner, .content, isPrompt: true, isText: true)
        case .media(let kind)?:
            // Where a result of a search comes from is text to the model.
            if part.isSearchResult, case .unknown = kind, try scanner.kind() == .string {
                var value = scanner
                part.searchSources.append(try value.string())
                return try read(&scanner, .data)
            }
            part.isMedia = true
            isURLExpected = InputReader.urls.match(key, in: body) != .none
            try readMedia(kind, &scanner)
            isURLExpected = false
        case .data?: try read(&scanner, .data)
        case .tools? where form == .responses:
            if try scanner.kind() == .array { try readToolList(&scanner) } else { try read(&scanner, .content) }
        case nil where key.range.count <= 24 && key.equals("uuid", in: body):
            part.restricted.formUnion(try RestrictedMember.asked(key, in: "part", scanner, body))
            try read(&scanner, .content)
        // Bedrock's results of searches: where they come from is a label.
        case nil where key.range.count <= 24 && key.equals("searchResult", in: body): try read(&scanner, .data)
        case nil where InputReader.isAddress(key, in: body):
            var value = scanner
            if try value.kind() == .string { part.addresses.append(try value.string()) }
            try read(&scanner, .content)
        case .type?, .text?, .tools?, nil: try read(&scanner, .content)
        }
    }

    /// All of a part was read.
    private mutating func finishPart() {
        if part.isMedia { restricted.formUnion(part.restricted) }
        for address in part.addresses {
            if part.isMedia || takesBareAddresses && !part.hasType {
                _ = take(address: address, part.isMedia ? .picture : .unknown)
            } else if MediaAddress(address, in: body) == .local, !isWeb(address) {
                refuse(address: address)
            }
        }
        guard !part.isSearchResult else { return }
        for source in part.searchSources { _ = take(address: source, part.isMedia ? .picture : .unknown) }
    }

    private func isWeb(_ address: JSONText) -> Bool {
        body[address.range].first { $0 > 0x20 }.map { $0 | 0x20 == UInt8(ascii: "h") } == true
    }

    /// Members that hold an address and nothing else.
    private static let urls = NameTable(["image_url", "audio_url", "video_url", "file_url", "document_url"])

    private static let addresses = NameTable(["url", "path"])
    private static let addressNames = NameTable(["url", "uri", "fileUri"])

    /// Whether a part of a message has an address under this name in templates that know no other.
    private static func isAddress(_ key: JSONText, in body: UnsafeRawBufferPointer) -> Bool {
        addresses.match(key, in: body) != .none
    }

    /// A string that is text like any other, and means something beside that.
    mutating func readWord(_ scanner: inout JSONScanner) throws(JSONScanError) -> JSONText {
        let word = try scanner.string()
        takeText(Int64(word.valueByteCount(in: body)) + 2)
        return word
    }

    // MARK: Media

    /// What a member of an object that holds a picture, sound or a file says of it.
    private enum MediaMember { case payload, format, type, fileID, source }
    private static let mediaMembers = NamedMeanings([
        ["data", "url", "bytes", "file_data", "b64_json", "uri", "fileUri"]: MediaMember.payload,
        ["media_type", "mime_type", "mimeType", "mediaType", "format"]: .format,
        ["type"]: .type, ["file_id"]: .fileID, ["source"]: .source,
    ])

    private mutating func readMediaObject(_ kind: MediaKind, _ scanner: inout JSONScanner) throws(JSONScanError) {
        features.formUnion(RequestedFeatures(input: kind))
        var payload: JSONText?
        var isURL = isURLExpected
        var type: String?
        var isText = false
        /// What a `source` within came to: Bedrock's `document` has its format beside that.
        var inner = (likely: Int64(0), most: Int64(0), bytes: Int64(0))
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            takeName(key)
            let valueKind = try scanner.kind()
            switch InputReader.mediaMembers.meaning(ofAnyCase: key, in: body) {
            case .payload? where valueKind == .string:
                let text = try scanner.string()
                if payload == nil {
                    payload = text
                    isURL = isURL || InputReader.addressNames.match(key, in: body) != .none
                } else if take(address: text, kind) {
                    takeText(Int64(text.range.count))
                }
            case .format? where valueKind == .string:
                let text = try scanner.string()
                takeText(Int64(text.range.count))
                guard text.range.count <= 100 else { continue }
                let value = text.value(in: body)
                type = value
                features.formUnion(RequestedFeatures(input: MediaKind(type: value, otherwise: kind)))
            case .type? where valueKind == .string:
                let text = try scanner.string()
                takeText(Int64(text.range.count))
                isText = isText || body.equals("text", in: text.range)
            case .fileID? where valueKind == .string:
                takeText(Int64(try scanner.string().range.count))
                measure.take(MediaKind.elsewhere)
            case .source? where valueKind == .object:
                let before = measure
                try readMediaObject(kind, &scanner)
                inner.likely += measure.mediaTokens - before.mediaTokens
                inner.most += measure.mediaTokensMax - before.mediaTokensMax
                inner.bytes += measure.mediaBytes - before.mediaBytes
            default:
                if valueKind != .null, case .media(let kind)? = InputReader.members.meaning(ofAnyCase: key, in: body) {
                    features.formUnion(RequestedFeatures(input: kind))
                    try readMedia(kind, &scanner)
                } else {
                    try read(&scanner, .content, isPrompt: true, isText: key.equals("text", in: body))
                }
            }
        }
        if let type, inner.most > 0, MediaKind(type: type, otherwise: kind) == nil {
            // Text in Base64, which was taken for a file.
            measure.take((-inner.likely, -inner.most))
            measure.mediaBytes -= inner.bytes
            takeText(inner.most * UsageEstimate.bytesPerToken)
        }
        guard let payload else { return }
        if isText, !isURL {
            takeText(Int64(payload.valueByteCount(in: body)), isPrompt: true)
        } else {
            isURLExpected = isURL
            takePayload(payload, kind, type: type)
            isURLExpected = false
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
        guard take(address: text, kind) else { return }
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
