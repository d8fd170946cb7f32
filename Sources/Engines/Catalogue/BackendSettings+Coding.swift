// As the catalogue's rows and the gateway's own copy of them hold settings: what is not said is left out, so that rows
// written before a setting existed still read.

extension BackendSettings: Codable {
    private enum CodingKeys: String, CodingKey {
        case region
        case apiVersion = "api_version"
        case aws
        case credentials
        case counting = "count"
        case usageQuirks = "usage_quirks"
        case includeUsage = "include_usage"
        case tokenizerPath = "tokenizer"
        case auditsUsage = "audit_usage"
        case asksForCounts = "ask_for_counts"
        case answersUpstreamModel = "answers_upstream_model"
        case probePath = "probe"
        case probeSeconds = "probe_seconds"
        case anthropicBetas = "anthropic_betas"
        case tiers
        case concurrentRequestsMax = "concurrent_requests_max"
        case contextTokensMax = "context_tokens_max"
        case readsMetrics = "read_metrics"
        case metricsPath = "metrics_path"
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init()
        region = try values.decodeIfPresent(String.self, forKey: .region) ?? ""
        apiVersion = try values.decodeIfPresent(String.self, forKey: .apiVersion)
        aws = try values.decodeIfPresent(AWSCredentials.self, forKey: .aws)
        credentials = try values.decodeIfPresent([CredentialSlot: StoredCredential].self, forKey: .credentials) ?? [:]
        counting = try values.decodeIfPresent(UsageCounting.self, forKey: .counting) ?? .final
        usageQuirks = try values.decodeIfPresent(UsageQuirks.self, forKey: .usageQuirks) ?? []
        includeUsage = try values.decodeIfPresent(UsageRequest.self, forKey: .includeUsage) ?? .auto
        tokenizerPath = try values.decodeIfPresent(String.self, forKey: .tokenizerPath)
        auditsUsage = try values.decodeIfPresent(Bool.self, forKey: .auditsUsage) ?? false
        asksForCounts = try values.decodeIfPresent(Bool.self, forKey: .asksForCounts) ?? false
        answersUpstreamModel = try values.decodeIfPresent(Bool.self, forKey: .answersUpstreamModel) ?? false
        probePath = try values.decodeIfPresent(String.self, forKey: .probePath)
        probeSeconds = try values.decodeIfPresent(Int64.self, forKey: .probeSeconds)
        anthropicBetas = try values.decodeIfPresent([String].self, forKey: .anthropicBetas)
        tiers = try values.decodeIfPresent([String].self, forKey: .tiers) ?? []
        concurrentRequestsMax = try values.decodeIfPresent(Int.self, forKey: .concurrentRequestsMax)
        contextTokensMax = try values.decodeIfPresent(Int64.self, forKey: .contextTokensMax)
        readsMetrics = try values.decodeIfPresent(Bool.self, forKey: .readsMetrics) ?? false
        metricsPath = try values.decodeIfPresent(String.self, forKey: .metricsPath)
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        let usual = BackendSettings()
        if region != usual.region { try values.encode(region, forKey: .region) }
        try values.encodeIfPresent(apiVersion, forKey: .apiVersion)
        try values.encodeIfPresent(aws, forKey: .aws)
        if !credentials.isEmpty { try values.encode(credentials, forKey: .credentials) }
        if counting != usual.counting { try values.encode(counting, forKey: .counting) }
        if !usageQuirks.isEmpty { try values.encode(usageQuirks, forKey: .usageQuirks) }
        if includeUsage != usual.includeUsage { try values.encode(includeUsage, forKey: .includeUsage) }
        try values.encodeIfPresent(tokenizerPath, forKey: .tokenizerPath)
        if auditsUsage { try values.encode(auditsUsage, forKey: .auditsUsage) }
        if asksForCounts { try values.encode(asksForCounts, forKey: .asksForCounts) }
        if answersUpstreamModel { try values.encode(answersUpstreamModel, forKey: .answersUpstreamModel) }
        try values.encodeIfPresent(probePath, forKey: .probePath)
        try values.encodeIfPresent(probeSeconds, forKey: .probeSeconds)
        try values.encodeIfPresent(anthropicBetas, forKey: .anthropicBetas)
        if !tiers.isEmpty { try values.encode(tiers, forKey: .tiers) }
        try values.encodeIfPresent(concurrentRequestsMax, forKey: .concurrentRequestsMax)
        try values.encodeIfPresent(contextTokensMax, forKey: .contextTokensMax)
        if readsMetrics { try values.encode(readsMetrics, forKey: .readsMetrics) }
        try values.encodeIfPresent(metricsPath, forKey: .metricsPath)
    }
}

extension BackendSettings.UsageCounting: Codable {}

/// As a list of names.
extension UsageQuirks: Codable {
    public init(from decoder: any Decoder) throws {
        var list = try decoder.unkeyedContainer()
        self = []
        while !list.isAtEnd {
            let name = try list.decode(String.self)
            guard let quirk = UsageQuirks(named: name) else {
                throw DecodingError.dataCorruptedError(in: list, debugDescription: "\(name) is no usage quirk")
            }
            insert(quirk)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var list = encoder.unkeyedContainer()
        for name in textNames { try list.encode(name) }
    }
}
extension BackendSettings.UsageRequest: Codable {}

extension BackendSettings.AWSCredentials: Codable {
    private enum CodingKeys: String, CodingKey {
        case accessKeyID = "access_key_id"
        case secretAccessKey = "secret_access_key"
        case sessionToken = "session_token"
        case region
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            accessKeyID: try values.decode(String.self, forKey: .accessKeyID),
            secretAccessKey: try values.decode(String.self, forKey: .secretAccessKey),
            sessionToken: try values.decodeIfPresent(String.self, forKey: .sessionToken),
            region: try values.decode(String.self, forKey: .region))
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(accessKeyID, forKey: .accessKeyID)
        try values.encode(secretAccessKey, forKey: .secretAccessKey)
        try values.encodeIfPresent(sessionToken, forKey: .sessionToken)
        try values.encode(region, forKey: .region)
    }
}
