/// What a request says about the length of its answer, under all the names that some engine knows. What is reserved is
/// the largest meaning that an engine which may serve it gives these.
struct AnswerLengths: Sendable {
    /// The names of the limit.
    struct Names: OptionSet, Hashable, Sendable {
        let rawValue: UInt8
        static let maxTokens = Names(rawValue: 1)
        static let maxCompletionTokens = Names(rawValue: 2)
        /// llama.cpp's own.
        static let nPredict = Names(rawValue: 4)
        /// The name that the surface's dialect has for it, whatever it is there.
        static let native = Names(rawValue: 8)
        /// A name that only some models or containers behind the surface know: it can raise what is reserved, but
        /// nobody can rely on it as a limit.
        static let other = Names(rawValue: 16)
    }

    /// The names that a limit was given under.
    private var names: Names = []
    /// The largest of the limits.
    private var largest: Int64 = 0
    /// Whether a value stood there that some engine takes for no limit at all: less than one token.
    private var isUnlimited = false
    /// What the answer has at least.
    private var least: Int64 = 0
    /// The names that the form of the body leaves a meaning to.
    private var meaningful = Names(rawValue: .max)

    mutating func take(_ tokens: Int64, as name: Names) {
        guard tokens > 0 else {
            isUnlimited = true
            return
        }
        names.insert(name)
        largest = Swift.max(largest, tokens)
    }

    /// Of several forms that a body may have this is one in which only these names limit anything.
    mutating func restrict(to names: Names) { meaningful.formIntersection(names) }

    mutating func takeLeast(_ tokens: Int64) { least = Swift.max(least, tokens) }

    /// The most tokens of one choice that some engine would take these words to ask for, whatever others make of them;
    /// 0 where they say nothing. `longest` is the most that the model answers.
    func named(longest: Int64) -> Int64 {
        isUnlimited ? longest : Swift.min(Swift.max(largest, least), longest)
    }

    /// The most tokens of one choice where one of `honoured` limits it; nil where nothing does but the model itself.
    func max(where honoured: Names) -> Int64? {
        isUnlimited || names.isDisjoint(with: honoured.intersection(meaningful)) ? nil : Swift.max(largest, least)
    }
}

extension EngineKind {
    /// The names of an answer's limit that engines of this kind go by. Those that are left out were seen to be passed
    /// over by some release.
    var lengthNames: AnswerLengths.Names {
        switch self {
        case .llamaCpp: [.maxTokens, .nPredict, .native]
        case .deepSeek: [.maxTokens, .native]
        case .openAICompatible, .openAI, .anthropic, .vllm, .tensorRTLLM, .triton, .tgi, .groq, .sambaNova,
            .tenstorrent, .sageMaker, .bedrock, .vertex, .gemini, .azure, .together, .replicate, .rayServe, .nim,
            .xai, .cerebras, .openRouter:
            [.maxTokens, .maxCompletionTokens, .native]
        }
    }
}

extension InferenceRequest {
    /// The most tokens of one choice that the client allows, whichever of these engines serves it; nil where it names
    /// no limit, one that some of them do not know, or a value that some of them take for none (less than 1).
    public func outputTokensMax(on kinds: some Sequence<EngineKind>) -> Int64? {
        var names: AnswerLengths.Names?
        for kind in kinds { names = names.map { $0.intersection(kind.lengthNames) } ?? kind.lengthNames }
        return lengths.max(where: names ?? [])
    }

    /// The same, of engines that know all names that the surface has.
    public var outputTokensMax: Int64? { lengths.max(where: [.maxTokens, .maxCompletionTokens, .native]) }

    /// The most tokens of one choice that some engine would take the request's words to ask for; 0 where it says
    /// nothing about its answer's length. `longest` is the most that the model answers, which a limit below 1 asks for.
    public func outputTokensNamed(longest: Int64) -> Int64 { lengths.named(longest: longest) }
}
