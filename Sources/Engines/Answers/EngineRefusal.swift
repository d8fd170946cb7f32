/// What it means that an engine refused a request or failed at it: who is at fault, whether another backend may be
/// asked, and when this one may be asked again.
public struct EngineRefusal: Hashable, Sendable {
    /// Who or what is at fault.
    public enum Meaning: String, CaseIterable, Hashable, Sendable {
        /// The request is wrong: another backend would refuse it too.
        case clientMistake = "client_mistake"
        /// The backend's quota for us is used up, or our money there.
        case upstreamQuota = "upstream_quota"
        /// The backend has more work than it can do, or its model is not ready.
        case overloaded
        /// The backend does not accept our credentials.
        case unauthorised
        /// The backend does not have the model, or not this API.
        case notFound = "not_found"
        /// The model failed at the request.
        case modelError = "model_error"
        /// The backend gave up waiting.
        case timeout
        /// The backend is broken or away.
        case unavailable
    }

    public var meaning: Meaning
    /// How long the backend asks to be left alone; nil when it does not say.
    public var retryAfterMilliseconds: Int64?

    /// A refusal.
    public init(meaning: Meaning, retryAfterMilliseconds: Int64? = nil) {
        self.meaning = meaning
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }

    /// Whether another backend may succeed where this one did not.
    public var mayTryElsewhere: Bool { meaning != .clientMistake }

    /// Whether promises count it as ours: anything but the client's own mistake. Our own quota at a provider is our
    /// concern, not the tenant's.
    public var countsAgainstPromises: Bool { meaning != .clientMistake }
}

extension EngineRefusal {
    /// What a status outside 2xx means.
    public init(kind: EngineKind, status: Int, headers: some HeaderLookup, body: UnsafeRawBufferPointer) {
        self.init(meaning: .unavailable)
    }

    /// What an error inside an answer that had begun well (200) means.
    public init(kind: EngineKind, insideAnswer facts: AnswerFacts) {
        self.init(meaning: .modelError)
    }
}

/// What a provider says is left of our quota, as its answers' headers show it.
public struct UpstreamQuota: Hashable, Sendable {
    /// Requests left in the provider's window.
    public var requestsRemaining: Int64?
    /// Tokens left, the smallest of the kinds that it counts.
    public var tokensRemaining: Int64?
    /// Until the requests are full again.
    public var requestsResetMilliseconds: Int64?
    /// Until the tokens are full again.
    public var tokensResetMilliseconds: Int64?

    /// Nothing said.
    public init() {}

    /// What these headers say; nil when they say nothing.
    public init?(kind: EngineKind, headers: some HeaderLookup) { return nil }
}
