/// An inference engine behind the gateway, as `tollgate backends apply` stored it.
///
/// A class because every request carries it to many places, and a copy of its texts would cost more than their use; two
/// with the same parts are equal.
public final class Backend: Hashable, Sendable {
    /// Unique, lowercase, as records and metrics show it.
    public let name: String
    /// `http` or `https`.
    public let isTLS: Bool
    /// Host name or address, without brackets.
    public let host: String
    public let port: Int
    /// The path in front of `/v1/…`, empty or beginning with a slash and not ending with one.
    public let basePath: String
    /// The engine's key in clear, sent as its kind wants it; nil when it asks for none, or `settings.credentials` says
    /// where it stands.
    public let apiKey: String?
    /// Such as `h100x8`; empty when unknown.
    public let hardware: String
    /// Such as `fp8`; empty when unknown.
    public let quantisation: String
    /// Which system it is.
    public let kind: EngineKind
    /// What else is known of it.
    public let settings: BackendSettings
    /// Why nothing may be sent to it, such as a secret that does not open; nil as long as it may serve.
    public let outOfService: ServiceFault?

    /// A backend as the catalogue holds it.
    public init(
        name: String, isTLS: Bool, host: String, port: Int, basePath: String, apiKey: String?, hardware: String = "",
        quantisation: String = "", kind: EngineKind = .openAICompatible, settings: BackendSettings = BackendSettings(),
        outOfService: ServiceFault? = nil
    ) {
        self.name = name
        self.isTLS = isTLS
        self.host = host
        self.port = port
        self.basePath = basePath
        self.apiKey = apiKey
        self.hardware = hardware
        self.quantisation = quantisation
        self.kind = kind
        self.settings = settings
        self.outOfService = outOfService
    }

    /// The same engine under other settings.
    public func with(_ settings: BackendSettings) -> Backend {
        Backend(
            name: name, isTLS: isTLS, host: host, port: port, basePath: basePath, apiKey: apiKey, hardware: hardware,
            quantisation: quantisation, kind: kind, settings: settings, outOfService: outOfService)
    }

    /// The same engine, to which nothing may be sent for this reason.
    public func withdrawn(for fault: ServiceFault) -> Backend {
        Backend(
            name: name, isTLS: isTLS, host: host, port: port, basePath: basePath, apiKey: nil, hardware: hardware,
            quantisation: quantisation, kind: kind, settings: settings, outOfService: fault)
    }

    /// Stands for an engine of which nothing else is known.
    public convenience init(unknown name: String, fault: ServiceFault) {
        // RFC 2606: no such name is ever found.
        self.init(
            name: name, isTLS: true, host: "unknown.invalid", port: 443, basePath: "", apiKey: nil, outOfService: fault)
    }

    public static func == (one: Backend, other: Backend) -> Bool {
        one === other
            || one.name == other.name && one.isTLS == other.isTLS && one.host == other.host && one.port == other.port
                && one.basePath == other.basePath && one.apiKey == other.apiKey && one.hardware == other.hardware
                && one.quantisation == other.quantisation && one.kind == other.kind && one.settings == other.settings
                && one.outOfService == other.outOfService
    }

    /// Names are unique in a catalogue.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// What is known of a backend beside its address; each has a default that does nothing.
public struct BackendSettings: Hashable, Sendable {
    /// Where the usage of a stream comes from.
    public enum UsageCounting: String, CaseIterable, Hashable, Sendable {
        /// The engine's last word.
        case final
        /// A count in each chunk (vLLM's `continuous_usage_stats`), cut out before the client sees it.
        case continuous
    }

    /// Whether a stream is asked for its usage.
    public enum UsageRequest: String, CaseIterable, Hashable, Sendable {
        /// Asked, and asked again without the option where the engine refuses it.
        case auto
        case never
    }

    /// Credentials for requests signed with AWS Signature Version 4.
    public struct AWSCredentials: Hashable, Sendable {
        public let accessKeyID: String
        public let secretAccessKey: String
        /// Of temporary credentials.
        public let sessionToken: String?
        /// Such as `eu-central-1`.
        public let region: String

        /// Credentials for one region.
        public init(accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil, region: String) {
            self.accessKeyID = accessKeyID
            self.secretAccessKey = secretAccessKey
            self.sessionToken = sessionToken
            self.region = region
        }
    }

    /// Where it stands, such as `eu-central-1`; empty when unknown.
    public var region = ""
    /// Azure's `api-version`; nil sends none.
    public var apiVersion: String?
    /// For Bedrock and SageMaker; nil sends `apiKey` as a bearer token. Parts that `credentials` names are empty.
    public var aws: AWSCredentials?
    /// Credentials that are not there in clear, and where they stand. Empty once a gateway has opened them.
    public var credentials: [CredentialSlot: StoredCredential] = [:]
    public var counting = UsageCounting.final
    /// How its usage differs from its kind's.
    public var usageQuirks: UsageQuirks = []
    /// Whether members that ask for usage (`stream_options` and its like) are added to requests.
    public var includeUsage = UsageRequest.auto
    /// The model's `tokenizer.json` on the gateway's disk, for usage that the engine leaves out; nil for none.
    public var tokenizerPath: String?
    /// Whether the engine's usage is compared with the gateway's own count, and the drift shown.
    public var auditsUsage = false
    /// Whether the engine is asked to count prompts that it did not report.
    public var asksForCounts = false
    /// Whether answers name the model as the engine does, not as the client asked.
    public var answersUpstreamModel = false
    /// Where its health is asked after, in place of its kind's usual path; `off` for nowhere.
    public var probePath: String?
    /// Between two questions after its health; nil for the usual time.
    public var probeSeconds: Int64?
    /// Which values of `anthropic-beta` go on to it; nil for those of its dialect.
    public var anthropicBetas: [String]?
    /// Tiers that it serves beside the base one, whether its kind has any or not: a machine of one's own for them.
    public var tiers: [String] = []
    /// Requests that it takes at once; nil for as many as come.
    public var concurrentRequestsMax: Int?
    /// Tokens of prompt and answer together that its models take; nil where nobody says. What is longer goes elsewhere
    /// where it can.
    public var contextTokensMax: Int64?
    /// Whether its own metrics are read for routing.
    public var readsMetrics = false
    /// Where its metrics stand, in place of its kind's usual place: a path on the backend's own port, or `:PORT/PATH`.
    public var metricsPath: String?

    /// Nothing known.
    public init() {}
}
