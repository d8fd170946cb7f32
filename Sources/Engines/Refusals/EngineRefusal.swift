public import Identity

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
    /// Whether promises count it as ours. All count but the client's own mistakes and the refusals of a tier that
    /// promises nothing (Groq's 498); our own quota at a provider is our concern, not the tenant's.
    public var countsAgainstPromises: Bool

    /// The longest that a backend's word is taken for.
    public static let retryMillisecondsMax: Int64 = 24 * 3_600_000
    /// The most of an error's body that is worth showing to this type.
    public static let bodyBytesMax = 64 * 1024

    /// A refusal.
    public init(meaning: Meaning, retryAfterMilliseconds: Int64? = nil) {
        self.meaning = meaning
        self.retryAfterMilliseconds = retryAfterMilliseconds.map { min(max(0, $0), EngineRefusal.retryMillisecondsMax) }
        countsAgainstPromises = meaning != .clientMistake
    }

    /// Whether another backend may succeed where this one did not.
    public var mayTryElsewhere: Bool { meaning != .clientMistake }

    /// Whether the backend itself is unwell, so that a circuit breaker should count it.
    public var isBackendAtFault: Bool {
        switch meaning {
        case .clientMistake, .upstreamQuota: false
        case .overloaded, .unauthorised, .notFound, .modelError, .timeout, .unavailable: true
        }
    }
}

extension EngineRefusal {
    /// What a status outside 2xx means.
    ///
    /// `body` is the answer's body, or its first `bodyBytesMax` bytes; `now` is real time, for hints that are dates.
    public init(
        kind: EngineKind, status: Int, headers: some HeaderLookup, body: UnsafeRawBufferPointer, now: Timestamp
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
        self.init(
            meaning: EngineRefusal.meaning(of: status, text, kind),
            retryAfterMilliseconds: RetryHint.milliseconds(headers: headers, error: text, status: status, now: now))
        if status == 498 { countsAgainstPromises = false }
    }

    /// What an error means that came inside an answer which had begun well (status 200).
    public init(kind: EngineKind, insideAnswer facts: AnswerFacts) {
        guard let text = facts.error else {
            self.init(meaning: .modelError)
            return
        }
        let status = text.status ?? text.code.flatMap { Int($0) }
        let meaning =
            EngineRefusal.meaning(named: text)
            ?? status.flatMap { (400..<600).contains($0) ? EngineRefusal.meaning(of: $0, text, kind) : nil }
        self.init(meaning: meaning ?? .modelError, retryAfterMilliseconds: RetryHint.milliseconds(in: text))
    }

    // MARK: Rules

    private static func meaning(of status: Int, _ text: EngineErrorText, _ kind: EngineKind) -> Meaning {
        let named = meaning(named: text)
        switch status {
        case 401: return .unauthorised
        // Flagged prompts are refused so by routers; anything else is about our key.
        case 403: return named == .upstreamQuota || named == .clientMistake ? named ?? .unauthorised : .unauthorised
        case 402: return .upstreamQuota
        case 404: return text.isAboutClientsOwnThings ? .clientMistake : .notFound
        case 408, 504, 522, 524: return .timeout
        case 424: return named == .clientMistake || named == .overloaded ? named ?? .modelError : .modelError
        case 429: return named == .overloaded || kind.hasNoQuota ? .overloaded : .upstreamQuota
        case 498, 503, 529: return named == .timeout ? .timeout : .overloaded
        case 400, 422:
            return named == .unauthorised || named == .upstreamQuota ? named ?? .clientMistake : .clientMistake
        case 402..<500: return .clientMistake
        default:
            return named == .overloaded || named == .modelError || named == .timeout
                ? named ?? .unavailable : .unavailable
        }
    }

    /// What the error's own words mean, whatever status they came with.
    private static func meaning(named text: EngineErrorText) -> Meaning? {
        let message = text.message?.lowercased() ?? ""
        // Both come under the names of clients' mistakes.
        if message.contains("api key not valid") { return .unauthorised }
        if message.contains("credit balance is too low") { return .upstreamQuota }
        for name in [text.code, text.type] {
            guard let name = name?.lowercased().filter({ $0 != "_" && $0 != "-" && $0 != " " }) else { continue }
            if let meaning = meanings[name] { return meaning }
        }
        return message.contains("overloaded") ? .overloaded : nil
    }

    private static let meanings: [String: Meaning] = {
        let names: [Meaning: [String]] = [
            .overloaded: [
                "overloadederror", "overloaded", "engineoverloaded", "serverisoverloaded", "capacityexceeded",
                "resourceunavailable", "serviceunavailable", "serviceunavailableexception", "modelnotreadyexception",
                "unavailable", "slowdown", "queuefull",
            ],
            .upstreamQuota: [
                "ratelimitexceeded", "ratelimiterror", "insufficientquota", "insufficientbalance", "resourceexhausted",
                "throttlingexception", "throttling", "toomanyrequestsexception", "toomanyrequests", "modelratelimit",
                "servicequotaexceededexception", "billinghardlimitreached", "quotaexceeded", "billingerror",
            ],
            .unauthorised: [
                "authenticationerror", "permissionerror", "invalidapikey", "apikeyinvalid", "accessdeniedexception",
                "accessdenied", "unrecognizedclientexception", "expiredtokenexception", "invalidsignatureexception",
                "missingauthenticationtokenexception", "unauthenticated", "permissiondenied",
            ],
            .clientMistake: [
                "invalidrequesterror", "validationexception", "validation", "validationerror", "badrequesterror",
                "invalidargument", "contextlengthexceeded", "requesttoolarge", "exceedcontextsizeerror",
                "contentfilter", "contentpolicyviolation", "unprocessableentityerror", "invalidprompt", "moderation",
            ],
            .notFound: [
                "notfounderror", "modelnotfound", "deploymentnotfound", "resourcenotfoundexception", "notfound",
            ],
            .modelError: [
                "generation", "incompletegeneration", "incompletegenerationstream", "modelerrorexception",
                "modelstreamerrorexception", "modelerror", "generationerror",
            ],
            .timeout: [
                "modeltimeoutexception", "timeouterror", "deadlineexceeded", "modelinvocationtimeexceeded",
                "requesttimeout",
            ],
            .unavailable: [
                "servererror", "apierror", "internal", "internalserverexception", "internalservererror",
                "internalfailure", "streambroken", "internalstreamfailure", "internaldependencyexception",
            ],
        ]
        var meanings: [String: Meaning] = [:]
        for (meaning, list) in names { for name in list { meanings[name] = meaning } }
        return meanings
    }()
}

extension EngineKind {
    /// Engines that run for us alone: when they say "too many requests", it is work that is too much, not a quota.
    fileprivate var hasNoQuota: Bool {
        switch self {
        case .vllm, .tensorRTLLM, .triton, .tgi, .llamaCpp, .tenstorrent, .rayServe, .nim: true
        case .openAICompatible, .openAI, .anthropic, .groq, .sambaNova, .sageMaker, .bedrock, .vertex, .gemini, .azure,
            .together, .replicate, .deepSeek, .xai, .cerebras, .openRouter:
            false
        }
    }
}

extension EngineErrorText {
    /// Whether what was not found is something that the client named beside the model.
    fileprivate var isAboutClientsOwnThings: Bool {
        let names = [code, type].compactMap { $0?.lowercased() }
        if names.contains(where: { $0.contains("response_not_found") || $0.contains("previous_response") }) {
            return true
        }
        guard let message else { return false }
        return ["resp_", "file-", "file_", "batch_", "conv_"].contains { message.contains($0) }
    }
}
