public import Identity
public import Metering

extension AnswerFacts {
    /// The tier of batches, as plans name it.
    private static let batchTier = "batch"

    /// The records of an answer: `base` completed, and after it one for each inference inside the answer that the
    /// engine's usage of the answer itself leaves out.
    ///
    /// - Parameters:
    ///   - base: the attempt as it stands, with its termination.
    ///   - isCut: whether the answer ended early, so that its last count is not the last word.
    ///   - own: what the gateway counted itself; used where the engine left something out.
    ///   - priceKey: under which key plans price a model that an inner inference names; nil when the catalogue does not
    ///     have it. An advisor's or a fallback's model, and one that the client chose for its tools, is then priced
    ///     under its own name, or not at all; whatever else names a model that is not known is priced as the answer.
    ///   - newID: an id for each further record.
    public func attempts(
        completing base: AttemptRecord, request: InferenceRequest, isCut: Bool, own: OwnCounts = OwnCounts(),
        priceKey: (_ model: String) -> String?, newID: () -> AttemptID
    ) -> [AttemptRecord] {
        let facts = (components.isEmpty ? self : withComponentsSettled).withoutEcho(of: request)
        let own = request.isEchoed ? own.withoutEcho : own
        var attempts = facts.attemptsReported(
            completing: base, request: request, isCut: isCut, own: components.isEmpty ? own : OwnCounts(),
            priceKey: priceKey, newID: newID)
        facts.settleDelivered(&attempts, request: request, own: own)
        // A tier that an engine does not have was not served, whatever was asked for.
        if rules.isWithoutTiers {
            for index in attempts.indices where attempts[index].tierServed == nil {
                attempts[index].tierServed = OpenAIDialect.baseTier
            }
        }
        // Only lines of batches are served as such, whatever an answer says.
        for index in attempts.indices where !base.isBatch && attempts[index].tierServed == AnswerFacts.batchTier {
            attempts[index].tierServed = nil
            attempts[index].notes.insert(.tierUnpriced)
        }
        return attempts
    }

    /// The same as the engine reports them.
    private func attemptsReported(
        completing base: AttemptRecord, request: InferenceRequest, isCut: Bool, own: OwnCounts,
        priceKey: (_ model: String) -> String?, newID: () -> AttemptID
    ) -> [AttemptRecord] {
        var primary = base
        fill(
            &primary, operation: isRanking ? .rerank : request.operation, promptTextBytes: request.input.estimatedBytes,
            promptCount: request.promptCount, isCut: isCut, measures: request.measures,
            own: inferences.isEmpty ? own : OwnCounts())
        if kind == .fallback, let model { primary.priceKey = priceKey(model) ?? model }
        if request.countsPicturesInTokens { fillPictures(&primary) }
        let inner = inferences + toolInferences(model: request.pictureModel)
        if hasMoreInferences || inner.count > AnswerFacts.inferencesMax {
            primary.contradiction =
                primary.contradiction ?? "the answer has more than \(AnswerFacts.inferencesMax) inferences inside it"
        }
        guard !inner.isEmpty else { return [primary] }
        return [primary]
            + inner.prefix(AnswerFacts.inferencesMax).enumerated().map { offset, inner in
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
                    let isAnother = inner.kind == .advisor || inner.kind == .fallback || inner.isOfChosenModel
                    attempt.priceKey = priceKey(model) ?? (isAnother ? model : base.priceKey)
                }
                if let tier = inner.serviceTier { attempt.tierServed = OpenAIDialect.tierServed(tier) }
                attempt.notes = base.notes
                if inner.usage.saysNothingPossible {
                    attempt.contradiction = "the counts of an inference inside the answer cannot be true"
                }
                attempt.take(inner.usage.buckets(quirks: rules.quirks))
                return attempt
            }
    }

    /// Of pictures that a tool made and no usage speaks of, tokens by their size, where the plan sells no pictures.
    private func fillPictures(_ attempt: inout AttemptRecord) {
        guard attempt.units.images > 0, units.images > 0, toolUsage.isEmpty, attempt.buckets.outputImage == 0 else {
            return
        }
        let unseen = max(0, attempt.units.images - written.media.pictures) * MediaKind.elsewhere.likely
        attempt.buckets.outputImage = written.media.pictureTokens + unseen
        attempt.usageSource = .estimated
        attempt.usageComplete = false
    }

    /// What tools used beside the answer's own usage, at the prices of the model that makes pictures for it, or of the
    /// answer's own.
    private func toolInferences(model: String?) -> [InnerInference] {
        toolUsage.map { usage in
            var inference = InnerInference(kind: .component, model: model, usage: usage)
            inference.isOfChosenModel = model != nil
            return inference
        }
    }

    /// Buckets, source, completeness and contradiction as a record of a delivered answer carries them.
    ///
    /// Where the engine left something out, the gateway's `own` counts stand in for it. Where there are none either,
    /// output is the events with content (for a plain answer its text bytes divided as the prompt's are) and input is
    /// the prompt's text bytes divided by `UsageEstimate.bytesPerToken`. Of a cut answer (`isCut`) the events that came
    /// after the engine's last count are added to it. `measures` is what the request says of units.
    public func fill(
        _ attempt: inout AttemptRecord, operation: Operation, promptTextBytes: Int64,
        promptCount: Int64 = 1, isCut: Bool, measures: RequestMeasures = RequestMeasures(), own: OwnCounts = OwnCounts()
    ) {
        if let model { attempt.modelServed = model }
        if kind != .primary { attempt.kind = kind }
        if let region { attempt.region = region }
        attempt.tierServed = serviceTier.flatMap(OpenAIDialect.tierServed)
        attempt.finishReason = finishReason
        attempt.upstreamID = id
        attempt.contentEvents = contentEvents
        attempt.rawUsage = usage?.raw ?? sideUsage?.raw ?? []
        attempt.timings = timings
        attempt.timings.update(with: usage?.timings ?? EngineTimings())
        attempt.engineCost = usage?.cost(rules.quirks)
        let said = usageSaid
        let hasTokens = said.map {
            [$0.promptTokens, $0.completionTokens, $0.totalTokens].contains { ($0 ?? 0) != 0 }
        }
        let reading = readUnits(of: operation, request: measures, hasTokens: hasTokens == true, isCut: isCut)
        attempt.units = reading.units
        attempt.notes.formUnion(reading.notes)
        if hasTokens == true, hardwareTime != .measured { attempt.notes.insert(.usageImplausible) }
        if attempt.units.forgetImpossible() { attempt.contradiction = "a unit is negative or too large" }
        guard hasTokens == true || AnswerFacts.isInTokens(operation) || isUnmeasuredText(of: operation) else {
            fillUnits(&attempt, reading, operation: operation, isCut: isCut)
            return
        }
        let filling = UsageFilling(
            facts: self, operation: operation, promptTextBytes: promptTextBytes, promptCount: promptCount, isCut: isCut,
            own: own)
        filling.fill(&attempt, said)
    }

    /// Whether a prediction wrote text and nobody says how much of anything it came to.
    private func isUnmeasuredText(of operation: Operation) -> Bool {
        operation == .prediction && finishReason != nil && finishReason != "failed" && units.isEmpty && textBytes > 0
    }

    /// Whether tokens are what such an answer is counted in, so that they are estimated when the engine is silent.
    static func isInTokens(_ operation: Operation) -> Bool {
        switch operation {
        case .imageGeneration, .transcription, .speech, .rerank, .batch, .prediction, .countTokens: false
        case .chat, .textCompletion, .embeddings, .generateContent: true
        }
    }

    /// An answer without tokens. Counting a prompt, or looking after a batch, makes nothing; of anything else that was
    /// delivered something has to be known, or nobody can say what it costs.
    private func fillUnits(
        _ attempt: inout AttemptRecord, _ reading: UnitReading, operation: Operation, isCut: Bool
    ) {
        let isFree = operation == .countTokens || operation == .batch
        attempt.usageSource = hardwareTime != .measured ? .estimated : reading.source ?? (isFree ? .engine : .estimated)
        attempt.usageComplete = attempt.usageSource != .estimated && !isCut
        guard reading.source == nil, !isFree, !isCut, attempt.isDelivered, hardwareTime != .estimated else { return }
        // A prediction that has not ended, or was cancelled before it began, came to nothing so far; one that failed
        // costs nothing.
        let hasRunToItsEnd = hasRun && finishReason != nil && finishReason != "failed"
        let hasBegun = hasRunToItsEnd || hardwareTime == .unknown
        if operation == .prediction, finishReason != "succeeded", !hasBegun { return }
        attempt.contradiction = attempt.contradiction ?? "nothing of the answer was measured"
    }
}

extension AttemptRecord {
    /// Takes what a usage object comes to, and notes where its numbers do not agree.
    mutating func take(_ usage: UsageBuckets) {
        buckets = usage.buckets
        if usage.dispute != nil { notes.insert(.usageReading) }
    }
}

extension UsageUnits {
    /// Forgets what no answer can come to, so that it stands in no record; says whether there was any.
    fileprivate mutating func forgetImpossible() -> Bool {
        guard !isPlausible else { return false }
        func look(_ unit: inout Int64) {
            if !(0...TokenBuckets.bucketMax).contains(unit) { unit = 0 }
        }
        look(&images)
        look(&audioMilliseconds)
        look(&characters)
        look(&searches)
        look(&computeMilliseconds)
        return true
    }
}

extension EngineUsage {
    /// What the answer costs us, with what the provider behind takes where `cost` is a fee alone.
    fileprivate func cost(_ quirks: UsageQuirks) -> String? {
        guard quirks.contains(.costIsFee), let upstreamCost else { return engineCost }
        return engineCost.flatMap { DecimalText.sum($0, upstreamCost) } ?? engineCost ?? upstreamCost
    }
}
