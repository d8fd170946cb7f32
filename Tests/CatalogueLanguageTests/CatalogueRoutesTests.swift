import CatalogueLanguage
import Engines
import Testing

struct CatalogueRoutesTests {
    private let whole = """
        backends:
          - name: own
            url: http://10.0.0.1:8000
            kind: vllm
            region: eu-central-1
            quantisation: fp8
            count: continuous
            tokenizer: /var/lib/tokenizers/a.json
            audit_usage: true
            ask_for_counts: true
            concurrent_requests_max: 64
            read_metrics: true
            metrics_path: ":9400/metrics"
          - name: cloud
            url: https://bedrock-runtime.eu-west-1.amazonaws.com
            kind: bedrock
            region: eu-west-1
            aws: {region: eu-west-1, access_key_id: AKIA1, secret_access_key_env: TOLLGATE_BACKEND_A, \
        session_token_env: TOLLGATE_BACKEND_B}
          - name: azure
            url: https://res.openai.azure.com
            kind: azure
            api_version: "2026-01-01"
        models:
          - name: large
            routes:
              - {backend: own, weight: 3, cost: {input: "0.1", output: "0.25"}}
              - {backend: cloud, upstream_name: vendor.large-v1, weight: 0, cost: {input: "3", output: "15"}}
            routing:
              prefer: price
              regions_allowed: [eu-central-1, eu-west-1]
              tries_max: 2
            context_tokens: 8192
            output_tokens: 4096
          - name: small
            backend: azure
            upstream_name: small-deployment
            context_tokens: 8192
            output_tokens: 4096
        """

    private let environment = ["TOLLGATE_BACKEND_A": "s3cret", "TOLLGATE_BACKEND_B": "t0ken"]

    private func findings(_ yaml: String) throws -> [CatalogueFinding] {
        do {
            _ = try CatalogueDocument(yaml: yaml, environment: environment)
            return []
        } catch {
            return error.findings
        }
    }

    @Test func `a file's backends have their kinds and settings`() throws {
        let document = try CatalogueDocument(yaml: whole, environment: environment)
        let backends = Dictionary(uniqueKeysWithValues: document.backends.map { ($0.name, $0) })
        let own = try #require(backends["own"])
        #expect(own.kind == .vllm && own.settings.region == "eu-central-1" && own.settings.counting == .continuous)
        #expect(own.settings.tokenizerPath == "/var/lib/tokenizers/a.json" && own.settings.auditsUsage)
        #expect(own.settings.asksForCounts && own.settings.concurrentRequestsMax == 64)
        #expect(own.metricsPlace?.port == 9400 && own.metricsPlace?.path == "/metrics")
        #expect(
            backends["cloud"]?.settings.aws
                == BackendSettings.AWSCredentials(
                    accessKeyID: "AKIA1", secretAccessKey: "s3cret", sessionToken: "t0ken", region: "eu-west-1"))
        #expect(backends["azure"]?.settings.apiVersion == "2026-01-01")
    }

    @Test func `a backend may say how much context its models take`() throws {
        func yaml(_ tokens: String) -> String {
            "backends: [{name: a, url: 'http://h', context_tokens_max: \(tokens)}]\nmodels: []"
        }
        let document = try CatalogueDocument(yaml: yaml("32768"), environment: [:])
        #expect(document.backends.first?.settings.contextTokensMax == 32_768)
        for wrong in ["0", "many", "1.5"] {
            #expect(try findings(yaml(wrong)).map(\.path) == ["backends[0].context_tokens_max"])
        }
    }

    @Test func `a backend may say how its usage differs`() throws {
        func yaml(_ quirks: String) -> String {
            "backends: [{name: a, url: 'http://h', usage_quirks: \(quirks)}]\nmodels: []"
        }
        let document = try CatalogueDocument(yaml: yaml("[thoughts_in_total, cost_is_fee]"), environment: [:])
        #expect(document.backends.first?.settings.usageQuirks == [.thoughtsInTotal, .costIsFee])
        #expect(try findings(yaml("[input_includes_cash]")).map(\.path) == ["backends[0].usage_quirks[0]"])
        for wrong in ["cost_is_fee", "[input_includes_cache, input_excludes_cache]"] {
            #expect(try findings(yaml(wrong)).map(\.path) == ["backends[0].usage_quirks"])
        }
    }

    @Test func `a file's models have their routes, costs and rules`() throws {
        let models = try CatalogueDocument(yaml: whole, environment: environment).models
        let large = try #require(models.first)
        #expect(large.routes.map(\.backend.name) == ["own", "cloud"] && large.routes.map(\.weight) == [3, 0])
        #expect(large.routes.map(\.upstreamName) == ["large", "vendor.large-v1"])
        // US dollars per million tokens are 10^-12 US dollars per token, times a million.
        #expect(large.routes.map(\.inputCostPicounits) == [100_000, 3_000_000])
        #expect(large.routes.map(\.outputCostPicounits) == [250_000, 15_000_000])
        #expect(large.routing.preference == .price && large.routing.triesMax == 2)
        #expect(large.routing.regionsAllowed == ["eu-central-1", "eu-west-1"])
        let small = try #require(models.last)
        #expect(small.routes == [ModelRoute(backend: small.backend, upstreamName: "small-deployment")])
        #expect(small.routing == RoutingRules())
    }

    @Test(arguments: EngineKind.allCases.filter { $0 != .sageMaker && $0 != .bedrock })
    func `each kind is known by its name`(kind: EngineKind) throws {
        let yaml = "backends: [{name: a, url: 'http://h', kind: \(kind.rawValue)}]\nmodels: []"
        #expect(try CatalogueDocument(yaml: yaml, environment: [:]).backends.first?.kind == kind)
    }

    @Test(arguments: [
        ("kind: vllm", "kind: wllm", "backends[0].kind", 4),
        ("count: continuous", "count: often", "backends[0].count", 7),
        ("tokenizer: /var", "tokenizer: var", "backends[0].tokenizer", 8),
        ("audit_usage: true", "audit_usage: maybe", "backends[0].audit_usage", 9),
        ("concurrent_requests_max: 64", "concurrent_requests_max: 0", "backends[0].concurrent_requests_max", 11),
        ("read_metrics: true", "read_metrics: false", "backends[0].metrics_path", 13),
        ("\":9400/metrics\"", "\"9400\"", "backends[0].metrics_path", 13),
        ("kind: vllm", "kind: groq", "backends[0].count", 7),
        ("kind: vllm", "kind: groq", "backends[0].ask_for_counts", 10),
        ("kind: vllm", "kind: groq", "backends[0].read_metrics", 12),
        ("kind: vllm", "kind: trtllm-serve", "backends[0].metrics_path", 13),
        ("kind: azure", "kind: sagemaker", "backends[2].aws", 19),
        ("kind: bedrock", "kind: openai", "backends[1].aws", 18),
        ("TOLLGATE_BACKEND_A,", "TOLLGATE_BACKEND_NONE,", "backends[1].aws.secret_access_key_env", 18),
        ("access_key_id: AKIA1, ", "", "backends[1].aws.access_key_id", 18),
        ("weight: 3", "weight: -1", "models[0].routes[0].weight", 26),
        ("backend: own", "backend: mine", "models[0].routes[0].backend", 26),
        ("\"0.1\"", "\"0.1e3\"", "models[0].routes[0].cost.input", 26),
        (", cost: {input: \"3\", output: \"15\"}", "", "models[0].routing.prefer", 29),
        ("input: \"3\", ", "", "models[0].routes[1].cost.input", 27),
        ("backend: cloud, upstream_name: vendor.large-v1", "backend: own", "models[0].routes[1]", 27),
        ("prefer: price", "prefer: beauty", "models[0].routing.prefer", 29),
        ("[eu-central-1, eu-west-1]", "[us-east-1]", "models[0].routing", 29),
        ("tries_max: 2", "tries_max: 11", "models[0].routing.tries_max", 31),
        ("routing:\n", "backend: own\n    routing:\n", "models[0].backend", 28),
    ])
    func `what is wrong is found where it stands`(old: String, new: String, path: String, line: Int) throws {
        let text = whole.replacing(old, with: new, maxReplacements: 1)
        #expect(text != whole)
        let found = try findings(text)
        #expect(found.contains { $0.path == path && $0.line == line }, "\(found)")
    }
}
