internal import Metering

/// What an engine is asked, one question after the other, to count what it did not report: the prompt by its own
/// template, and where nobody else counts it, the text that it wrote (vLLM's `/tokenize`, TGI's `/chat_tokenize` and
/// `/tokenize`, llama.cpp's `/apply-template` and `/tokenize`).
///
/// Without any socket: `next` is to be asked, and `answered` told what came.
public struct CountQuestions: Sendable {
    /// A request to the engine.
    public struct Question: Hashable, Sendable {
        /// Its path, the backend's own in front.
        public let path: String
        public let body: [UInt8]
    }

    /// The most prompts of one request that are asked for.
    public static let promptsMax = 8
    /// The most texts of one answer that are asked for.
    public static let textsMax = 8

    private enum Purpose {
        case template
        case prompt
        case output(AnswerTextKey.Kind)
    }

    private let kind: EngineKind
    private let basePath: String
    private let model: String
    private var queue: [(purpose: Purpose, question: Question)] = []
    private var hasFailed = false

    private var countedPrompt: Int64?
    private var countedOutput: OwnCounts.Output?

    /// Questions about a request: its prompt (`asksForPrompt`), and `texts` that its answer held. Nil where the engine
    /// cannot be asked, or nothing is to be asked.
    public init?(
        of request: InferenceRequest, body: UnsafeRawBufferPointer, backend: Backend, upstreamModel: String,
        asksForPrompt: Bool, texts: [(kind: AnswerTextKey.Kind, text: String)] = []
    ) {
        guard backend.kind.answersCountQuestions, texts.count <= CountQuestions.textsMax else { return nil }
        kind = backend.kind
        model = upstreamModel
        basePath = backend.basePath.hasSuffix("/v1") ? String(backend.basePath.dropLast(3)) : backend.basePath
        if asksForPrompt, (try? addPrompt(of: request, body)) != true { return nil }
        for text in texts { add(text.text, for: .output(text.kind)) }
        if !texts.isEmpty { countedOutput = OwnCounts.Output(visible: 0, reasoning: 0) }
        if queue.isEmpty { return nil }
    }

    /// What to ask now; nil when all is answered or something failed.
    public var next: Question? { hasFailed ? nil : queue.first?.question }

    /// Tokens of the prompt, once all of it is counted.
    public var promptTokens: Int64? { isPromptOpen ? nil : countedPrompt }

    /// Tokens of the texts that were asked for, once all are counted.
    public var output: OwnCounts.Output? { hasFailed || !queue.isEmpty ? nil : countedOutput }

    private var isPromptOpen: Bool {
        queue.contains { question in
            if case .output = question.purpose { false } else { true }
        }
    }

    /// Takes the answer to `next`; nil when there was none.
    public mutating func answered(_ body: [UInt8]?) {
        guard let purpose = queue.first?.purpose else { return }
        guard let body, body.withUnsafeBytes({ take($0, for: purpose) }) else {
            hasFailed = true
            return
        }
    }

    private mutating func take(_ body: UnsafeRawBufferPointer, for purpose: Purpose) -> Bool {
        if case .template = purpose {
            guard let prompt = CountAnswer.prompt(in: body) else { return false }
            queue[0] = (.prompt, question(of: prompt, isPrompt: true))
            return true
        }
        var isOutput = false
        if case .output = purpose { isOutput = true }
        guard let count = CountAnswer.count(in: body, withoutSpecials: isOutput) else { return false }
        switch purpose {
        case .template: break
        case .prompt: countedPrompt = (countedPrompt ?? 0) + count
        case .output(.reasoning): countedOutput?.reasoning += count
        case .output: countedOutput?.visible += count
        }
        queue.removeFirst()
        return true
    }

    // MARK: Asking

    /// Returns whether the prompt can be asked for.
    private mutating func addPrompt(of request: InferenceRequest, _ body: UnsafeRawBufferPointer) throws -> Bool {
        switch request.surface {
        case .chatCompletions:
            guard let question = try chatQuestion(body) else { return false }
            queue.append((kind == .llamaCpp ? .template : .prompt, question))
            return true
        case .completions, .tgiGenerate:
            var texts: [String] = []
            var numbers: Int64 = 0
            let isAll = PromptText.read(body, of: request.surface) { piece in
                switch piece {
                case .text(let text): texts.append(text)
                case .tokens(let count): numbers += count
                }
            }
            guard isAll, !texts.isEmpty || numbers > 0, texts.count <= CountQuestions.promptsMax else { return false }
            countedPrompt = numbers > 0 ? numbers : nil
            for text in texts { add(text, for: .prompt) }
            return true
        default: return false
        }
    }

    /// The members of a chat's body that decide what its prompt is.
    private static let chatMembers: [StaticString] = [
        "messages", "tools", "tool_choice", "chat_template", "chat_template_kwargs", "add_generation_prompt",
        "continue_final_message",
    ]

    private func chatQuestion(_ body: UnsafeRawBufferPointer) throws -> Question? {
        var bytes = Array("{".utf8)
        if kind != .llamaCpp {
            bytes += "\"model\":".utf8
            JSONString.append(model, to: &bytes)
        }
        var hasMessages = false
        var scanner = JSONScanner(body)
        try scanner.eachMember { key, _, scanner throws(JSONScanError) in
            guard let name = CountQuestions.chatMembers.first(where: { key.equals($0, in: body) }) else { return false }
            // vLLM's question has no choice of tools.
            if kind == .vllm, key.equals("tool_choice", in: body) { return false }
            if key.equals("messages", in: body) { hasMessages = true }
            if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
            bytes += "\"\(name)\":".utf8
            bytes += body[try scanner.skip()]
            return true
        }
        bytes.append(UInt8(ascii: "}"))
        guard hasMessages else { return nil }
        let name =
            switch kind {
            case .tgi: "/chat_tokenize"
            case .llamaCpp: "/apply-template"
            default: "/tokenize"
            }
        return Question(path: basePath + name, body: bytes)
    }

    private mutating func add(_ text: String, for purpose: Purpose) {
        var isPrompt = false
        if case .prompt = purpose { isPrompt = true }
        queue.append((purpose, question(of: text, isPrompt: isPrompt)))
    }

    /// Asks for the tokens of a text; of a prompt also those that the engine puts before it.
    private func question(of text: String, isPrompt: Bool) -> Question {
        var bytes: [UInt8] = []
        switch kind {
        case .tgi: bytes += "{\"inputs\":".utf8
        case .llamaCpp: bytes += "{\"content\":".utf8
        default:
            bytes += "{\"model\":".utf8
            JSONString.append(model, to: &bytes)
            bytes += ",\"prompt\":".utf8
        }
        JSONString.append(text, to: &bytes)
        switch kind {
        case .tgi: break
        case .llamaCpp: bytes += ",\"add_special\":\(isPrompt),\"parse_special\":\(isPrompt)".utf8
        default: bytes += ",\"add_special_tokens\":\(isPrompt)".utf8
        }
        bytes.append(UInt8(ascii: "}"))
        return Question(path: basePath + "/tokenize", body: bytes)
    }
}

/// Reads the answers to these questions.
enum CountAnswer {
    /// The text of `{"prompt":"…"}`.
    static func prompt(in body: UnsafeRawBufferPointer) -> String? {
        var scanner = JSONScanner(body)
        var prompt: String?
        try? scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            guard kind == .string, key.equals("prompt", in: body) else { return false }
            prompt = try scanner.string().value(in: body)
            return true
        }
        return prompt
    }

    /// `count`, or the number of elements of `tokens`, of `tokenize_response`, or of the whole document. Tokens that
    /// stand for nothing in the text, such as TGI puts before every text, are left out `withoutSpecials`.
    static func count(in body: UnsafeRawBufferPointer, withoutSpecials: Bool) -> Int64? {
        var scanner = JSONScanner(body)
        do throws(JSONScanError) {
            if try scanner.kind() == .array { return try elements(&scanner, body, withoutSpecials) }
            var count: Int64?
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                if kind == .number, key.equals("count", in: body) {
                    count = try scanner.number()
                } else if kind == .array, key.equals("tokens", in: body) || key.equals("tokenize_response", in: body) {
                    let number = try elements(&scanner, body, withoutSpecials)
                    count = count ?? number
                } else {
                    return false
                }
                return true
            }
            return count.flatMap { $0 >= 0 ? $0 : nil }
        } catch {
            return nil
        }
    }

    private static func elements(
        _ scanner: inout JSONScanner, _ body: UnsafeRawBufferPointer, _ withoutSpecials: Bool
    ) throws(JSONScanError) -> Int64 {
        var count: Int64 = 0
        try scanner.eachElement { kind, scanner throws(JSONScanError) in
            count += 1
            guard withoutSpecials, kind == .object else { return false }
            var stop: Int64?
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                guard kind == .number, key.equals("stop", in: body) else { return false }
                stop = try scanner.number()
                return true
            }
            if stop == 0 { count -= 1 }
            return true
        }
        return count
    }
}
