import Metering

/// Time to first token: the share of streamed answers whose first token reached the client in time.
///
/// Counts: streams that delivered a first token, however they ended, and streams that succeeded without one (they are
/// measured by their end: the client had the whole answer then). Does not count: answers that were not streamed, and
/// streams that delivered nothing; those that failed are availability's to judge, so that one failure breaks one
/// promise. The threshold itself is still in time.
func judgeTimeToFirstToken(of request: MeasuredRequest, thresholdMilliseconds: Int64) -> Judgement {
    guard request.isStream else { return .excluded(reason: "not_streamed") }
    let endOfSuccess = request.outcome == .success ? request.endMicroseconds : nil
    guard let measured = request.firstTokenMicroseconds ?? endOfSuccess else {
        return .excluded(reason: "no_first_token")
    }
    let (threshold, overflow) = thresholdMilliseconds.multipliedReportingOverflow(by: 1000)
    if overflow || measured <= threshold { return .good }
    return .bad(
        Miss(reason: "first_token_late", measured: "\(measured.roundedUpToMilliseconds) ms", severity: measured))
}

extension Int64 {
    /// Microseconds as milliseconds, rounded up: a miss by less than a millisecond must not read as kept.
    fileprivate var roundedUpToMilliseconds: Int64 { self / 1000 + (self % 1000 > 0 ? 1 : 0) }
}
