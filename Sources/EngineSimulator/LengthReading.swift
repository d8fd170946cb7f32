/// Which of a request's words engines take for the length and the number of their answers, and in which order. Written
/// from the engines' own sources, apart from the tables that the gateway reads by.
struct LengthReading: Sendable {
    /// Names of a limit; the first that stands in the request counts.
    let limits: [String]
    /// Names of a number of answers; the first that stands there counts.
    var choices: [String] = []
    /// Names of a least length.
    var least: [String] = []
    /// Whether a limit below 1 is none.
    var isUnlimitedBelowOne = false
    /// Whether the largest of all names counts instead of the first, and one below 1 anywhere is no limit: as if each
    /// name were read by some engine.
    var takesLargest = false

    /// How an engine of this kind reads; nil leaves it to the dialect.
    init?(_ kind: Behavior.LengthReading) {
        switch kind {
        case .dialect: return nil
        case .vllm:
            self.init(
                limits: ["max_completion_tokens", "max_tokens"], choices: ["n", "best_of"], least: ["min_tokens"])
        case .sglang:
            self.init(
                limits: ["max_completion_tokens", "max_tokens", "max_new_tokens"], choices: ["n"],
                least: ["min_tokens", "min_new_tokens"])
        case .llamaCpp:
            self.init(
                limits: ["n_predict", "max_completion_tokens", "max_tokens"], choices: ["n_cmpl", "n"],
                isUnlimitedBelowOne: true)
        case .ollama: self.init(limits: ["num_predict", "max_tokens"], isUnlimitedBelowOne: true)
        case .deepSeek: self.init(limits: ["max_tokens"])
        case .tgi:
            self.init(
                limits: ["max_new_tokens", "max_tokens"], choices: ["best_of", "num_return_sequences", "n"])
        case .lmi:
            self.init(
                limits: ["max_new_tokens", "max_tokens", "max_length"],
                choices: ["num_return_sequences", "num_beams", "n"], least: ["min_new_tokens", "min_length"])
        case .gemini:
            self.init(
                limits: ["maxOutputTokens", "max_output_tokens"], choices: ["candidateCount", "candidate_count"])
        case .any:
            self.init(
                limits: Self.allLimits, choices: Self.allChoices, least: Self.allLeast, isUnlimitedBelowOne: true,
                takesLargest: true)
        }
    }

    private init(
        limits: [String], choices: [String] = [], least: [String] = [], isUnlimitedBelowOne: Bool = false,
        takesLargest: Bool = false
    ) {
        self.limits = limits
        self.choices = choices
        self.least = least
        self.isUnlimitedBelowOne = isUnlimitedBelowOne
        self.takesLargest = takesLargest
    }

    private static let allLimits = [
        "max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "max_gen_len", "max_length",
        "max_tokens_to_sample", "n_predict", "num_predict", "maxOutputTokens", "maxTokens",
    ]
    private static let allChoices = [
        "n", "best_of", "n_cmpl", "num_return_sequences", "num_beams", "beam_width", "candidateCount",
        "candidate_count",
    ]
    private static let allLeast = ["min_tokens", "min_new_tokens", "min_length"]

    // MARK: Reading

    /// Objects in objects that are looked into: parameters, options, configurations.
    private static let depthMax = 3

    /// All whole numbers that stand under a name, the outermost first.
    private static func numbers(_ name: String, in value: JSONValue, depth: Int = 0) -> [Int] {
        guard let members = value.object, depth < depthMax else { return [] }
        let own = members[name]?.int.map { [$0] } ?? []
        let inner = members.sorted { $0.key < $1.key }.flatMap { numbers(name, in: $0.value, depth: depth + 1) }
        return own + inner
    }

    /// The limit of each choice in this body; nil for none.
    func limit(in body: JSONValue) -> Int? {
        let named = limits.flatMap { Self.numbers($0, in: body) }
        if takesLargest, named.contains(where: { $0 < 1 }) { return nil }
        guard let limit = takesLargest ? named.max() : named.first(where: { isUnlimitedBelowOne || $0 >= 1 }),
            limit >= 1
        else { return nil }
        return max(limit, least.flatMap { Self.numbers($0, in: body) }.max() ?? 0)
    }

    /// The answers to each prompt.
    func choices(in body: JSONValue) -> Int {
        let named = choices.flatMap { Self.numbers($0, in: body) }.filter { $0 >= 1 }
        return min((takesLargest ? named.max() : named.first) ?? 1, EngineRequest.choicesMax)
    }

    /// The body with what a dialect's own reader would refuse in these places taken out.
    static func withoutLengths(_ body: JSONValue, depth: Int = 0) -> JSONValue {
        guard case .object(var members) = body, depth < depthMax else { return body }
        for (name, value) in members {
            // Anthropic's dialect asks for one.
            if name == "max_tokens" {
                members[name] = .number("1")
            } else if (allLimits + allChoices + allLeast).contains(name) {
                members[name] = nil
            } else {
                members[name] = withoutLengths(value, depth: depth + 1)
            }
        }
        return .object(members)
    }
}
