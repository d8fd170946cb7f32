internal import Metering

extension AnswerFacts {
    /// Whether the engine counted much more output than came: reasoning that it does not show, or of which it shows a
    /// summary.
    public func hidesOutput(reported: Int64) -> Bool {
        let seen = max(contentEstimate, UsageEstimate.tokens(inTextBytes: textBytes))
        if seen.addingCapped(seen).addingCapped(AnswerFacts.hiddenTokensMin) < reported { return true }
        guard let reasoning = usage?.reasoningTokens, reasoning >= AnswerFacts.hiddenTokensMin else { return false }
        return seen <= max(0, reported - reasoning) / 4 * 5 + AnswerFacts.hiddenTokensMin / 2
    }

    /// Fewer tokens than these are no sign of anything: estimates of short texts are coarse.
    private static let hiddenTokensMin: Int64 = 64

    /// Holds the records of an answer against what was delivered: never fewer tokens of output than that, whatever the
    /// engine reported, and no more choices than were reserved for without saying so.
    func settleDelivered(_ attempts: inout [AttemptRecord], request: InferenceRequest, own: OwnCounts) {
        guard !attempts.isEmpty else { return }
        if choicesSeen > request.choiceCount { attempts[0].notes.insert(.choicesExceeded) }
        switch request.operation {
        case .chat, .textCompletion, .generateContent: break
        default: return
        }
        guard attempts[0].usageSource == .engine, attempts.allSatisfy({ $0.contradiction == nil }) else { return }
        let reported = attempts.reduce(Int64(0)) { $0.addingCapped($1.buckets.outputTotal) }
        // What stands between cuts events finer than tokens at times: letter by letter.
        let areLetters =
            silentTokens == 0 && contentBytes > 0 && contentBytes < 2 * contentEvents
            && reported >= UsageEstimate.tokens(inTextBytes: contentBytes) && reported <= contentEvents / 2
        let delivered = max(areLetters ? 0 : contentEvents, own.output?.total ?? 0)
        guard UsageFilling.isUnderreported(reported, delivered: delivered) else { return }
        attempts[0].buckets.outputVisible += delivered - reported
        attempts[0].usageSource = .counted
        attempts[0].notes.insert(.outputUnderreported)
    }
}

extension Int64 {
    fileprivate func addingCapped(_ other: Int64) -> Int64 {
        let (sum, isOver) = addingReportingOverflow(other)
        return isOver ? .max : sum
    }
}
