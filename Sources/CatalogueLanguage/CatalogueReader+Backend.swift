import Engines
import StrictYAML

// One entry of `backends`.

/// Whose name for the model answers carry.
private enum AnswerModel: String, CaseIterable { case client, upstream }

extension CatalogueReader {
    private static let backendKeys = [
        "name", "url", "kind", "api_key", "api_key_env", "secret", "hardware", "quantisation", "region", "api_version",
        "aws", "count", "include_usage", "usage_quirks", "tokenizer", "audit_usage", "ask_for_counts", "answer_model",
        "probe", "probe_seconds", "anthropic_betas", "tiers", "concurrent_requests_max",
        "context_tokens_max", "read_metrics", "metrics_path",
    ]

    mutating func backend(_ node: YAMLNode, path: String) -> Backend? {
        let members = members(of: node, path: path, known: Self.backendKeys)
        let name = text(members, "name", path, node)
        let url = text(members, "url", path, node)
        if let name, !isSlug(name) {
            report("\(path).name", node, "\"\(name)\" must be lowercase letters, digits and dashes, at most 63")
        }
        let key = credential(.apiKey, members, secretKey: "secret", path, node)
        let hardware = text(members, "hardware", path, node, default: "")
        let quantisation = text(members, "quantisation", path, node, default: "")
        let kind = choice(members, "kind", path, default: EngineKind.openAICompatible)
        var settings = settings(members, kind: kind, path: path, node)
        let signing = aws(members, kind: kind, path: path, node, into: &settings)
        if case .secret(let name)? = key { settings.credentials[.apiKey] = .secret(name: name) }
        guard let name, let url, let hardware, let quantisation else { return nil }
        do throws(BackendURLError) {
            let backend = try Backend(
                name: name, baseURL: url, apiKey: key?.value, hardware: hardware, quantisation: quantisation,
                kind: kind, settings: settings)
            checkVariables([key] + signing, of: backend)
            return backend
        } catch {
            report("\(path).url", members["url"] ?? node, error.description)
            return nil
        }
    }

    private mutating func settings(
        _ members: [String: YAMLNode], kind: EngineKind, path: String, _ node: YAMLNode
    ) -> BackendSettings {
        var settings = BackendSettings()
        settings.region = text(members, "region", path, node, default: "") ?? ""
        if members["api_version"] != nil { settings.apiVersion = text(members, "api_version", path, node) }
        settings.counting = choice(members, "count", path, default: .final)
        if settings.counting == .continuous, !kind.takesContinuousCounts {
            report("\(path).count", members["count"] ?? node, "\(kind.rawValue) has no running count; leave it out")
        }
        settings.usageQuirks = usageQuirks(members, path)
        settings.includeUsage = choice(members, "include_usage", path, default: .auto)
        if settings.counting == .continuous, settings.includeUsage == .never {
            report(
                "\(path).include_usage", members["include_usage"] ?? node, "count: continuous needs it; leave one out")
        }
        settings.tokenizerPath = absolutePath(members, "tokenizer", path, node)
        settings.auditsUsage = truth(members, "audit_usage", path)
        if settings.auditsUsage, settings.tokenizerPath == nil {
            report("\(path).audit_usage", members["audit_usage"] ?? node, "an own count needs tokenizer")
        }
        settings.asksForCounts = truth(members, "ask_for_counts", path)
        if settings.asksForCounts, !kind.answersCountQuestions {
            let able = EngineKind.allCases.filter(\.answersCountQuestions).map(\.rawValue).joined(separator: ", ")
            report(
                "\(path).ask_for_counts", members["ask_for_counts"] ?? node,
                "\(kind.rawValue) cannot be asked; only \(able) can")
        }
        settings.answersUpstreamModel = choice(members, "answer_model", path, default: AnswerModel.client) == .upstream
        readProbe(members, path: path, node, into: &settings)
        settings.anthropicBetas = anthropicBetas(members, kind: kind, path)
        settings.tiers = tiers(members, path)
        settings.concurrentRequestsMax =
            number(members, "concurrent_requests_max", path, 1...1_000_000).map { Int($0) }
        settings.contextTokensMax = number(members, "context_tokens_max", path, 1...1_000_000_000)
        readMetrics(members, kind: kind, path: path, node, into: &settings)
        return settings
    }

    private mutating func usageQuirks(_ members: [String: YAMLNode], _ path: String) -> UsageQuirks {
        guard let node = members["usage_quirks"] else { return [] }
        let path = "\(path).usage_quirks"
        let known = UsageQuirks.allNames.joined(separator: ", ")
        guard let list = node.sequence else {
            report(path, node, "a list must stand here, of \(known)")
            return []
        }
        var quirks: UsageQuirks = []
        for (index, item) in list.enumerated() {
            if let quirk = item.text.flatMap({ UsageQuirks(named: $0) }) {
                quirks.insert(quirk)
            } else {
                report("\(path)[\(index)]", item, "\"\(item.text ?? "?")\" is not known; known are \(known)")
            }
        }
        if let (one, other) = quirks.conflict { report(path, node, "\(one) and \(other) cannot both be true") }
        return quirks
    }

    private mutating func readProbe(
        _ members: [String: YAMLNode], path: String, _ node: YAMLNode, into settings: inout BackendSettings
    ) {
        settings.probeSeconds = number(members, "probe_seconds", path, 1...3600)
        guard let place = members["probe"], let text = text(members, "probe", path, node) else { return }
        guard text == Backend.noProbe || text.hasPrefix("/") && MetricsPlace(text) != nil else {
            return report("\(path).probe", place, "a path such as /health, or off, must stand here")
        }
        settings.probePath = text
    }

    private mutating func readMetrics(
        _ members: [String: YAMLNode], kind: EngineKind, path: String, _ node: YAMLNode,
        into settings: inout BackendSettings
    ) {
        settings.readsMetrics = truth(members, "read_metrics", path)
        if settings.readsMetrics, kind.metricsPath == nil {
            report(
                "\(path).read_metrics", members["read_metrics"] ?? node,
                "\(kind.rawValue) shows no metrics; leave it out")
        }
        guard let place = members["metrics_path"] else { return }
        guard let text = text(members, "metrics_path", path, node) else { return }
        guard MetricsPlace(text) != nil else {
            report(
                "\(path).metrics_path", place,
                "a path such as /metrics, or one on another port such as :8002/metrics, must stand here")
            return
        }
        if !settings.readsMetrics {
            report("\(path).metrics_path", place, "it does nothing without read_metrics: true")
        }
        if kind == .tensorRTLLM, text.hasSuffix("/metrics"), !text.hasSuffix("/prometheus/metrics") {
            report(
                "\(path).metrics_path", place,
                "reading trtllm-serve's /metrics takes its figures away from others; use /prometheus/metrics")
        }
        settings.metricsPath = text
    }

    /// The credentials that requests are signed with, as they stand in the file.
    private mutating func aws(
        _ members: [String: YAMLNode], kind: EngineKind, path: String, _ node: YAMLNode,
        into settings: inout BackendSettings
    ) -> [Credential?] {
        guard let block = members["aws"] else {
            let isOpen = ["api_key", "api_key_env", "secret"].contains { members[$0] != nil }
            if kind == .sageMaker || (kind == .bedrock && !isOpen) {
                report("\(path).aws", node, "\(kind.rawValue) needs credentials: region, access_key_id and secret")
            }
            return []
        }
        let path = "\(path).aws"
        guard kind.takesAWSCredentials else {
            report(path, block, "only bedrock and sagemaker take AWS credentials; this backend is \(kind.rawValue)")
            return []
        }
        let known = [
            "region", "access_key_id", "access_key_id_env", "access_key_id_secret", "secret_access_key_env",
            "secret_access_key_secret", "session_token_env", "session_token_secret",
        ]
        let values = self.members(of: block, path: path, known: known)
        let region = text(values, "region", path, block)
        if !["access_key_id", "access_key_id_env", "access_key_id_secret"].contains(where: { values[$0] != nil }) {
            report("\(path).access_key_id", block, "the key is missing")
        }
        if values["secret_access_key_env"] == nil, values["secret_access_key_secret"] == nil {
            report(
                "\(path).secret_access_key_env", block,
                "the key is missing: the environment variable's name, or a secret's as secret_access_key_secret")
        }
        let slots: [CredentialSlot] = [.accessKeyID, .secretAccessKey, .sessionToken]
        let read = slots.map { credential($0, values, secretKey: "\($0.rawValue)_secret", path, block) }
        guard let region, read[0] != nil, read[1] != nil else { return read }
        for case (let slot, .secret(let name)?) in zip(slots, read) { settings.credentials[slot] = .secret(name: name) }
        settings.aws = BackendSettings.AWSCredentials(
            accessKeyID: read[0]?.value ?? "", secretAccessKey: read[1]?.value ?? "", sessionToken: read[2]?.value,
            region: region)
        return read
    }

    private mutating func absolutePath(
        _ members: [String: YAMLNode], _ key: String, _ path: String, _ parent: YAMLNode
    ) -> String? {
        guard let node = members[key], let text = text(members, key, path, parent) else { return nil }
        guard text.hasPrefix("/") else {
            report("\(path).\(key)", node, "an absolute path on the gateways' disks must stand here")
            return nil
        }
        return text
    }
}
