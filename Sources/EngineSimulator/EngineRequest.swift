/// What a client can ask this engine for.
public enum Operation: String, Sendable, CaseIterable {
    /// `POST /v1/chat/completions`.
    case chat = "chat.completions"
    /// `POST /v1/completions`.
    case completions
    /// `POST /v1/embeddings`.
    case embeddings
}

/// An answer that is an error and has no tokens.
struct EngineError: Error, Equatable {
    let status: Int
    let type: String
    let message: String
    var parameter: String?

    static func badRequest(_ message: String, _ parameter: String? = nil) -> EngineError {
        EngineError(status: 400, type: "BadRequestError", message: message, parameter: parameter)
    }

    /// The error as an OpenAI-compatible engine words it.
    var json: String {
        JSONText.object([
            "error": JSONText.object([
                "message": JSONText.quoted(message), "type": JSONText.quoted(type),
                "param": JSONText.quoted(parameter), "code": String(status),
            ])
        ])
    }
}

/// A request body, read and checked as far as the engine needs it.
struct EngineRequest: Sendable, Equatable {
    /// Choices of one request: `n` times the number of prompts.
    static let choicesMax = 128
    /// Inputs of one embeddings request.
    static let inputsMax = 2048

    let operation: Operation
    let model: String
    var streamed = false
    var includeUsage = false
    var continuousUsage = false
    /// The tier asked for, as written; nil when the body is silent.
    var serviceTier: String?
    var maxTokens: Int?
    var ignoresEndOfSequence = false
    /// How many choices are generated over all prompts.
    var choices = 1
    /// Tokens of each prompt or input.
    var promptTokens: [Int] = []
    var base64 = false
    var dimensions: Int?
    /// Identifies the prompt, so that equal requests get equal answers.
    var promptHash: UInt64 = 0
    /// Settings found in a `[[simulator …]]` marker of the prompt.
    var markedSettings: String?

    /// Reads a body.
    ///
    /// - Throws: the `EngineError` that a real engine would answer with.
    init(operation: Operation, body: JSONValue, contextTokensMax: Int) throws(EngineError) {
        guard body.object != nil else { throw .badRequest("Input should be a valid dictionary or object", "body") }
        guard let model = body["model"]?.string else { throw .badRequest("Field required", "model") }
        self.operation = operation
        self.model = model
        serviceTier = body["service_tier"]?.string
        try readStreaming(body)
        let texts = try Self.texts(operation, body)
        promptTokens = texts.map { Self.tokenCount($0) }
        markedSettings = texts.joined().lazy.compactMap(Self.marker).first
        promptHash = Hash.of(texts.joined().lazy.map { Array($0.utf8) }.joined(separator: [0x1F]))
        guard operation != .embeddings else {
            base64 = body["encoding_format"]?.string == "base64"
            dimensions = try Self.bounded(body, "dimensions", 1...4096)
            return
        }
        let newName = try Self.maxTokens(body, "max_completion_tokens", contextTokensMax)
        let oldName = try Self.maxTokens(body, "max_tokens", contextTokensMax)
        maxTokens = newName ?? oldName
        ignoresEndOfSequence = body["ignore_eos"]?.bool ?? false
        let each = try Self.bounded(body, "n", 1...Self.choicesMax) ?? 1
        choices = (operation == .chat ? 1 : texts.count) * each
        guard choices <= Self.choicesMax else { throw .badRequest("at most \(Self.choicesMax) choices", "n") }
    }

    /// Stands for a request that could not be read, in the book.
    static func unreadable(_ operation: Operation) -> EngineRequest {
        EngineRequest(operation: operation, model: "")
    }

    private init(operation: Operation, model: String) {
        self.operation = operation
        self.model = model
    }

    private mutating func readStreaming(_ body: JSONValue) throws(EngineError) {
        guard operation != .embeddings else { return }
        streamed = body["stream"]?.bool ?? false
        guard let options = body["stream_options"] else { return }
        guard streamed else {
            throw .badRequest(
                "Stream options can only be defined when `stream=True`. (parameter=stream_options)", "stream_options"
            )
        }
        includeUsage = options["include_usage"]?.bool ?? false
        // vLLM's rule: continuous statistics are given only where usage was asked for.
        continuousUsage = includeUsage && (options["continuous_usage_stats"]?.bool ?? false)
    }

    private static func bounded(
        _ body: JSONValue, _ name: String, _ range: ClosedRange<Int>
    ) throws(EngineError) -> Int? {
        guard let value = body[name] else { return nil }
        guard let number = value.int, range.contains(number) else {
            throw .badRequest("\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)", name)
        }
        return number
    }

    private static func maxTokens(_ body: JSONValue, _ name: String, _ max: Int) throws(EngineError) -> Int? {
        guard let value = body[name] else { return nil }
        guard let number = value.int else { throw .badRequest("Input should be a valid integer", name) }
        guard number >= 1 else {
            throw .badRequest("\(name) must be at least 1, got \(number). (parameter=\(name), value=\(number))", name)
        }
        guard number <= max else {
            throw .badRequest(
                "\(name)=\(number) cannot be greater than max_model_len=\(max). Please request fewer output tokens.",
                name
            )
        }
        return number
    }
}

// MARK: - Prompts

extension EngineRequest {
    /// The prompts of a request; each is a list of texts (a chat has one prompt of several messages).
    private static func texts(_ operation: Operation, _ body: JSONValue) throws(EngineError) -> [[String]] {
        switch operation {
        case .chat:
            guard let messages = body["messages"]?.array else { throw .badRequest("Field required", "messages") }
            guard !messages.isEmpty else {
                throw .badRequest(
                    "Cannot apply chat template to an empty conversation. Provide at least one message."
                )
            }
            return [messages.map(messageText)]
        case .completions: return try inputs(body, "prompt")
        case .embeddings: return try inputs(body, "input")
        }
    }

    private static func messageText(_ message: JSONValue) -> String {
        guard let parts = message["content"]?.array else { return message["content"]?.string ?? "" }
        // A part that is no text (an image, say) counts as one word.
        return parts.map { $0["text"]?.string ?? "[part]" }.joined(separator: " ")
    }

    /// A text, a list of texts, a list of token numbers, or a list of those.
    private static func inputs(_ body: JSONValue, _ name: String) throws(EngineError) -> [[String]] {
        guard let value = body[name] else { throw .badRequest("Field required", name) }
        if let text = value.string { return [[text]] }
        guard let values = value.array, !values.isEmpty, values.count <= inputsMax || values[0].int != nil else {
            throw .badRequest("\(name) must be a text or a list of 1 to \(inputsMax) of them", name)
        }
        if values[0].int != nil { return [[numbers(values)]] }
        return values.map { [$0.string ?? numbers($0.array ?? [])] }
    }

    private static func numbers(_ values: [JSONValue]) -> String {
        values.compactMap(\.int).map(String.init).joined(separator: " ")
    }

    /// This engine's tokenizer: the words of each text plus one.
    static func tokenCount(_ texts: [String]) -> Int {
        texts.reduce(0) { $0 + $1.split(whereSeparator: \.isWhitespace).count + 1 }
    }

    /// The settings inside `[[simulator …]]`, if a text has such a marker.
    static func marker(_ text: String) -> String? {
        let opening = "[[simulator "
        guard text.utf8.count > opening.utf8.count, let start = text.firstRange(ofText: opening) else { return nil }
        let rest = text[start...]
        guard let end = rest.firstRange(ofText: "]]") else { return nil }
        return String(rest[rest.index(rest.startIndex, offsetBy: opening.count)..<end])
    }
}

extension StringProtocol {
    /// Where a text first stands in this one.
    fileprivate func firstRange(ofText text: String) -> Index? {
        guard let first = text.utf8.first else { return nil }
        var position = utf8.startIndex
        while let candidate = utf8[position...].firstIndex(of: first) {
            if utf8[candidate...].starts(with: text.utf8) { return candidate }
            position = utf8.index(after: candidate)
        }
        return nil
    }
}
