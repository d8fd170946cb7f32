import Metering

/// Availability: the share of requests that were answered.
///
/// Does not count: the client's own errors, and clients that left before the first byte of an answer (nobody can say
/// whether it would have come). A client that left in the middle of an answer had one: good.
func judgeAvailability(of request: MeasuredRequest) -> Judgement {
    switch request.outcome {
    case .success:
        return .good
    case .clientError:
        return .excluded(reason: "client_error")
    case .clientAbort:
        return request.firstByteMicroseconds == nil ? .excluded(reason: "client_abort_before_answer") : .good
    case .providerError:
        let code = request.reason.isEmpty ? "provider_error" : request.reason
        return .bad(
            Miss(
                reason: code, measured: "HTTP \(request.httpStatus), \(code)",
                severity: request.endMicroseconds ?? 0))
    case .gatewayLost:
        return .bad(
            Miss(reason: "gateway_lost", measured: "the gateway was lost", severity: request.endMicroseconds ?? 0))
    }
}
