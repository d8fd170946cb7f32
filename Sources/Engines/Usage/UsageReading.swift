/// One way to understand the counts of a usage object: how much was read and written if it is right.
struct UsageReading: Hashable, Sendable {
    /// All input, cached or not.
    var input: Int64
    /// Of the input, beside what usage names of it.
    var sound: Int64 = 0
    /// Of the input.
    var cached: Int64
    var written: Int64
    /// All output, reasoning among it.
    var output: Int64
    var reasoning: Int64

    /// Whether no part is larger than its whole.
    var isPossible: Bool {
        input >= 0 && cached >= 0 && written >= 0 && output >= 0 && reasoning >= 0 && cached + written <= input
            && reasoning <= output
    }

    var tokens: Int64 { input + output }
}

/// The readings of a usage object, in the order in which they are tried. The first by which all counts are true is the
/// one; docs/engines.md lists them with who writes so.
///
/// Counts are between zero and `TokenBuckets.bucketMax`, so that no sum of them overflows.
struct UsageReadings {
    private let usage: EngineUsage
    private let quirks: UsageQuirks
    private let prompt: Int64
    private let completion: Int64
    private let cached: Int64
    private let written: Int64
    private let reasoning: Int64
    private let tools: Int64
    /// Nil where nothing can be learnt from it: not said, or zero beside counts that are not.
    private let total: Int64?

    init(_ usage: EngineUsage, quirks: UsageQuirks) {
        self.usage = usage
        self.quirks = quirks
        prompt = usage.promptTokens ?? 0
        completion = usage.completionTokens ?? 0
        cached = usage.cachedTokens ?? 0
        written = max(
            usage.cacheWriteTokens ?? 0, (usage.cacheWriteHourTokens ?? 0) + (usage.cacheWriteLongTokens ?? 0))
        reasoning = usage.reasoningTokens ?? 0
        tools = usage.toolPromptTokens ?? 0
        let isTold = !quirks.contains(.totalUnreliable) && usage.promptTokens != nil
        total = usage.totalTokens.flatMap { isTold && $0 > 0 ? $0 : nil }
    }

    /// The first reading by which all counts are true; nil when there is none.
    var first: UsageReading? { fixed ?? (usage.rule == .cacheApart ? firstApart : firstInclusive) }

    // MARK: Parts

    private enum Side { case inside, apart }

    private func reading(
        cache: Side, reasoning side: Side, tools: Int64 = 0, thoughts: Int64 = 0
    ) -> UsageReading {
        UsageReading(
            input: prompt + tools + (cache == .apart ? cached + written : 0), cached: cached, written: written,
            output: completion + (side == .apart ? reasoning : 0) + thoughts, reasoning: reasoning + thoughts)
    }

    /// The reading, if it is possible and the total is one of these; where there is no total, if it needs none.
    private func check(_ reading: UsageReading, totals: Int64..., needsTotal: Bool = false) -> UsageReading? {
        guard reading.isPossible else { return nil }
        guard let total else { return needsTotal ? nil : reading }
        return totals.contains(total) ? reading : nil
    }

    // MARK: Readings

    /// What the catalogue says of this backend needs no proof.
    private var fixed: UsageReading? {
        let cache: Side? =
            quirks.contains(.inputIncludesCache) ? .inside : quirks.contains(.inputExcludesCache) ? .apart : nil
        let side: Side? =
            quirks.contains(.outputIncludesReasoning)
            ? .inside : quirks.contains(.outputExcludesReasoning) ? .apart : nil
        guard cache != nil || side != nil else { return nil }
        let reading = self.reading(
            cache: cache ?? (usage.rule == .cacheApart ? .apart : .inside),
            reasoning: side ?? (usage.rule == .reasoningApart ? .apart : .inside), tools: tools)
        return reading.isPossible ? reading : nil
    }

    /// Input that includes its caches (OpenAI's family, Gemini).
    private var firstInclusive: UsageReading? {
        let sum = prompt + completion
        let isApart = usage.rule == .reasoningApart
        // Perplexity: what was cited, and the reasoning about it, stand beside the counts and outside of the total.
        if usage.hasSearchesBeside, !isApart,
            let reading = check(
                self.reading(cache: .inside, reasoning: usage.isReasoningBeside ? .apart : .inside, tools: tools),
                totals: sum, sum + tools, sum + tools + reasoning, sum + reasoning)
        {
            return reading
        }
        let plain = self.reading(cache: .inside, reasoning: .inside, tools: tools)
        let onTop = self.reading(cache: .inside, reasoning: .apart, tools: tools)
        // Gemini's thoughts come on top where no total says otherwise.
        if isApart, total == nil { return onTop.isPossible ? onTop : nil }
        let all = sum + tools
        if let found = check(plain, totals: all) { return found }
        if let found = check(onTop, totals: all + reasoning, needsTotal: true) { return found }
        if !isApart, let found = firstWithCacheApart(sum) { return found }
        // Tools' prompts may be inside the prompt.
        let toolsInside = self.reading(cache: .inside, reasoning: .apart)
        if let found = check(toolsInside, totals: sum + reasoning, needsTotal: true) { return found }
        // A total that leaves the cache out.
        let cache = cached + written
        if let found = check(plain, totals: all - cache, all - cached, all - written, needsTotal: true) { return found }
        let beyond = all + reasoning
        if let found = check(onTop, totals: beyond - cache, beyond - cached, needsTotal: true) { return found }
        return reasoningOutsideOfTotal(sum) ?? unnamedSound(sum) ?? unnamedThoughts(sum)
    }

    /// Caches that stand beside the prompt in an object of OpenAI's family.
    private func firstWithCacheApart(_ sum: Int64) -> UsageReading? {
        let cache = cached + written
        guard cache > 0 else { return nil }
        let beside = self.reading(cache: .apart, reasoning: .inside, tools: tools)
        let all = self.reading(cache: .apart, reasoning: .apart, tools: tools)
        var writes = self.reading(cache: .inside, reasoning: .inside, tools: tools)
        writes.input += written
        if let found = check(beside, totals: sum + tools + cache, needsTotal: true) { return found }
        if let found = check(all, totals: sum + tools + cache + reasoning, needsTotal: true) { return found }
        if let found = check(writes, totals: sum + tools + written, needsTotal: true) { return found }
        // Named as Anthropic names them, and more than the prompt could hold: beside it, and outside of the total.
        guard usage.isCacheNamedApart, cache > prompt else { return nil }
        return check(beside, totals: sum + tools)
    }

    /// More reasoning than output, told beside the counts or by a kind that counts it apart: outside of the total.
    private func reasoningOutsideOfTotal(_ sum: Int64) -> UsageReading? {
        guard reasoning > completion, usage.isReasoningBeside || usage.rule == .reasoningApart else { return nil }
        return check(self.reading(cache: .inside, reasoning: .apart, tools: tools), totals: sum + tools, sum)
    }

    /// A total with more in it than its parts: the tokens of the prompt's sound (Mistral).
    private func unnamedSound(_ sum: Int64) -> UsageReading? {
        guard let total, usage.hasPromptSound || quirks.contains(.soundInTotal) else { return nil }
        var reading = self.reading(cache: .inside, reasoning: .inside, tools: tools)
        guard total > reading.tokens else { return nil }
        reading.sound = total - reading.tokens
        reading.input += reading.sound
        return reading.isPossible ? reading : nil
    }

    /// A total with more in it than its parts: thoughts that have no name of their own.
    private func unnamedThoughts(_ sum: Int64) -> UsageReading? {
        guard let total, quirks.contains(.thoughtsInTotal) || usage.rule == .reasoningApart else { return nil }
        guard usage.rule != .reasoningApart || reasoning == 0 else { return nil }
        let named = self.reading(cache: .inside, reasoning: .inside, tools: tools)
        let rest = total - named.tokens
        guard rest > 0 else { return nil }
        let reading = self.reading(cache: .inside, reasoning: .inside, tools: tools, thoughts: rest)
        return reading.isPossible ? reading : nil
    }

    /// Input that includes its caches against the kind's rule: all of it but a little was read from or written to one.
    /// That as much again, to a sixty-fourth, was sent beside a cache of a thousand tokens is no accident that happens.
    var withCacheInside: UsageReading? {
        let cache = cached + written
        guard usage.mayIncludeCache, fixed == nil, cache >= UsageReadings.cachedTokensMin, prompt >= cache,
            prompt - cache <= cache / 64
        else { return nil }
        var reading = self.reading(cache: .inside, reasoning: .inside, tools: tools)
        reading.reasoning = min(reading.reasoning, reading.output)
        return reading
    }

    /// The smallest prefix that Bedrock keeps.
    private static let cachedTokensMin: Int64 = 1024

    /// Input that leaves its caches out (Anthropic, Bedrock). Thinking is an approximation there, the output is not.
    private var firstApart: UsageReading? {
        var plain = self.reading(cache: .apart, reasoning: .inside, tools: tools)
        plain.reasoning = min(plain.reasoning, plain.output)
        let sum = prompt + completion + tools
        if let found = check(plain, totals: sum, sum + cached + written, sum + cached, sum + written) { return found }
        let onTop = self.reading(cache: .apart, reasoning: .apart, tools: tools)
        return check(onTop, totals: sum + cached + written + reasoning, needsTotal: true)
    }

    // MARK: When not all counts can be true

    /// The reading with the fewest tokens that still holds what was delivered; the largest where none does.
    func smallest(delivered: Int64) -> UsageReading {
        var candidates: [UsageReading] = []
        func add(_ reading: UsageReading) { candidates.append(reading.clipped) }
        let cache: Side =
            usage.rule == .cacheApart || usage.isCacheNamedApart && cached + written > prompt
            ? .apart : .inside
        let inside = self.reading(cache: cache, reasoning: .inside, tools: tools)
        add(inside)
        add(self.reading(cache: cache, reasoning: .apart, tools: tools))
        if let total {
            // The prompt is easier to count than the answer: the answer is what the total leaves of it.
            var byTotal = inside
            byTotal.output = total - inside.input
            if byTotal.output >= 0 { add(byTotal) }
            byTotal = inside
            byTotal.input = total - inside.output
            if byTotal.input > 0 { add(byTotal) }
        }
        // What was thought is no text, and holds nothing of what was delivered.
        let enough = candidates.filter { $0.output >= delivered }
        return enough.min { $0.tokens < $1.tokens } ?? candidates.max { $0.output < $1.output } ?? inside.clipped
    }
}

extension UsageReading {
    /// The same with no part larger than its whole.
    fileprivate var clipped: UsageReading {
        var reading = self
        reading.cached = min(cached, input)
        reading.written = min(written, input - reading.cached)
        reading.reasoning = min(self.reasoning, output)
        return reading
    }
}
