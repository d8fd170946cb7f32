/// What the client asked the engine to do (OpenTelemetry's `gen_ai.operation.name`).
public enum Operation: String, CaseIterable, Hashable, Sendable {
    case chat
    case textCompletion = "text_completion"
    case embeddings
}

/// Where the counts of an attempt come from.
public enum UsageSource: String, CaseIterable, Hashable, Sendable {
    /// The engine said so.
    case engine
    /// The gateway counted with the model's own tokenizer, or asked the engine to.
    case counted
    /// The gateway estimated: content events for output, bytes of text for input.
    case estimated
    /// There is nothing to count: the engine was never reached or refused the request.
    case nothing = "none"
}

/// How an attempt ended.
public enum Termination: String, CaseIterable, Hashable, Sendable {
    /// The engine finished and said so.
    case complete
    /// The client left first.
    case clientAbort = "client_abort"
    /// The engine failed, refused, or broke off.
    case upstreamError = "upstream_error"
    /// A time limit of the gateway ended it.
    case timeout
    /// A size limit of the gateway ended it.
    case limitReached = "limit_reached"
    /// The gateway died; recovery closed the record.
    case gatewayLost = "gateway_lost"
}

/// What became of a request, as promises see it.
public enum RequestOutcome: String, CaseIterable, Hashable, Sendable {
    /// The client got what it asked for.
    case success
    /// The client's own mistake (4xx other than the ones below): no promise counts it.
    case clientError = "client_error"
    /// The client left before the end.
    case clientAbort = "client_abort"
    /// We or the engine failed: 5xx, timeouts, streams that broke. Promises count it as bad.
    case providerError = "provider_error"
    /// The gateway died underneath it. Promises count it as bad.
    case gatewayLost = "gateway_lost"
}
