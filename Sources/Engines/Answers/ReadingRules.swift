/// How one backend's answer to one request is read: what the catalogue and its kind say beside the dialect.
struct ReadingRules: Hashable, Sendable {
    /// How the backend's usage is read.
    var quirks: UsageQuirks = []
    /// Whether the backend makes every search that a request asks for at its beginning, and may count none.
    var searchesWhenAsked = false
    /// Whether the backend has no tiers, so that one that a request asks for is not served because it is silent.
    var isWithoutTiers = false

    /// Those of nobody in particular.
    init() {}

    init(of request: InferenceRequest, by backend: Backend) {
        quirks = backend.usageQuirks(of: request.operation)
        searchesWhenAsked = backend.kind.searchesWhenAsked
        isWithoutTiers = backend.lacksTier(of: request)
    }
}

extension AnswerFacts {
    /// The same as the answer to this request by this backend, whoever saw it: a client that looks at its work says
    /// nothing of what it had asked for.
    public func read(asAnswerTo request: InferenceRequest, by backend: Backend) -> AnswerFacts {
        var facts = self
        facts.rules = ReadingRules(of: request, by: backend)
        return facts
    }
}
