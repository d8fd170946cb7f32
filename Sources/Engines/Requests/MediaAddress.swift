/// What stands where a picture, sound or file belongs: the content itself, an address on the web, or an address of
/// something else, which leads into the engine's own machine or network and passes nowhere.
enum MediaAddress: Hashable, Sendable {
    /// No address: Base64, an id, prose.
    case none
    /// `data:`.
    case data
    /// `http:` and `https:`.
    case web
    /// A place in a bucket: some dialects have members for these, which are looked at as what engines keep.
    case bucket
    /// Any other scheme, a path, or a host that is not on the public web.
    case local

    /// No scheme that anybody knows is longer.
    private static let schemeBytesMax = 24
    /// No name of a file is longer. What is longer and has no scheme is content.
    private static let pathBytesMax = 4096

    /// Reads it as the most generous of the engines' readers do: they pass over white space and control characters in
    /// front, and over line ends and tabs anywhere.
    init(_ text: JSONText, in body: UnsafeRawBufferPointer) {
        var scheme: [UInt8] = []
        var index = text.range.lowerBound
        let end = text.range.upperBound
        var colon: Int?
        while index < end, scheme.count <= MediaAddress.schemeBytesMax {
            let (byte, next) = MediaAddress.byte(at: index, in: body, end: end, isEscaped: text.isEscaped)
            index = next
            if byte == 0x09 || byte == 0x0A || byte == 0x0D || byte <= 0x20 && scheme.isEmpty { continue }
            if byte == UInt8(ascii: ":") {
                colon = index
                break
            }
            guard MediaAddress.isOfScheme(byte) else { break }
            scheme.append(byte | 0x20)
        }
        guard let colon, !scheme.isEmpty else {
            self = .none
            return
        }
        switch String(decoding: scheme, as: UTF8.self) {
        case "http", "https": self = WebHost(text, in: body, from: colon).isPublic ? .web : .local
        case "data": self = .data
        case "gs", "s3": self = .bucket
        case let scheme:
            // Prose may well begin with a word and a colon; an address goes on with slashes, and one of a file without
            // a space.
            let (byte, _) = MediaAddress.byte(at: colon, in: body, end: end, isEscaped: text.isEscaped)
            let isFile = scheme == "file" && colon < end && byte != 0x20
            self = isFile || byte == UInt8(ascii: "/") ? .local : .none
        }
    }

    /// Whether a text without a scheme is a path, however it is escaped: there are no dots in Base64, nor in the ids of
    /// files, and nothing but paths begins with these.
    static func isPath(_ text: JSONText, in body: UnsafeRawBufferPointer) -> Bool {
        guard text.range.count <= 6 * pathBytesMax else { return false }
        let value = text.value(in: body).utf8
        guard value.count <= pathBytesMax, let first = value.first else { return false }
        return value.contains(UInt8(ascii: ".")) || first == UInt8(ascii: "~") || first == UInt8(ascii: "\\")
    }

    /// Whether a text that begins as an address does goes on as a sentence: there is a space in its host.
    static func isProse(_ text: String) -> Bool {
        guard let start = text.range(ofFirst: "://") else { return false }
        return text[start...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }.contains(" ")
    }

    /// Whether a text that is no path for sure may be one all the same: a path may be of Base64's letters, and is then
    /// told from content by its length, or by what the content begins with.
    static func mayBePath(_ text: JSONText, in body: UnsafeRawBufferPointer) -> Bool {
        guard (1...pathBytesMax).contains(text.valueByteCount(in: body)) else { return false }
        let end = min(text.range.upperBound, text.range.lowerBound + 6 * headBytesMax)
        let head = Array(
            JSONText(range: text.range.lowerBound..<end, isEscaped: text.isEscaped).value(in: body).utf8
                .prefix(headBytesMax))
        // `ftyp` behind four bytes of length: MP4, M4A, AVIF, HEIC.
        if head.dropFirst(6).starts(with: "Z0eX".utf8) { return false }
        return !contentHeads.contains {
            head.starts(with: UnsafeBufferPointer(start: $0.utf8Start, count: $0.utf8CodeUnitCount))
        }
    }

    private static let headBytesMax = 12
    /// How files of pictures, sound and video begin in Base64: PNG, JPEG, GIF, RIFF (WebP, WAV, AVI), BMP, TIFF, icons,
    /// SVG, ID3, FLAC, Ogg, Matroska, AIFF, AMR, and tensors (zip, NumPy). What a path may well begin with is none.
    private static let contentHeads: [StaticString] = [
        "iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "Qk0", "Qk1", "Qk2", "Qk3", "SUkqA", "TU0AK", "AAABAA", "PHN2Zy",
        "PD94bW", "SUQz", "ZkxhQ", "T2dnU", "GkXfo", "Rk9STQ", "IyFBTVI", "UEsDB", "k05VTVBZ",
    ]

    private static func isOfScheme(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// The byte that stands at a place, its escape read, and where the text goes on. What is no ASCII is 0xFF.
    private static func byte(
        at index: Int, in body: UnsafeRawBufferPointer, end: Int, isEscaped: Bool
    ) -> (byte: UInt8, next: Int) {
        guard index < end else { return (0xFF, end) }
        guard isEscaped, body[index] == UInt8(ascii: "\\"), index + 1 < end else { return (body[index], index + 1) }
        let length = min(body[index + 1] == UInt8(ascii: "u") ? 6 : 2, end - index)
        let value = JSONText(range: index..<index + length, isEscaped: true).value(in: body).utf8.first ?? 0xFF
        return (value < 0x80 ? value : 0xFF, index + length)
    }
}

extension InputReader {
    /// Notes what an address leads to. Returns whether it may pass to an engine.
    mutating func take(address text: JSONText, _ kind: MediaKind) -> Bool {
        switch MediaAddress(text, in: body) {
        case .data: return true
        case .web:
            namesAddress = true
            return true
        case .none:
            guard kind == .picture || kind == .sound || kind == .video || isURLExpected else { return true }
            guard MediaAddress.isPath(text, in: body) else {
                notePossiblePath(text)
                return true
            }
        // These have members for buckets, which are looked at as names of what is kept.
        case .bucket: if form == .gemini || form == .converse { return true }
        case .local: break
        }
        refuse(address: text)
        return false
    }

    /// What may be Base64 or a path: only engines that have files of ours beside them would take it for one.
    private mutating func notePossiblePath(_ text: JSONText) {
        guard possiblePath == nil, MediaAddress.mayBePath(text, in: body) else { return }
        possiblePath = RequestedTool.shown(text, in: body)
    }

    /// A string of a member that no table names: whatever it is called, an engine may fetch from it or open it. What
    /// leads inside is refused; the client's own texts do not stand here.
    mutating func take(unknown text: JSONText, named key: JSONText?) {
        guard let first = body[text.range].first(where: { $0 > 0x20 }) else { return }
        let isCandidate =
            first | 0x20 == UInt8(ascii: "f") || first | 0x20 == UInt8(ascii: "h") || first == UInt8(ascii: "/")
            || first == UInt8(ascii: "\\")
        guard isCandidate else { return }
        switch MediaAddress(text, in: body) {
        case .web: if let key, InputReader.meansMedia(key, in: body) { namesAddress = true }
        case .local:
            // Schemes of the client's own may mean anything to it.
            let shown = RequestedTool.shown(text, in: body).drop { $0.isWhitespace }.lowercased()
            guard shown.hasPrefix("f") || shown.hasPrefix("h"), !MediaAddress.isProse(shown) else { return }
            refuse(address: text)
        case .none:
            if let key, InputReader.meansMedia(key, in: body), text.range.count <= 4096,
                text.value(in: body).utf8.first == UInt8(ascii: "/")
            {
                notePossiblePath(text)
            }
        case .data, .bucket: break
        }
    }

    /// Whether a name is one of a picture, sound or file, or of its address.
    private static func meansMedia(_ key: JSONText, in body: UnsafeRawBufferPointer) -> Bool {
        let name = RequestedTool.shown(key, in: body).lowercased()
        return mediaWords.contains { name.contains($0) }
    }

    private static let mediaWords = [
        "image", "audio", "video", "picture", "photo", "media", "frame", "mask", "speaker", "voice", "sound", "file",
        "reference", "url", "uri", "path", "sample", "clip",
    ]

    /// Members that no table names and whose values are the client's own texts, whatever they look like.
    static let ownTexts = NameIndex([
        "referer", "referrer", "http_referer", "site_url", "site_name", "app_url", "app_name", "homepage", "website",
        "origin", "title", "prefix", "suffix", "grammar", "guided_grammar", "guided_regex", "guided_json",
        "guided_choice", "structured_outputs", "response_format", "json_schema", "schema", "chat_template", "documents",
        "functions", "function_call", "tool_choice", "instructions", "system", "bad_words", "stopSequences", "regex",
        "parameters", "properties", "arguments", "args", "text", "description", "examples", "enum", "default",
        "json",
    ])

    /// Pictures in the text itself, as TGI reads them out of Markdown: `![](address)`. Only addresses of hosts are
    /// looked at: anything else is text to it.
    mutating func refusePictures(inMarkdownAt place: JSONScanner) throws(JSONScanError) {
        var scanner = place
        guard try scanner.kind() == .string else { return }
        let text = try scanner.string()
        ReadingSteps.add(text.range.count)
        var start: Int?
        for index in text.range {
            if body[index] == UInt8(ascii: "("), index > text.range.lowerBound, body[index - 1] == UInt8(ascii: "]") {
                start = index + 1
            } else if body[index] == UInt8(ascii: ")"), let begin = start {
                start = nil
                let address = JSONText(range: begin..<index, isEscaped: text.isEscaped)
                guard body[begin] | 0x20 == UInt8(ascii: "h"), MediaAddress(address, in: body) == .local else {
                    continue
                }
                refuse(address: address)
            }
        }
    }

    mutating func refuse(address text: JSONText) {
        guard refusedAddress == nil else { return }
        let end = min(text.range.upperBound, text.range.lowerBound + RequestedTool.shownBytesMax)
        refusedAddress = String(decoding: body[text.range.lowerBound..<end], as: UTF8.self)
    }
}

extension ReadingError {
    /// A sound that the engine is to fetch: nobody here sees how long it is.
    static func soundAddress(_ name: String) -> ReadingError {
        .refused(
            RequestError(
                message:
                    "'\(name)' makes the engine fetch audio whose length cannot be measured. Send the file itself.",
                parameter: name, code: "field_not_available"))
    }

    /// An address that does not lead to the web.
    static func localAddress(_ address: String) -> ReadingError { .refused(.localAddress(address)) }
}

extension String {
    /// Where the text goes on behind the first of these words.
    fileprivate func range(ofFirst word: String) -> Index? {
        var rest = self[...]
        while let first = word.first, let start = rest.firstIndex(of: first) {
            if self[start...].hasPrefix(word) { return index(start, offsetBy: word.count) }
            rest = self[index(after: start)...]
        }
        return nil
    }
}

extension RequestError {
    /// An address that does not lead to the web, or a text that an engine may take for one.
    public static func localAddress(_ address: String) -> RequestError {
        RequestError(
            message: "'\(address)' does not lead to the public web. Send an address that begins with http or https, a "
                + "data URL, or the content itself in Base64.", code: "address_not_available")
    }
}

extension EngineKind {
    /// Whether it may open a path that stands in the place of a picture or sound: it runs beside files of the
    /// operator's.
    fileprivate var mayOpenPaths: Bool {
        switch self {
        case .openAICompatible, .vllm, .rayServe, .nim, .sageMaker, .tenstorrent, .tensorRTLLM, .llamaCpp, .tgi,
            .triton:
            true
        default: false
        }
    }
}

extension InferenceRequest {
    /// The first text in the place of a picture or sound that one of these systems may take for a path; nil where there
    /// is none.
    public func possiblePath(on kinds: some Sequence<EngineKind>) -> String? {
        guard let possiblePath else { return nil }
        return kinds.contains { $0.mayOpenPaths } ? possiblePath : nil
    }
}
