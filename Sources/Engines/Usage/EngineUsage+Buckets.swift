internal import Metering

extension EngineUsage {
    /// The counts taken apart into disjoint buckets, by the first reading of them in which all are true. Where there is
    /// none, by the smallest that can be defended and still holds the output that was `delivered`; it says so.
    ///
    /// A count that is negative or beyond `TokenBuckets.bucketMax` says nothing.
    public func buckets(quirks: UsageQuirks = [], delivered: Int64 = 0) -> UsageBuckets {
        var usage = self
        usage.forgetImpossible()
        usage.apply(quirks)
        if let longer = longerCompletionTokens, let said = usage.completionTokens, said < delivered {
            usage.completionTokens = max(said, longer)
        }
        let readings = UsageReadings(usage, quirks: quirks)
        var dispute = usage.contradiction
        let reading: UsageReading
        if let first = readings.withCacheInside {
            reading = first
            dispute = dispute ?? "the input is what was cached and little more: it includes the caches"
        } else if let first = readings.first {
            reading = first
            if usage.hasFallen { dispute = dispute ?? "a count came down within one stream" }
        } else {
            reading = readings.smallest(delivered: delivered)
            dispute = dispute ?? usage.disagreement
        }
        assert(reading.isPossible)
        var buckets = TokenBuckets()
        if let problem = usage.takeInput(reading, into: &buckets) { dispute = dispute ?? problem }
        if let problem = usage.takeOutput(reading, into: &buckets) { dispute = dispute ?? problem }
        assert(buckets.inputTotal == reading.input && buckets.outputTotal == reading.output && buckets.isSound)
        return dispute.map { .disputed(buckets, $0) } ?? .counted(buckets)
    }

    /// Forgets counts that no answer can have, and notes it.
    mutating func forgetImpossible() {
        var found = false
        func look(_ count: inout Int64?) {
            guard let value = count, !(0...TokenBuckets.bucketMax).contains(value) else { return }
            count = nil
            found = true
        }
        look(&promptTokens)
        look(&completionTokens)
        look(&totalTokens)
        look(&cachedTokens)
        look(&cacheWriteTokens)
        look(&cacheWriteHourTokens)
        look(&cacheWriteLongTokens)
        look(&reasoningTokens)
        look(&toolPromptTokens)
        func lookAtParts(_ parts: inout ModalityTokens) {
            look(&parts.text)
            look(&parts.audio)
            look(&parts.image)
            look(&parts.video)
        }
        lookAtParts(&inputParts)
        lookAtParts(&cachedParts)
        lookAtParts(&outputParts)
        if (promptTokens ?? 0) + (toolPromptTokens ?? 0) > TokenBuckets.bucketMax {
            toolPromptTokens = nil
            found = true
        }
        if found {
            contradiction = contradiction ?? "a count is negative or larger than \(TokenBuckets.bucketMax)"
        }
    }

    /// Whether it counts, and no count of it can be true.
    var saysNothingPossible: Bool {
        var usage = self
        usage.forgetImpossible()
        return usage.promptTokens == nil && usage.completionTokens == nil && usage.contradiction != nil
    }

    /// Changes counts as the backend's quirks ask.
    private mutating func apply(_ quirks: UsageQuirks) {
        if quirks.contains(.cacheReadRepeatsInput), let cached = cachedTokens, cached > 0, cached == promptTokens {
            cachedTokens = 0
            cachedParts = ModalityTokens()
        }
        if rule == .inclusive || rule == .reasoningApart {
            // Kinds of what was cached without a sum of it.
            if cachedTokens == nil, cachedParts != ModalityTokens() {
                let sum = (cachedParts.text ?? 0) + (cachedParts.audio ?? 0) + (cachedParts.image ?? 0)
                cachedTokens = sum + (cachedParts.video ?? 0)
            }
        }
    }

    /// What is wrong where no reading fits.
    private var disagreement: String {
        func text(_ count: Int64?) -> String { count.map { "\($0)" } ?? "-" }
        return "the counts disagree: input \(text(promptTokens)), output \(text(completionTokens)), total "
            + "\(text(totalTokens)), cached \(text(cachedTokens)), written \(text(cacheWriteTokens)), reasoning "
            + text(reasoningTokens)
    }

    // MARK: Input

    /// Fills the input side; returns what could not be so.
    ///
    /// Kinds that the engine does not name are text. What a cache served is text first: only what exceeds the text is
    /// taken from the other kinds, where the engine does not say itself.
    private func takeInput(_ reading: UsageReading, into buckets: inout TokenBuckets) -> String? {
        let cached = reading.cached
        let written = reading.written
        let whole = reading.input
        var problem: String?
        buckets.cacheWriteHour = min(cacheWriteHourTokens ?? 0, written)
        buckets.cacheWriteLong = min(cacheWriteLongTokens ?? 0, written - buckets.cacheWriteHour)
        buckets.cacheWriteFiveMinutes = written - buckets.cacheWriteHour - buckets.cacheWriteLong
        let kinds = [inputParts.video ?? 0, inputParts.image ?? 0, (inputParts.audio ?? 0) + reading.sound]
        var given = kinds
        if kinds.reduce(0, +) > whole {
            problem = "input by kind exceeds \(whole)"
            given = [0, 0, 0]
        }
        var known = [cachedParts.video ?? 0, cachedParts.image ?? 0, cachedParts.audio ?? 0]
        if zip(known, given).contains(where: { $0 > $1 }) || known.reduce(0, +) > cached {
            problem = problem ?? "more of a kind was cached than was given, or than was cached at all"
            known = [0, 0, 0]
        }
        var text = cached - known.reduce(0, +)
        let isKnown = [cachedParts.video != nil, cachedParts.image != nil, cachedParts.audio != nil]
        let excess = max(0, text + written - (whole - given.reduce(0, +)))
        var rest = excess
        for index in given.indices where rest > 0 && !isKnown[index] {
            // What was written to a cache has no kind, so only reads change their bucket.
            let part = min(rest, given[index] - known[index])
            let read = min(part, text)
            known[index] += read
            text -= read
            rest -= part
            given[index] -= part - read
        }
        if rest > 0 {
            // Which kind a cache held cannot be told: what it served is text, and the kinds are what is left.
            problem = problem ?? "input by kind and by cache cannot both be true"
            given = [0, 0, 0]
            known = [0, 0, 0]
            text = cached
        }
        (buckets.cacheReadVideo, buckets.cacheReadImage, buckets.cacheReadAudio) = (known[0], known[1], known[2])
        buckets.cacheRead = text
        buckets.inputVideo = given[0] - known[0]
        buckets.inputImage = given[1] - known[1]
        buckets.inputAudio = given[2] - known[2]
        buckets.inputUncached = whole - (buckets.inputTotal - buckets.inputUncached)
        return problem
    }

    // MARK: Output

    /// Fills the output side; returns what could not be so.
    private func takeOutput(_ reading: UsageReading, into buckets: inout TokenBuckets) -> String? {
        // There is no bucket for moving pictures made; they are pictures.
        let image = (outputParts.image ?? 0) + (outputParts.video ?? 0)
        let audio = outputParts.audio ?? 0
        buckets.outputReasoning = reading.reasoning
        buckets.outputVisible = reading.output - reading.reasoning
        guard audio + image <= buckets.outputVisible else { return "output by kind exceeds \(reading.output)" }
        buckets.outputAudio = audio
        buckets.outputImage = image
        buckets.outputVisible -= audio + image
        return nil
    }
}

extension TokenBuckets {
    /// Nothing negative.
    fileprivate var isSound: Bool { Meter.allCases.allSatisfy { quantity(of: $0) >= 0 } }
}
