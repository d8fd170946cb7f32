internal import Metering

/// Fills a record's tokens with what an answer says that it used, and with the gateway's own counts or estimates where
/// it says nothing, or nothing that can be true.
struct UsageFilling {
    let facts: AnswerFacts
    let operation: Operation
    let promptTextBytes: Int64
    let promptCount: Int64
    let isCut: Bool
    let own: OwnCounts

    fileprivate var hasNoOutput: Bool {
        operation == .embeddings || operation == .rerank || operation == .countTokens
    }

    /// `usage` is what the engine said; nil when it said nothing.
    func fill(_ attempt: inout AttemptRecord, _ said: EngineUsage?) {
        guard var usage = said else { return estimate(&attempt) }
        usage.forgetImpossible()
        if hasNoOutput { usage.promptTokens = usage.promptTokens ?? usage.totalTokens }
        attempt.usageSource = complete(&usage, &attempt.notes)
        attempt.usageComplete = attempt.usageSource != .estimated && !isCut
        // Pictures and speech are what these answers are made of, whether the engine says so or not.
        if usage.outputParts == ModalityTokens() {
            if operation == .imageGeneration { usage.outputParts.image = usage.completionTokens }
            if operation == .speech { usage.outputParts.audio = usage.completionTokens }
        }
        attempt.take(usage.buckets(quirks: facts.rules.quirks, delivered: hasNoOutput ? 0 : delivered))
    }

    private func estimate(_ attempt: inout AttemptRecord) {
        let beside = facts.beside
        let sequences = facts.sequences
        let isOutputCounted = own.output != nil && beside.total == 0 && sequences == 1
        let isCounted = own.isInputWhole && (hasNoOutput || isOutputCounted)
        attempt.usageSource = isCounted ? .counted : .estimated
        attempt.usageComplete = isCounted && !isCut
        if sequences > 1 { attempt.notes.insert(.outputUnderreported) }
        guard !hasNoOutput else {
            attempt.buckets = TokenBuckets(inputUncached: own.input ?? estimatedInput)
            return
        }
        attempt.buckets = TokenBuckets(
            inputUncached: own.input ?? estimatedInput,
            outputVisible: (own.output?.visible ?? estimatedText) * sequences, outputAudio: beside.sound,
            outputImage: beside.image, outputReasoning: (own.output?.reasoning ?? 0) * sequences + beside.reasoning)
    }

    private var estimatedInput: Int64 { UsageEstimate.tokens(inTextBytes: promptTextBytes) }

    /// Tokens of the text that came.
    private var estimatedText: Int64 {
        max(facts.contentEstimate, UsageEstimate.tokens(inTextBytes: facts.textBytes))
    }

    /// What the engine says of one choice, when that is all that it says.
    private var outputOfOneChoice: Int64 { facts.hasUsageOfOneChoice ? max(0, facts.timedTokens ?? 0) : 0 }

    /// Tokens of output that the client certainly had.
    private var delivered: Int64 {
        if let output = own.output { return output.total }
        return facts.contentEvents > 0
            ? max(facts.contentEvents, UsageEstimate.tokensAtLeast(inTextBytes: facts.contentBytes))
            : UsageEstimate.tokensAtLeast(inTextBytes: facts.textBytes)
    }

    // MARK: What is missing

    /// Puts in what the engine left out, and says where the counts come from: `estimated` as soon as one of them is.
    private func complete(_ usage: inout EngineUsage, _ notes: inout RecordNotes) -> UsageSource {
        var source = UsageSource.engine
        func note(isCounted: Bool) {
            usage.totalTokens = nil
            if source != .estimated { source = isCounted ? .counted : .estimated }
        }
        let beside = facts.uncountedBeside
        if facts.uncountedEstimate > 0 || beside.total > 0, let counted = usage.completionTokens, !hasNoOutput {
            // What came after the engine's last word on its output.
            if !isCut, facts.uncountedEstimate > 0 || beside.image + beside.sound > 0 {
                notes.insert(.usageImplausible)
            }
            if let output = own.output, output.total >= counted {
                usage.takeOutput(output)
                note(isCounted: beside.total == 0)
            } else {
                usage.completionTokens = counted + facts.uncountedEstimate
                note(isCounted: false)
            }
            usage.add(beside)
        }
        if forgetImplausible(&usage) { notes.insert(.usageImplausible) }
        if forgetOneChoice(&usage) { notes.insert(.outputUnderreported) }
        usage.completeByTotal(hasOutput: !hasNoOutput)
        if usage.promptTokens == nil, usage.completionTokens == nil, let total = usage.totalTokens, total > 0,
            !hasNoOutput
        {
            // A total alone is shared between both.
            let output = min(total, (own.output?.total ?? estimatedText) + facts.beside.total)
            usage.completionTokens = output
            usage.promptTokens = total - output
            note(isCounted: own.output != nil && facts.beside.total == 0)
        }
        if usage.promptTokens == nil {
            let input = own.input ?? estimatedInput
            let cached = (usage.cachedTokens ?? 0) + (usage.cacheWriteTokens ?? 0)
            // A count of the text has what a cache served in it.
            let apart = own.input == nil ? input : max(0, input - cached)
            usage.promptTokens = usage.rule == .cacheApart ? apart : max(input, cached)
            note(isCounted: own.isInputWhole)
        }
        if usage.completionTokens == nil, !hasNoOutput {
            if let output = own.output {
                usage.takeOutput(output)
            } else {
                usage.completionTokens = max(estimatedText, usage.reasoningTokens ?? 0, outputOfOneChoice)
            }
            // What the engine says of its reasoning has the hidden part in it.
            usage.add(facts.beside.without(reasoning: usage.reasoningTokens ?? 0))
            note(isCounted: own.output != nil && facts.beside.total == 0)
        }
        if facts.sequences > 1, let best = usage.completionTokens {
            usage.completionTokens = min(best, TokenBuckets.bucketMax / facts.sequences) * facts.sequences
            note(isCounted: false)
            notes.insert(.outputUnderreported)
        }
        if let output = own.output, UsageFilling.isUnderreported(usage.outputSaid, delivered: output.total) {
            usage.takeOutput(output)
            note(isCounted: true)
            notes.insert(.outputUnderreported)
        }
        return source
    }

    /// Whether so much more was delivered than the engine reported that the engine is not believed: over a tenth, and
    /// over `underreportedTokensMax`.
    static func isUnderreported(_ reported: Int64, delivered: Int64) -> Bool {
        guard reported >= 0, delivered > reported else { return false }
        let beyond = delivered - reported
        return beyond > underreportedTokensMax && beyond > reported / 10
    }

    /// A difference of so many tokens is still a matter of where a tokenizer cuts. Of events with content as well:
    /// marks at the start of a call, and a token whose bytes come in two pieces, are events of their own.
    static let underreportedTokensMax: Int64 = 16

    // MARK: What cannot be true

    /// Forgets counts that cannot be true of this answer: no input for a prompt with text, no output where some was
    /// delivered. Says whether there were any.
    fileprivate func forgetImplausible(_ usage: inout EngineUsage) -> Bool {
        guard AnswerFacts.isInTokens(operation), !facts.inferences.contains(where: { $0.kind == .component }) else {
            return false
        }
        // Of an answer that is a summary of what it was sent the summary's own record has all.
        let hasSummary = facts.inferences.contains { $0.kind == .compaction }
        if hasSummary, usage.promptTokens == 0, usage.completionTokens == 0 { return false }
        var isFound = false
        let cache = (usage.cachedTokens ?? 0) + (usage.cacheWriteTokens ?? 0)
        let isAllCached = usage.rule == .cacheApart ? cache > 0 : usage.isTotalBesideCache(cache)
        if usage.promptTokens == 0, usage.toolPromptTokens ?? 0 == 0, !isAllCached, promptTextBytes > 0 {
            usage.promptTokens = nil
            isFound = true
        }
        let hasContent =
            facts.contentEvents > 0 || facts.textBytes > 0 || !facts.written.isEmpty || own.output?.total ?? 0 > 0
        if !hasNoOutput, hasContent, usage.completionTokens == 0, usage.reasoningTokens ?? 0 == 0 {
            usage.completionTokens = nil
            isFound = true
        }
        return isFound
    }

    /// Forgets counts of one choice that stand for the whole answer, and of one prompt of several. Says whether there
    /// were any.
    fileprivate func forgetOneChoice(_ usage: inout EngineUsage) -> Bool {
        guard facts.hasUsageOfOneChoice else { return false }
        usage.completionTokens = nil
        usage.totalTokens = nil
        if promptCount > 1 { usage.promptTokens = nil }
        return true
    }
}

extension AnswerFacts {
    /// What is left to be counted without the engine, because it said nothing of it or nothing that can be true.
    public func needsOwnCounts(
        of request: InferenceRequest
    ) -> (input: Bool, output: Bool) {
        guard var said = usageSaid else { return (true, true) }
        let filling = UsageFilling(
            facts: self, operation: request.operation, promptTextBytes: request.input.estimatedBytes,
            promptCount: request.promptCount, isCut: false, own: OwnCounts())
        said.forgetImpossible()
        if filling.hasNoOutput { said.promptTokens = said.promptTokens ?? said.totalTokens }
        _ = filling.forgetImplausible(&said)
        _ = filling.forgetOneChoice(&said)
        said.completeByTotal(hasOutput: !filling.hasNoOutput)
        return (said.promptTokens == nil, said.completionTokens == nil || uncountedEstimate > 0)
    }

    /// What the engine said of its tokens: its usage, and for what that leaves out what it counts beside it.
    var usageSaid: EngineUsage? {
        guard var side = sideUsage else { return usage }
        // Whatever an engine writes, the counts add up without an overflow.
        side.forgetImpossible()
        guard var said = usage else { return side }
        if said.promptTokens == nil, said.completionTokens == nil, said.totalTokens == nil {
            said.rule = side.rule
            said.replace(with: side)
            return said
        }
        let input = (side.promptTokens ?? 0) + (side.rule == .cacheApart ? side.cachedTokens ?? 0 : 0)
        if said.promptTokens == nil, side.promptTokens != nil, said.rule != .cacheApart { said.promptTokens = input }
        said.completionTokens = said.completionTokens ?? side.completionTokens
        // What of the prompt came from the cache is told apart there alone.
        if said.cachedTokens == nil, side.rule == .cacheApart, let cached = side.cachedTokens, cached > 0,
            said.rule != .cacheApart, said.promptTokens == input
        {
            said.cachedTokens = cached
        }
        return said
    }
}

extension EngineUsage {
    /// All output that the engine reports.
    fileprivate var outputSaid: Int64 {
        (completionTokens ?? 0) + (rule == .reasoningApart ? reasoningTokens ?? 0 : 0)
    }

    /// Whether the total shows that the caches stand beside a prompt of nothing.
    fileprivate func isTotalBesideCache(_ cache: Int64) -> Bool {
        cache > 0 && totalTokens == (completionTokens ?? 0) + cache
    }

    /// Puts in a count that the total and the others leave no doubt of.
    fileprivate mutating func completeByTotal(hasOutput: Bool) {
        guard let total = totalTokens, total > 0 else { return }
        let beside = (toolPromptTokens ?? 0) + (rule == .reasoningApart ? reasoningTokens ?? 0 : 0)
        let cache = rule == .cacheApart ? (cachedTokens ?? 0) + (cacheWriteTokens ?? 0) : 0
        func rest(_ known: Int64) -> Int64? {
            let all = total - known - beside - cache
            if all > 0 { return all }
            return total - known - beside > 0 && cache > 0 ? total - known - beside : nil
        }
        if promptTokens == nil, let known = completionTokens {
            promptTokens = rest(known)
        } else if completionTokens == nil, hasOutput, let known = promptTokens {
            completionTokens = rest(known)
        }
    }

    /// Adds what is estimated beside the text.
    fileprivate mutating func add(_ beside: TokensBesideText) {
        guard beside.total > 0 else { return }
        if beside.image > 0 { outputParts.image = (outputParts.image ?? 0) + beside.image }
        if beside.sound > 0 { outputParts.audio = (outputParts.audio ?? 0) + beside.sound }
        if beside.reasoning > 0 { reasoningTokens = (reasoningTokens ?? 0) + beside.reasoning }
        let reasoning = rule == .reasoningApart ? 0 : beside.reasoning
        completionTokens = (completionTokens ?? 0) + beside.image + beside.sound + reasoning
    }

    /// Takes a count of the text in place of the engine's, with as much reasoning as the engine says.
    fileprivate mutating func takeOutput(_ output: OwnCounts.Output) {
        let reasoning = reasoningTokens ?? output.reasoning
        reasoningTokens = reasoning
        completionTokens = rule == .reasoningApart ? output.visible : max(output.total, reasoning)
    }
}
