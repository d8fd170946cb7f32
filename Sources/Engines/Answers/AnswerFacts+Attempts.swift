public import Identity
public import Metering

extension AnswerFacts {
    /// The records of an answer: `base` completed, and after it one for each inference inside the answer that the
    /// engine's usage of the answer itself leaves out.
    ///
    /// - Parameters:
    ///   - base: the attempt as it stands, with its termination.
    ///   - isCut: whether the answer ended early, so that its last count is not the last word.
    ///   - own: what the gateway counted itself; used where the engine left something out.
    ///   - priceKey: under which key plans price a model that an inner inference names; nil when the catalogue does not
    ///     have it. An advisor's or a fallback's model is then priced under its own name, or not at all; whatever else
    ///     names a model that is not known is priced as the answer.
    ///   - newID: an id for each further record.
    public func attempts(
        completing base: AttemptRecord, request: InferenceRequest, isCut: Bool, own: OwnCounts = OwnCounts(),
        priceKey: (_ model: String) -> String?, newID: () -> AttemptID
    ) -> [AttemptRecord] {
        guard components.isEmpty else {
            return withComponentsSettled.attempts(
                completing: base, request: request, isCut: isCut, priceKey: priceKey, newID: newID)
        }
        var primary = base
        fill(
            &primary, operation: request.operation, promptTextBytes: request.promptTextBytes, isCut: isCut,
            units: request.units, own: inferences.isEmpty ? own : OwnCounts())
        if kind == .fallback, let model { primary.priceKey = priceKey(model) ?? model }
        guard !inferences.isEmpty else { return [primary] }
        return [primary]
            + inferences.prefix(AnswerFacts.inferencesMax).enumerated().map { offset, inner in
                var attempt = primary
                attempt.id = newID()
                attempt.number = primary.number + Int32(offset) + 1
                attempt.kind = inner.kind
                attempt.units = UsageUnits()
                attempt.timings = inner.usage.timings
                attempt.engineCost = inner.usage.engineCost
                attempt.contentEvents = 0
                attempt.rawUsage = inner.usage.raw
                attempt.buckets = TokenBuckets()
                attempt.contradiction = nil
                attempt.usageSource = inner.isComplete ? .engine : .estimated
                attempt.usageComplete = inner.isComplete && !isCut
                attempt.upstreamID = inner.id ?? primary.upstreamID
                attempt.priceKey = base.priceKey
                if let model = inner.model {
                    attempt.modelServed = model
                    let isAnother = inner.kind == .advisor || inner.kind == .fallback
                    attempt.priceKey = priceKey(model) ?? (isAnother ? model : base.priceKey)
                }
                if let tier = inner.serviceTier { attempt.tierServed = OpenAIDialect.tierServed(tier) }
                switch inner.usage.buckets() {
                case .counted(let buckets): attempt.buckets = buckets
                case .contradiction(let text): attempt.contradiction = text
                }
                return attempt
            }
    }

    /// Buckets, source, completeness and contradiction as a record of a delivered answer carries them.
    ///
    /// Where the engine left something out, the gateway's `own` counts stand in for it. Where there are none either,
    /// output is the events with content (for a plain answer its text bytes divided as the prompt's are) and input is
    /// the prompt's text bytes divided by `UsageEstimate.bytesPerToken`. Of a cut answer (`isCut`) the events that came
    /// after the engine's last count are added to it. `units` are those that the request alone decides.
    public func fill(
        _ attempt: inout AttemptRecord, operation: Operation, promptTextBytes: Int64, isCut: Bool,
        units requestUnits: UsageUnits = UsageUnits(), own: OwnCounts = OwnCounts()
    ) {
        if let model { attempt.modelServed = model }
        if kind != .primary { attempt.kind = kind }
        if let region { attempt.region = region }
        attempt.tierServed = serviceTier.flatMap(OpenAIDialect.tierServed)
        attempt.finishReason = finishReason
        attempt.upstreamID = id
        attempt.contentEvents = contentEvents
        attempt.rawUsage = usage?.raw ?? []
        attempt.timings = timings
        attempt.timings.update(with: usage?.timings ?? EngineTimings())
        attempt.engineCost = usage?.engineCost
        attempt.units = units(for: operation, request: requestUnits)
        if !attempt.units.isPlausible { attempt.contradiction = "a unit is negative or too large" }
        let hasTokens = usage.map { $0.promptTokens != nil || $0.completionTokens != nil || $0.totalTokens != nil }
        guard hasTokens == true || AnswerFacts.isInTokens(operation) else {
            // Counting a prompt, or looking after a batch, makes nothing; anything else should have said something.
            let isCounted = !attempt.units.isEmpty || operation == .countTokens || operation == .batch
            attempt.usageSource = isCounted ? .engine : .estimated
            attempt.usageComplete = isCounted && !isCut
            return
        }
        fillTokens(&attempt, operation: operation, promptTextBytes: promptTextBytes, isCut: isCut, own: own)
    }

    /// Whether tokens are what such an answer is counted in, so that they are estimated when the engine is silent.
    private static func isInTokens(_ operation: Operation) -> Bool {
        switch operation {
        case .imageGeneration, .transcription, .speech, .rerank, .batch, .prediction, .countTokens: false
        case .chat, .textCompletion, .embeddings, .generateContent: true
        }
    }

    private func units(for operation: Operation, request: UsageUnits) -> UsageUnits {
        var units = self.units
        if let inside = usage?.units, !inside.isEmpty {
            units.audioMilliseconds = max(units.audioMilliseconds, inside.audioMilliseconds)
            units.searches = max(units.searches, inside.searches)
            units.computeMilliseconds = max(units.computeMilliseconds, inside.computeMilliseconds)
        }
        if operation == .imageGeneration { units.images = max(units.images, items) }
        units.characters = max(units.characters, request.characters)
        return units
    }

    private func fillTokens(
        _ attempt: inout AttemptRecord, operation: Operation, promptTextBytes: Int64, isCut: Bool, own: OwnCounts
    ) {
        let hasNoOutput = operation == .embeddings || operation == .rerank || operation == .countTokens
        guard var usage else {
            let isCounted = own.isInputWhole && (hasNoOutput || own.output != nil)
            attempt.usageSource = isCounted ? .counted : .estimated
            attempt.usageComplete = isCounted && !isCut
            attempt.buckets = TokenBuckets(
                inputUncached: own.input ?? UsageEstimate.tokens(inTextBytes: promptTextBytes),
                outputVisible: own.output?.visible ?? estimatedOutput, outputReasoning: own.output?.reasoning ?? 0)
            return
        }
        if hasNoOutput { usage.promptTokens = usage.promptTokens ?? usage.totalTokens }
        attempt.usageSource = complete(
            &usage, operation: operation, promptTextBytes: promptTextBytes, isCut: isCut, own: own)
        attempt.usageComplete = attempt.usageSource != .estimated && !isCut
        // Pictures and speech are what these answers are made of, whether the engine says so or not.
        if usage.outputParts == ModalityTokens() {
            if operation == .imageGeneration { usage.outputParts.image = usage.completionTokens }
            if operation == .speech { usage.outputParts.audio = usage.completionTokens }
        }
        switch usage.buckets() {
        case .counted(let buckets): attempt.buckets = buckets
        case .contradiction(let text): attempt.contradiction = text
        }
    }

    /// Puts in what the engine left out, and says where the counts come from: `estimated` as soon as one of them is.
    private func complete(
        _ usage: inout EngineUsage, operation: Operation, promptTextBytes: Int64, isCut: Bool, own: OwnCounts
    ) -> UsageSource {
        var source = UsageSource.engine
        func note(isCounted: Bool) {
            usage.totalTokens = nil
            if source != .estimated { source = isCounted ? .counted : .estimated }
        }
        let hasNoOutput = operation == .embeddings || operation == .rerank || operation == .countTokens
        if isCut, uncountedEvents > 0, let counted = usage.completionTokens, counted >= 0 {
            if let output = own.output, output.total >= counted {
                usage.takeOutput(output)
                note(isCounted: true)
            } else {
                usage.completionTokens = sum(counted, uncountedEvents)
                note(isCounted: false)
            }
        }
        if usage.promptTokens == nil {
            let input = own.input ?? UsageEstimate.tokens(inTextBytes: promptTextBytes)
            let cached = sum(usage.cachedTokens ?? 0, usage.cacheWriteTokens ?? 0)
            // A count of the text has what a cache served in it.
            let apart = own.input == nil ? input : max(0, input - cached)
            usage.promptTokens = usage.rule == .cacheApart ? apart : max(input, cached)
            note(isCounted: own.isInputWhole)
        }
        if usage.completionTokens == nil, !hasNoOutput {
            if let output = own.output {
                usage.takeOutput(output)
            } else {
                usage.completionTokens = max(estimatedOutput, usage.reasoningTokens ?? 0)
            }
            note(isCounted: own.output != nil)
        }
        return source
    }

    /// What does not fit becomes a count that contradicts itself.
    private func sum(_ left: Int64, _ right: Int64) -> Int64 {
        let (sum, overflows) = left.addingReportingOverflow(right)
        return overflows ? .max : sum
    }

    private var estimatedOutput: Int64 {
        contentEvents > 0 ? contentEvents : UsageEstimate.tokens(inTextBytes: textBytes)
    }
}

extension EngineUsage {
    /// Takes a count of the text in place of the engine's, with as much reasoning as the engine says.
    fileprivate mutating func takeOutput(_ output: OwnCounts.Output) {
        let reasoning = reasoningTokens ?? output.reasoning
        reasoningTokens = reasoning
        completionTokens = rule == .reasoningApart ? output.visible : max(output.total, reasoning)
    }
}
