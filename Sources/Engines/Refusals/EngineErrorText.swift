internal import Metering

/// What an engine's error says, as far as its meaning depends on it. Kept in memory only.
public struct EngineErrorText: Hashable, Sendable {
    /// `type`, `status`, `error_type` or an exception's name: the first that was there.
    public var type: String?
    public var code: String?
    /// A status inside the error, such as SageMaker's `OriginalStatusCode`.
    public var status: Int?
    /// At most `messageBytesMax` bytes.
    public var message: String?
    /// Gemini's `RetryInfo.retryDelay`.
    public var retryMilliseconds: Int64?
    /// Whether it shows what of the input was objected to (OpenRouter's `metadata.flagged_input`, `.reasons`).
    public var isFlagged = false
    /// What a container behind SageMaker said (`OriginalMessage`).
    var inner: EngineErrorText? { innerText.flatMap { EngineErrorText(text: $0) } }
    private var innerText: String?

    /// The most of a message that is kept.
    public static let messageBytesMax = 2048

    /// An error that says so much.
    public init(
        type: String? = nil, code: String? = nil, status: Int? = nil, message: String? = nil,
        retryMilliseconds: Int64? = nil
    ) {
        self.type = type
        self.code = code
        self.status = status
        self.message = message
        self.retryMilliseconds = retryMilliseconds
    }

    /// Reads a whole document: `{"error":…}` in any of its forms, AWS's and RFC 9457's; XML as Amazon's and Google's
    /// older services write it; nil for anything else.
    init?(document: UnsafeRawBufferPointer) {
        if let markup = ErrorMarkup(document) {
            self.init()
            for (name, text) in markup.leaves { take(text, named: name) }
            return
        }
        var scanner = JSONScanner(document)
        guard let kind = try? scanner.kind() else { return nil }
        if kind == .array {
            // Gemini answers a stream that it refuses with an array of one.
            var first: EngineErrorText?
            AnswerFacts.elements(of: document) { if first == nil { first = EngineErrorText(document: $0) } }
            guard let first else { return nil }
            self = first
            return
        }
        guard kind == .object else { return nil }
        self.init()
        read(document)
    }

    /// Reads what stands under `error`: an object, or the message alone.
    init(error value: UnsafeRawBufferPointer, in document: UnsafeRawBufferPointer) {
        self.init()
        if value.first == UInt8(ascii: "{") { read(value) } else { message = EngineErrorText.text(value) }
    }

    private init?(text: String) {
        var text = text
        let read = text.withUTF8 { EngineErrorText(document: UnsafeRawBufferPointer($0)) }
        guard let read else { return nil }
        self = read
    }

    private mutating func read(_ object: UnsafeRawBufferPointer) {
        AnswerFacts.members(of: object) { key, kind, range in
            let value = object.part(range)
            switch EngineErrorText.field(key, in: object) {
            case .error:
                switch kind {
                case .object: read(value)
                case .array: readList(value)
                default: message = EngineErrorText.text(value) ?? message
                }
            // Beside an error of its own a list repeats it, or says what of the request was wrong.
            case .errors: if kind == .array, message == nil, code == nil { readList(value) }
            case .otherMessage: message = message ?? EngineErrorText.text(value)
            case .message:
                if kind == .array { readList(value) } else { message = EngineErrorText.text(value) ?? message }
            case .type: type = EngineErrorText.text(value) ?? type
            case .code: code = EngineErrorText.text(value) ?? AnswerFacts.integer(value).map(String.init) ?? code
            case .status:
                if kind == .string { type = type ?? EngineErrorText.text(value) }
                if kind == .number { status = AnswerFacts.integer(value).flatMap { Int(exactly: $0) } ?? status }
            case .innerText: innerText = EngineErrorText.text(value)
            case .details: if kind == .array { readDetails(value) }
            case .metadata: if kind == .object { readMetadata(value) }
            case nil: break
            }
        }
    }

    /// Takes the text of an element of XML, by the name that a member of JSON would have.
    private mutating func take(_ text: String, named name: String) {
        switch EngineErrorText.fields.first(where: { $0.name.description.lowercased() == name })?.field {
        case .error, .errors, .message, .otherMessage: message = message ?? text
        case .type: type = type ?? text
        case .code: code = code ?? text
        case .status: status = status ?? Int(text)
        case .innerText: innerText = innerText ?? text
        case .details, .metadata, nil: break
        }
    }

    /// The first of several errors, as an object or a text.
    private mutating func readList(_ list: UnsafeRawBufferPointer) {
        var isRead = false
        AnswerFacts.elements(of: list) { element in
            guard !isRead else { return }
            isRead = true
            if element.first == UInt8(ascii: "{") {
                read(element)
            } else {
                message = EngineErrorText.text(element) ?? message
            }
        }
    }

    /// Google's details: `RetryInfo` says when to come again, `ErrorInfo` why.
    private mutating func readDetails(_ list: UnsafeRawBufferPointer) {
        AnswerFacts.elements(of: list) { detail in
            AnswerFacts.members(of: detail) { key, kind, range in
                guard kind == .string, let text = EngineErrorText.text(detail.part(range)) else { return }
                if key.equals("retryDelay", in: detail) { retryMilliseconds = RetryHint.duration(text) }
                if key.equals("reason", in: detail) { code = text }
            }
        }
    }

    /// What a router says of a provider's error.
    private mutating func readMetadata(_ object: UnsafeRawBufferPointer) {
        AnswerFacts.members(of: object) { key, kind, range in
            let value = object.part(range)
            if key.equals("error_type", in: object) { type = type ?? EngineErrorText.text(value) }
            let isFound = kind == .string && value.count > 2 || kind == .array && value.count > 4
            if isFound, key.equals("flagged_input", in: object) || key.equals("reasons", in: object) {
                isFlagged = true
            }
        }
    }

    private enum Field { case error, errors, message, otherMessage, type, code, status, innerText, details, metadata }

    private static let fields: [(name: StaticString, field: Field)] = [
        ("error", .error), ("fault", .error), ("errors", .errors), ("message", .message), ("Message", .message),
        ("detail", .message), ("title", .message), ("error_msg", .message), ("msg", .otherMessage),
        ("reason", .otherMessage), ("faultstring", .otherMessage), ("type", .type), ("error_type", .type),
        ("__type", .type), ("code", .code), ("Code", .code), ("ErrorCode", .code), ("status", .status),
        ("http_status_code", .status), ("OriginalStatusCode", .status),
        ("originalStatusCode", .status), ("OriginalMessage", .innerText), ("details", .details),
        ("metadata", .metadata),
    ]

    private static func field(_ key: JSONText, in bytes: UnsafeRawBufferPointer) -> Field? {
        fields.first { key.equals($0.name, in: bytes) }?.field
    }

    private static func text(_ value: UnsafeRawBufferPointer) -> String? {
        guard value.count > 2, value[0] == UInt8(ascii: "\"") else { return nil }
        let end = min(value.count - 1, messageBytesMax)
        return JSONText(range: 1..<end, isEscaped: value.contains(UInt8(ascii: "\\"))).value(in: value)
    }
}
