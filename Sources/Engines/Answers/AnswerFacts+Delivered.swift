internal import Metering

extension AnswerFacts {
    /// More events with content than reported tokens are believed up to this many, or a tenth of what was reported:
    /// marks at the start of a call, and a token whose bytes come in two pieces, are events of their own.
    static let eventsBeyondMax: Int64 = 16

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
        let delivered = max(contentEvents, own.output?.total ?? 0)
        let beyond = delivered - reported
        guard reported >= 0, beyond > AnswerFacts.eventsBeyondMax, beyond > reported / 10 else { return }
        attempts[0].buckets.outputVisible += beyond
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
