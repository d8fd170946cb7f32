public import Metering

/// A usage object as an engine wrote it, field by field; nil where it said nothing. The names are the OpenAI family's;
/// readers of other dialects put their counts where they belong and say which rule makes them disjoint.
public struct EngineUsage: Hashable, Sendable {
    /// What each count includes (references: providers differ, and the same word means two things).
    public enum Rule: Hashable, Sendable {
        /// Input includes what was read from and written to a cache, output includes reasoning (OpenAI and all that
        /// copy it). Where `total = prompt + completion + reasoning`, reasoning comes on top (xAI).
        case inclusive
        /// Input excludes cache reads and writes, output includes reasoning (Anthropic, Bedrock).
        case cacheApart
        /// Input includes cache reads; reasoning and the prompts of tools come on top, unless the total shows that
        /// reasoning is inside the output already (Gemini, Vertex).
        case reasoningApart
    }

    public var rule = Rule.inclusive
    public var promptTokens: Int64?
    public var completionTokens: Int64?
    public var totalTokens: Int64?
    /// `prompt_tokens_details.cached_tokens`, or DeepSeek's `prompt_cache_hit_tokens`.
    public var cachedTokens: Int64?
    /// `prompt_tokens_details.cache_write_tokens`, or vLLM's `created_cache_tokens`: of all lifetimes.
    public var cacheWriteTokens: Int64?
    /// Of `cacheWriteTokens`, those kept for an hour.
    public var cacheWriteHourTokens: Int64?
    /// Of `cacheWriteTokens`, those kept for twelve hours or longer.
    public var cacheWriteLongTokens: Int64?
    /// `completion_tokens_details.reasoning_tokens`, or `reasoning_tokens` beside the totals.
    public var reasoningTokens: Int64?
    /// Prompts that the engine's own tools made (Gemini), beside `promptTokens`.
    public var toolPromptTokens: Int64?
    /// By kind, of the whole input, of what a cache served of it, and of the output.
    public var inputParts = ModalityTokens()
    public var cachedParts = ModalityTokens()
    public var outputParts = ModalityTokens()
    /// What the engine counts beside tokens.
    public var units = UsageUnits()
    /// What it says of its own clock inside the usage object.
    public var timings = EngineTimings()
    /// What it says that it costs us, as decimal text in US dollars.
    public var engineCost: String?
    /// What the provider behind it takes, where `engineCost` leaves that out or nobody knows whether it does.
    public var upstreamCost: String?
    /// Whether reasoning stands beside the counts and not in the output's details.
    var isReasoningBeside = false
    /// Whether the caches stand beside the counts, under names by which Anthropic counts beside the input.
    var isCacheNamedApart = false
    /// Whether citations or searches stand beside the counts, and so reasoning too (Perplexity).
    var hasSearchesBeside = false
    /// Whether the prompt had sound, whose tokens the total may have alone (Mistral).
    var hasPromptSound = false
    /// Whether the kind is known to count its caches into the input at times, against its own rule (Bedrock).
    var mayIncludeCache = false
    /// What another name says of the output, where the one that is believed has fewer.
    var longerCompletionTokens: Int64?
    /// Whether a count came down between two objects of one stream, other than to zero.
    var hasFallen = false
    /// The latest usage object, whole, or nothing when it is longer than a record may keep.
    public var raw: [UInt8] = []
    /// Why the object cannot be believed as it stands, as far as reading it shows: a count that is no integer, two that
    /// disagree.
    public var contradiction: String?

    /// Nothing said yet.
    public init() {}

    /// Whether the engine said how much it read and wrote, or wrote nothing because it never does.
    public func isComplete(for operation: Operation) -> Bool {
        switch operation {
        case .embeddings, .rerank, .countTokens: promptTokens != nil
        default: promptTokens != nil && completionTokens != nil
        }
    }

    /// Takes over what `newer` says, and keeps what it leaves out. Counters never fall: a later count that is smaller
    /// is not taken over, and one other than zero is remembered as a fall (`hasFallen`). An engine that repeats a
    /// stream's counts as zeros has nothing new to say.
    public mutating func update(with newer: EngineUsage) {
        var hasFallen = false
        func raise(_ count: inout Int64?, to newer: Int64?) {
            guard let newer else { return }
            guard let known = count, newer < known else {
                count = newer
                return
            }
            if newer != 0 { hasFallen = true }
        }
        func raiseParts(_ parts: inout ModalityTokens, to newer: ModalityTokens) {
            raise(&parts.text, to: newer.text)
            raise(&parts.audio, to: newer.audio)
            raise(&parts.image, to: newer.image)
            raise(&parts.video, to: newer.video)
        }
        rule = newer.rule
        // A total belongs to the counts beside it.
        if newer.totalTokens == nil, newer.completionTokens ?? 0 > completionTokens ?? 0 { totalTokens = nil }
        raise(&promptTokens, to: newer.promptTokens)
        raise(&completionTokens, to: newer.completionTokens)
        raise(&totalTokens, to: newer.totalTokens)
        raise(&cachedTokens, to: newer.cachedTokens)
        raise(&cacheWriteTokens, to: newer.cacheWriteTokens)
        raise(&cacheWriteHourTokens, to: newer.cacheWriteHourTokens)
        raise(&cacheWriteLongTokens, to: newer.cacheWriteLongTokens)
        raise(&reasoningTokens, to: newer.reasoningTokens)
        raise(&toolPromptTokens, to: newer.toolPromptTokens)
        raiseParts(&inputParts, to: newer.inputParts)
        raiseParts(&cachedParts, to: newer.cachedParts)
        raiseParts(&outputParts, to: newer.outputParts)
        takeRest(of: newer)
        if hasFallen { self.hasFallen = true }
    }

    /// Takes over what `newer` says, whatever was said before: it is another engine's or a whole object's word.
    mutating func replace(with newer: EngineUsage) {
        rule = newer.rule
        promptTokens = newer.promptTokens ?? promptTokens
        completionTokens = newer.completionTokens ?? completionTokens
        totalTokens = newer.totalTokens ?? totalTokens
        cachedTokens = newer.cachedTokens ?? cachedTokens
        cacheWriteTokens = newer.cacheWriteTokens ?? cacheWriteTokens
        cacheWriteHourTokens = newer.cacheWriteHourTokens ?? cacheWriteHourTokens
        cacheWriteLongTokens = newer.cacheWriteLongTokens ?? cacheWriteLongTokens
        reasoningTokens = newer.reasoningTokens ?? reasoningTokens
        toolPromptTokens = newer.toolPromptTokens ?? toolPromptTokens
        inputParts.update(with: newer.inputParts)
        cachedParts.update(with: newer.cachedParts)
        outputParts.update(with: newer.outputParts)
        takeRest(of: newer)
    }

    private mutating func takeRest(of newer: EngineUsage) {
        units.raise(to: newer.units)
        isReasoningBeside = isReasoningBeside || newer.isReasoningBeside
        isCacheNamedApart = isCacheNamedApart || newer.isCacheNamedApart
        hasSearchesBeside = hasSearchesBeside || newer.hasSearchesBeside
        hasPromptSound = hasPromptSound || newer.hasPromptSound
        mayIncludeCache = mayIncludeCache || newer.mayIncludeCache
        hasFallen = hasFallen || newer.hasFallen
        longerCompletionTokens = newer.longerCompletionTokens ?? longerCompletionTokens
        timings.update(with: newer.timings)
        engineCost = newer.engineCost ?? engineCost
        upstreamCost = newer.upstreamCost ?? upstreamCost
        contradiction = newer.contradiction ?? contradiction
        if !newer.raw.isEmpty { raw = newer.raw }
    }
}

extension UsageUnits {
    /// The larger of each: units are counted up, and a later object may leave some out.
    mutating func raise(to newer: UsageUnits) {
        images = max(images, newer.images)
        audioMilliseconds = max(audioMilliseconds, newer.audioMilliseconds)
        characters = max(characters, newer.characters)
        searches = max(searches, newer.searches)
        computeMilliseconds =
            newer.computeMilliseconds < 0
            ? newer.computeMilliseconds : max(computeMilliseconds, newer.computeMilliseconds)
    }
}

extension EngineUsage {
    /// Keeps the object as it came, unless it is longer than a record may keep. Reuses the memory of the one before.
    mutating func keepRaw(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        raw.removeAll(keepingCapacity: true)
        if range.count <= AttemptRecord.rawUsageBytesMax { raw.append(contentsOf: bytes[range]) }
    }
}

/// Tokens by kind; nil where the engine did not say.
public struct ModalityTokens: Hashable, Sendable {
    public var text: Int64?
    public var audio: Int64?
    public var image: Int64?
    public var video: Int64?

    /// Nothing said.
    public init(text: Int64? = nil, audio: Int64? = nil, image: Int64? = nil, video: Int64? = nil) {
        self.text = text
        self.audio = audio
        self.image = image
        self.video = video
    }

    mutating func update(with newer: ModalityTokens) {
        text = newer.text ?? text
        audio = newer.audio ?? audio
        image = newer.image ?? image
        video = newer.video ?? video
    }
}

extension EngineTimings {
    /// Takes over what `newer` says, and keeps what it leaves out.
    mutating func update(with newer: EngineTimings) {
        queue = newer.queue ?? queue
        prefill = newer.prefill ?? prefill
        decode = newer.decode ?? decode
        firstToken = newer.firstToken ?? firstToken
        total = newer.total ?? total
    }
}

/// What a usage object comes to.
public enum UsageBuckets: Hashable, Sendable {
    /// By a shape that is known: all counts are true together.
    case counted(TokenBuckets)
    /// The counts cannot all be true, and this is the smallest reading that can be defended; says what disagrees.
    case disputed(TokenBuckets, String)

    /// The buckets, whatever can be said of them.
    public var buckets: TokenBuckets {
        switch self {
        case .counted(let buckets), .disputed(let buckets, _): buckets
        }
    }

    /// What disagrees; nil when nothing does.
    public var dispute: String? {
        if case .disputed(_, let text) = self { text } else { nil }
    }
}
