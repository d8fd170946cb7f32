public import Identity

/// What it means that an engine refused a request or failed at it. What follows from a meaning (whose fault it is,
/// where the request is tried next, what the client is told, what promises and breakers count) stands in
/// `consequences`.
public struct EngineRefusal: Hashable, Sendable {
    public enum Meaning: String, CaseIterable, Hashable, Sendable {
        /// The request is wrong: another backend would refuse it too.
        case clientMistake = "client_mistake"
        /// The request is too long for this backend.
        case contextTooLong = "context_too_long"
        /// The backend does not accept our credentials.
        case unauthorised
        /// The backend's quota for us is used up, or our money there.
        case upstreamQuota = "upstream_quota"
        /// The backend does not have the model that our catalogue says it has.
        case notFound = "not_found"
        /// The backend does not have this API.
        case notSupported = "not_supported"
        /// The request asks the backend for what it does not do there, or not so much of: the model answers other
        /// forms of requests, or shorter answers.
        case notServed = "not_served"
        /// The backend has more work than it can do, or its model is not ready.
        case overloaded
        /// The model failed at the request.
        case modelError = "model_error"
        /// The backend gave up waiting.
        case timeout
        /// The backend is broken or away.
        case unavailable
    }

    public var meaning: Meaning
    /// Whether it may be of the request as well as of our key: a 403 that does not name the key.
    public internal(set) var isBare = false
    /// Whether its words speak of the form of the request, which the model may not have.
    public internal(set) var namesForm = false
    /// Whether nobody can tell whose fault it is: no promise counts it then.
    public var isUndecided = false
    /// How long the backend asks to be left alone; nil when it does not say.
    public var retryAfterMilliseconds: Int64?

    /// The longest that a backend's word is taken for.
    public static let retryMillisecondsMax: Int64 = 24 * 3_600_000
    /// The most of an error's body that is read, and passed on.
    public static let bodyBytesMax = 64 * 1024

    /// A refusal.
    public init(meaning: Meaning, retryAfterMilliseconds: Int64? = nil) {
        self.meaning = meaning
        self.retryAfterMilliseconds = retryAfterMilliseconds.map { min(max(0, $0), EngineRefusal.retryMillisecondsMax) }
    }

    /// What a status outside 2xx means.
    ///
    /// `body` is the answer's body, or its first `bodyBytesMax` bytes; `now` is real time, for hints that are dates.
    /// `isInference` is false for looking at something that the client named by its id. `choices` are what the client
    /// itself chose of what an engine may refuse.
    public init(
        kind: EngineKind, status: Int, headers: some HeaderLookup, body: UnsafeRawBufferPointer,
        isInference: Bool = true, choices: ClientChoices = [], now: Timestamp
    ) {
        var text = EngineErrorText(document: body) ?? EngineErrorText()
        // `ThrottlingException:http://internal.amazon.com/…` is how some AWS services write it.
        if let name = headers.first("x-amzn-errortype") {
            text.type = name.split(separator: ":").first.map(String.init) ?? text.type
        }
        var status = status
        if kind == .sageMaker, let original = text.status, (400..<600).contains(original) {
            // 424 is only SageMaker's word for what its container answered.
            status = original
            if let inner = text.inner { text = inner }
        }
        let isOwnThing = !isInference && (status == 404 || status == 409 || status == 410)
        let meaning = isOwnThing ? .clientMistake : RefusalRules.meaning(kind, status: status, text, choices)
        self.init(
            meaning: meaning ?? .unavailable,
            retryAfterMilliseconds: RetryHint.milliseconds(headers: headers, error: text, status: status, now: now))
        namesForm = text.message.map { RefusalRules.namesForm($0, kind) } ?? false
        isBare = self.meaning == .unauthorised && RefusalRules.isBareRefusal(kind, status: status, text, body: body)
    }

    /// What an error means that came inside an answer which had begun well (status 200).
    public init(kind: EngineKind, insideAnswer facts: AnswerFacts, choices: ClientChoices = []) {
        guard let text = facts.error else {
            self.init(meaning: .modelError)
            return
        }
        let status = text.status ?? text.code.flatMap { Int($0) } ?? 0
        var meaning = RefusalRules.meaning(kind, status: 0, text, choices)
        // TGI's `/v1` writes 422 inside streams whatever the cause.
        if meaning == nil, (400..<600).contains(status), kind != .tgi || status != 422 {
            meaning = RefusalRules.meaning(ofStatus: status, kind)
        }
        self.init(meaning: meaning ?? .modelError, retryAfterMilliseconds: RetryHint.milliseconds(in: text))
        // Whatever a prediction's own code raised, the input may have been the cause.
        isUndecided = meaning == nil && kind == .replicate && text.message?.isEmpty == false
    }

    /// Whether the client gets the engine's own words: the mistake is its own.
    public var isClients: Bool { consequence.fault == .client }

    /// Whether another backend may succeed where this one did not.
    public var mayTryElsewhere: Bool { consequence.nextTry != .nowhere }

    /// Whether promises count it as ours.
    public var countsAgainstPromises: Bool { consequence.countsAgainstPromises && !isUndecided }
}
