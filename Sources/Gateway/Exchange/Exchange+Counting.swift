import Engines
import Metering
import NIOCore
import UsageJournal

/// Counting without the engine, where the backend has what it takes.
extension Exchange {
    /// From here on the text of the running try's answer is gathered, if somebody may count it.
    func beginCounting(status: Int) {
        let backend = running.route.backend
        guard backend.settings.tokenizerPath != nil || backend.settings.asksForCounts, (200..<300).contains(status)
        else { return }
        running.counting = AnswerCounting(
            backend: backend, request: admitted.request, body: body,
            tokenizers: loop.shared.snapshots.current.tokenizers, memory: loop.shared.memory)
    }

    /// Takes over the text that came since the last time.
    func gatherText() {
        guard let counting = running.counting else { return }
        running.stream?.takeText { counting.append($0, $1) }
        running.plain?.takeText { counting.append($0, $1) }
    }

    private var isTextWhole: Bool { running.stream?.isTextWhole ?? running.plain?.isTextWhole ?? false }

    /// The output of a running stream, as counted so far.
    func ownCountsSoFar() -> OwnCounts {
        var own = OwnCounts()
        guard let counting = running.counting else { return own }
        gatherText()
        if isTextWhole { own.output = counting.countedOutput() }
        return own
    }

    /// The gateway's own counts of an answer that has ended, for what the engine left out. Also prepares the questions
    /// that the engine is asked about the rest. `base` is the attempt before its usage is filled in.
    func ownCounts(
        _ counting: AnswerCounting, _ facts: AnswerFacts, _ ending: ExchangeStateMachine.Ending, base: AttemptRecord
    ) -> OwnCounts {
        running.plain?.finishText()
        gatherText()
        var own = OwnCounts()
        let request = admitted.request
        let operation = request.operation
        let hasOutput = operation == .chat || operation == .textCompletion || operation == .generateContent
        guard hasOutput || operation == .embeddings else { return own }
        let needs = facts.needsOwnCounts(of: request)
        let needsInput = needs.input
        let needsOutput = hasOutput && needs.output
        if needsOutput || counting.audits && hasOutput, isTextWhole { own.output = counting.countedOutput() }
        guard needsInput || needsOutput else { return own }
        if counting.asks, base.isDelivered, ending.termination != .gatewayLost, facts.inferences.isEmpty,
            loop.lateCounts.hasRoom,
            let questions = counting.questions(
                of: request, backend: running.route.backend, upstreamModel: running.route.upstreamName,
                asksForPrompt: needsInput,
                asksForOutput: needsOutput && counting.asksForOutput && isTextWhole)
        {
            counting.late = LateCounts.Question(
                base: base, facts: facts, isCut: ending.isCut, own: own, questions: questions)
        } else if needsInput {
            if let short = counting.shortPrompt(of: request) {
                (own.input, own.isInputWhole) = (short.input, short.isInputWhole)
            } else if loop.lateCounts.hasRoom, counting.promptCounter(of: request) != nil {
                counting.late = LateCounts.Question(
                    base: base, facts: facts, isCut: ending.isCut, own: own, questions: nil)
            }
        }
        return own
    }

    /// Leaves the record open until the engine has said what it is asked. Returns false when it is asked nothing.
    func closesLate(at now: NIODeadline) -> Bool {
        guard let counting = running.counting, let late = counting.late, let openRequest else { return false }
        counting.late = nil
        counting.isLate = true
        keepOpen(at: now)
        loop.lateCounts.add(late, of: self, open: openRequest)
        return true
    }

    /// The engine has said what it was asked, or never will: completes the record.
    func takeLateCounts(_ question: LateCounts.Question) {
        var own = question.own
        own.output = own.output ?? question.questions?.output
        if let counted = question.questions?.promptTokens { (own.input, own.isInputWhole) = (counted, true) }
        let loop = loop
        let requestID = entry.request.id
        let completed = question.facts.attempts(
            completing: question.base, request: admitted.request, isCut: question.isCut, own: own,
            priceKey: { loop.priceKey(of: $0) }, newID: { loop.ids.attempt(of: requestID) })
        if completed.count == 1 {
            attempt = completed[0]
            if billsRequestedTier(of: attempt) { attempt.notes.insert(.tierUnpriced) }
        }
    }

    /// Compares the engine's usage with the own count.
    func audit(_ counting: AnswerCounting, _ ended: AttemptRecord, _ own: OwnCounts) {
        guard counting.audits, ended.termination == .complete, ended.usageSource == .engine,
            ended.contradiction == nil, let output = own.output
        else { return }
        let prompt = counting.shortPrompt(of: admitted.request) ?? OwnCounts()
        loop.audit.compared(
            backend: ended.backend, choices: admitted.request.choiceCount, reported: ended.buckets,
            countedOutput: output.total, countedInput: prompt.isInputWhole ? prompt.input : nil)
    }
}
