import Engines
import Metering

/// How requests end: one `Ending` for each way.
extension ExchangeStateMachine {
    var clientAbort: Ending {
        Ending(
            termination: .clientAbort, outcome: .clientAbort, httpStatus: 499, reason: "client_closed",
            delivery: .nothing, cutsUpstream: true, isCut: true, wasRead: isSentUpstream)
    }

    func brokenStream(_ code: String, _ message: String) -> Ending {
        if isClientGone {
            var ending = clientAbort
            ending.wasRead = false
            return ending
        }
        let error = APIError.upstream(502, code, message)
        var ending = Ending(
            termination: .upstreamError, outcome: .providerError, httpStatus: upstreamStatus, reason: code,
            delivery: sawStreamError ? .cut : .streamError(error), cutsUpstream: false, isCut: true)
        if !isHeadSent {
            ending.httpStatus = error.status
            ending.delivery = .error(error)
        }
        return ending
    }

    /// The engine said all it wanted to: an answer, an error, or a stream that ended in an error.
    var endingOfWholeAnswer: Ending {
        if sawStreamError {
            return Ending(
                termination: .upstreamError, outcome: outcomeOfError, httpStatus: upstreamStatus,
                reason: reasonOfError, delivery: .cut,
                cutsUpstream: false, isCut: true)
        }
        // A stream whose client left after the last word was delivered in full; a plain answer was not delivered.
        let isMissed = hasMissedEnd
        return Ending(
            termination: .complete, outcome: isMissed ? .clientAbort : .success,
            httpStatus: isMissed ? 499 : upstreamStatus, reason: isMissed ? "client_closed" : "", delivery: .rest,
            cutsUpstream: false)
    }

    /// The last word of a stream says that the answer failed: the client reads it, without what is not for it.
    var endingOfFailedAnswer: Ending {
        Ending(
            termination: .upstreamError, outcome: isClientGone ? .clientAbort : outcomeOfError,
            httpStatus: isClientGone ? 499 : upstreamStatus, reason: reasonOfError, delivery: .rest,
            cutsUpstream: false, isCut: true)
    }

    /// Whose an error inside an answer is; the provider's where its words are not known.
    private var outcomeOfError: RequestOutcome {
        streamRefusal?.countsAgainstPromises == false ? .clientError : .providerError
    }

    private var reasonOfError: String { outcomeOfError == .clientError ? "engine_rejected" : "stream_error" }

    /// The engine refused, or failed at once. `EngineRefusal.consequences` says whose fault that is and what the client
    /// is told.
    func endingOfRefusal(_ refusal: EngineRefusal, passes: Bool) -> Ending {
        // An error in the place of an answer (status 200) is an error towards the client too.
        let isHidden = (200..<300).contains(upstreamStatus)
        var ending = Ending(
            termination: .upstreamError, outcome: .clientError,
            httpStatus: isHidden ? APIError.rejected(upstreamStatus).status : upstreamStatus,
            reason: "engine_rejected", delivery: .rest, cutsUpstream: false)
        if let error = APIError(refusal) {
            ending.outcome = refusal.countsAgainstPromises ? .providerError : .clientError
            ending.httpStatus = error.status
            ending.reason = error.code
            ending.delivery = .error(error)
        } else if !passes {
            let error = APIError.rejected(upstreamStatus)
            ending.httpStatus = error.status
            ending.delivery = .error(error)
        }
        if isClientGone, ending.outcome != .clientError { ending.outcome = .clientAbort }
        return ending
    }

    /// How the attempt that failed so ended.
    static func termination(for failure: Failure) -> Termination {
        switch failure {
        case .connect, .broken: .upstreamError
        case .connectTimeout, .firstByteTimeout, .idleTimeout, .totalTimeout: .timeout
        case .answerTooLarge: .limitReached
        case .stopped: .gatewayLost
        }
    }

    func error(for failure: Failure) -> APIError {
        switch failure {
        case .connect:
            .upstream(502, "upstream_unavailable", "The engine behind this model could not be reached. Try again.")
        case .broken:
            .upstream(
                502, "upstream_broken",
                "The connection to the engine was lost in the middle of the response. Try again.")
        case .connectTimeout:
            .upstream(504, "upstream_timeout", "The engine behind this model did not accept a connection in time.")
        case .firstByteTimeout:
            .upstream(504, "upstream_timeout", "The engine did not start responding in time. Try again.")
        case .idleTimeout:
            .upstream(504, "upstream_timeout", "The engine stopped in the middle of the response. Try again.")
        case .totalTimeout:
            .upstream(504, "request_timeout", "The response took longer than the gateway allows.")
        case .answerTooLarge:
            .upstream(502, "answer_too_large", "The engine's response is larger than the gateway allows.")
        case .stopped:
            .upstream(503, "gateway_stopped", "The gateway was stopped in the middle of the response. Try again.")
        }
    }
}
