internal import Metering

extension AnswerFacts {
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
