extension EngineRefusal {
    /// Whose fault a refusal is.
    public enum Fault: String, CaseIterable, Hashable, Sendable {
        /// The client's: it gets the engine's own words.
        case client
        /// The operator's: the gateway's key, account, quota or choice of backend.
        case operatorOwn = "operator"
        /// The engine's.
        case engine
    }

    /// Where the request is tried next, before the client has a byte of an answer.
    public enum NextTry: String, CaseIterable, Hashable, Sendable {
        case nowhere
        case anywhere
        /// Only where a backend may have a larger context.
        case largerContext = "larger_context"
    }

    /// What a refusal means for the backend's circuit breaker.
    public enum BreakerMeaning: String, CaseIterable, Hashable, Sendable {
        /// The backend works.
        case works
        /// Says nothing about the backend.
        case nothing
        /// Says nothing about the backend, but this route is left alone for a while.
        case routeMissing = "route_missing"
        /// The backend is left alone for as long as it says, or for a moment.
        case rests
        /// The backend is left alone for as long as it says; a failure where it does not say.
        case restsOrFails = "rests_or_fails"
        case fails
    }

    /// What a client is told in place of the engine's own words.
    public struct Told: Hashable, Sendable {
        public let status: Int
        /// Also the record's reason.
        public let code: String
        public let message: String
    }

    /// One row of the table: everything that follows from a meaning.
    public struct Consequence: Hashable, Sendable {
        public let meaning: Meaning
        public let fault: Fault
        public let nextTry: NextTry
        public let breaker: BreakerMeaning
        /// Nil where the engine's own words pass, without what names the backend or its account.
        public let told: Told?

        /// Whether promises count it as ours: all but the client's own mistakes.
        public var countsAgainstPromises: Bool { fault != .client }
    }

    /// What follows from each meaning; docs/engines.md shows the same table.
    public static let consequences: [Consequence] = [
        Consequence(meaning: .clientMistake, fault: .client, nextTry: .nowhere, breaker: .works, told: nil),
        Consequence(meaning: .contextTooLong, fault: .client, nextTry: .largerContext, breaker: .works, told: nil),
        Consequence(meaning: .notServed, fault: .client, nextTry: .anywhere, breaker: .nothing, told: nil),
        Consequence(
            meaning: .unauthorised, fault: .operatorOwn, nextTry: .anywhere, breaker: .fails,
            told: Told(
                status: 502, code: "upstream_unauthorized",
                message: "The engine behind this model refused the gateway's access. Contact your administrator.")),
        Consequence(
            meaning: .upstreamQuota, fault: .operatorOwn, nextTry: .anywhere, breaker: .rests,
            told: Told(
                status: 503, code: "upstream_overloaded",
                message: "The engine behind this model has no capacity at the moment. Try again later.")),
        Consequence(
            meaning: .notFound, fault: .operatorOwn, nextTry: .anywhere, breaker: .routeMissing,
            told: Told(
                status: 502, code: "upstream_model_missing",
                message: "The engine behind this model does not have it at the moment. Contact your administrator.")),
        Consequence(
            meaning: .notSupported, fault: .operatorOwn, nextTry: .anywhere, breaker: .nothing,
            told: Told(
                status: 501, code: "upstream_not_supported",
                message: "The engine behind this model does not support this kind of request.")),
        Consequence(
            meaning: .overloaded, fault: .engine, nextTry: .anywhere, breaker: .restsOrFails,
            told: Told(
                status: 503, code: "upstream_overloaded",
                message: "The engine behind this model has no capacity at the moment. Try again later.")),
        Consequence(
            meaning: .modelError, fault: .engine, nextTry: .anywhere, breaker: .fails,
            told: Told(
                status: 502, code: "upstream_error",
                message: "The engine behind this model failed on this request. Try again.")),
        Consequence(
            meaning: .timeout, fault: .engine, nextTry: .anywhere, breaker: .fails,
            told: Told(
                status: 504, code: "upstream_timeout",
                message: "The engine behind this model took too long. Try again.")),
        Consequence(
            meaning: .unavailable, fault: .engine, nextTry: .anywhere, breaker: .restsOrFails,
            told: Told(
                status: 502, code: "upstream_error",
                message: "The engine behind this model failed on this request. Try again.")),
    ]

    /// The row of this refusal.
    public var consequence: Consequence {
        for row in Self.consequences where row.meaning == meaning { return row }
        assertionFailure("no row for \(meaning)")
        return Self.consequences[Self.consequences.count - 1]
    }
}
