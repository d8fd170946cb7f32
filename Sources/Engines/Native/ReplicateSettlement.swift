internal import Metering

/// A prediction that was created is not yet made: what it comes to stands in it once it has ended. Whoever created it
/// is billed for it, whether the client asks again, follows its stream, or never comes back.
extension AnswerFacts {
    /// Where to ask what the answer came to, off the request's path and until it says: nil when the answer said it
    /// itself, or when there is nothing to ask for.
    public func settlementTarget(of request: InferenceRequest, at backend: Backend) -> UpstreamTarget? {
        guard request.surface == .replicatePredictions, request.native?.isInference != false, !hasError,
            finishReason == nil, let id, id.utf8.allSatisfy({ AnswerFacts.isPlain($0) })
        else { return nil }
        return UpstreamTarget(method: "GET", path: "\(backend.basePath)/v1/predictions/\(id)")
    }

    /// Takes from a later look at the same prediction what it came to.
    public mutating func settle(with later: AnswerFacts) {
        finishReason = later.finishReason ?? finishReason
        finishedChoices = max(finishedChoices, later.finishedChoices)
        model = later.model ?? model
        if let newer = later.usage {
            if usage == nil { usage = EngineUsage() }
            usage?.update(with: newer)
            uncountedEvents = 0
        }
        if !later.units.isEmpty { units = later.units }
        timings.update(with: later.timings)
        if later.finishReason == "failed" {
            hasError = true
            error = later.error ?? error
        }
    }

    /// Ids are letters and digits; anything else has no place in a path that we make.
    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
