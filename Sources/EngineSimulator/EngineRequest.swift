/// A request, read and checked as far as the engine needs it, whatever its dialect.
struct EngineRequest: Sendable, Equatable {
    /// Choices of one request: `n` times the number of prompts.
    static let choicesMax = 128
    /// Inputs of one embeddings request.
    static let inputsMax = 2048

    let operation: Operation
    let model: String
    var streamed = false
    /// Whether usage was asked for, where it must be.
    var includeUsage = false
    var continuousUsage = false
    /// The members of `stream_options`, which some engines check.
    var streamOptions: [String] = []
    /// The members of the body, which engines with a closed schema check.
    var members: [String] = []
    /// The tier asked for, as written; nil when the request is silent.
    var serviceTier: String?
    var maxTokens: Int?
    var ignoresEndOfSequence = false
    /// How many choices are generated over all prompts.
    var choices = 1
    /// Tokens of each prompt or input.
    var promptTokens: [Int] = []
    /// Identifies the prompt, so that equal requests get equal answers.
    var promptHash: UInt64 = 0
    /// Settings found in a `[[simulator …]]` marker of the prompt.
    var markedSettings: String?
    /// The tool that the answer calls when it calls one.
    var tool: String?
    /// Whether the request leaves no other way than to call it.
    var mustCallTool = false
    /// The flavour that the path implies; nil for none.
    var impliedFlavour: Behavior.Flavour?

    /// Whether the answer comes piece by piece though nobody asked for a stream, as sound does.
    var flows = false

    // What only some dialects have
    /// Embeddings in base64.
    var base64 = false
    /// A ranking that repeats its documents.
    var repeatsDocuments = false
    var dimensions: Int?
    /// How the answer is to look: a transcription's `response_format`, an image's, `alt` of Gemini's streams.
    var format: String?
    /// Triton's model version, and whether the prompt's tokens were asked for.
    var version = "1"
    var countsPrompt = false
    /// Milliseconds of sound in the request.
    var audioMilliseconds = 0
    /// Characters to be read out.
    var characters = 0
    /// Documents to be ranked, and how many the answer is to name.
    var documents: [String] = []
    var topCount: Int?
    /// Where the client reached the engine, for the URLs in an answer.
    var origin = ""

    init(operation: Operation, model: String) {
        self.operation = operation
        self.model = model
    }

    /// Stands for a request that could not be read, in the book.
    static func unreadable(_ operation: Operation) -> EngineRequest {
        EngineRequest(operation: operation, model: "")
    }
}

// MARK: - Members that many dialects share

extension EngineRequest {
    /// A whole number within bounds; nil when the member is not there.
    static func bounded(
        _ body: JSONValue, _ name: String, _ range: ClosedRange<Int>
    ) throws(EngineError) -> Int? {
        guard let value = body[name] else { return nil }
        guard let number = value.int, range.contains(number) else {
            throw .badRequest("\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)", name)
        }
        return number
    }

    /// A limit of tokens, worded as vLLM words what is wrong with it.
    static func maxTokens(_ body: JSONValue, _ name: String, _ max: Int) throws(EngineError) -> Int? {
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

    /// Refuses members that are not among the known ones, as engines with a closed schema do.
    static func refuseUnknown(_ body: JSONValue?, known: Set<String>, in place: String) throws(EngineError) {
        guard let unknown = body?.object?.keys.sorted().first(where: { !known.contains($0) }) else { return }
        throw .badRequest("Extra inputs are not permitted: \(unknown)", "\(place)\(unknown)")
    }

    /// Takes the answer's length, and how many there are, from a body as an engine of this kind reads it.
    mutating func takeLengths(_ body: JSONValue, by reading: LengthReading) {
        maxTokens = reading.limit(in: body)
        switch operation {
        case .chat, .completions, .generateContent: choices = reading.choices(in: body) * max(promptTokens.count, 1)
        case .tgiGenerate where !streamed: choices = reading.choices(in: body)
        default: break
        }
    }

    /// The text of a message's content: a text, or parts of which one that is no text counts as one word.
    static func contentText(_ content: JSONValue?) -> String {
        guard let parts = content?.array else { return content?.string ?? "" }
        return parts.map { $0["text"]?.string ?? "[part]" }.joined(separator: " ")
    }

    /// Takes the prompts; each is a list of texts (a chat has one prompt of several messages).
    mutating func takePrompts(_ texts: [[String]]) {
        promptTokens = texts.map { Self.tokenCount($0) }
        markedSettings = texts.joined().lazy.compactMap(Self.marker).first
        promptHash = Hash.of(texts.joined().lazy.map { Array($0.utf8) }.joined(separator: [0x1F]))
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
