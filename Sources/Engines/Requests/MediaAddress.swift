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
        case "file", "local", "path", "unix": self = .local
        default:
            // Prose may well begin with a word and a colon; an address goes on with slashes.
            let (byte, _) = MediaAddress.byte(at: colon, in: body, end: end, isEscaped: text.isEscaped)
            self = byte == UInt8(ascii: "/") ? .local : .none
        }
    }

    /// Whether a text without a scheme is a path: there are no dots in Base64, nor in the ids of files.
    static func isPath(_ range: Range<Int>, in body: UnsafeRawBufferPointer) -> Bool {
        range.count <= pathBytesMax && body[range].contains(UInt8(ascii: "."))
    }

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
            let isMedia = kind == .picture || kind == .sound || kind == .video
            guard isMedia, MediaAddress.isPath(text.range, in: body) else { return true }
        // These have members for buckets, which are looked at as names of what is kept.
        case .bucket: if form == .gemini || form == .converse { return true }
        case .local: break
        }
        refuse(address: text)
        return false
    }

    /// A string where nobody knows that media belong: only what surely is a local file's address is none of the
    /// client's own text.
    mutating func refuseFile(_ text: JSONText) {
        guard let first = body[text.range].first, first | 0x20 == UInt8(ascii: "f") || first <= 0x20 || text.isEscaped
        else { return }
        if MediaAddress(text, in: body) == .local { refuse(address: text) }
    }

    private mutating func refuse(address text: JSONText) {
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
    static func localAddress(_ address: String) -> ReadingError {
        .refused(
            RequestError(
                message:
                    "'\(address)' does not lead to the public web. Send an address that begins with http or https, a "
                    + "data URL, or the content itself in Base64.", code: "address_not_available"))
    }
}
