import Engines
import Identity
import Monetary

/// How backends and models are shown: never a key, a secret or a token.
enum CatalogueShapes {
    static let backend = Shape<Backend>(
        "Backend", "An inference engine behind the gateways.",
        [
            .init("name", .text()) { .string($0.name) },
            .init("kind", .choice(EngineKind.self, "Which system it is.")) { .string($0.kind.rawValue) },
            .init("url", .text("Where it listens.", lengths: 1...10_000)) { .string($0.baseURL) },
            .init("has_api_key", .boolean("Whether gateways send it a key; the key itself is never shown.")) {
                .boolean($0.hasAPIKey)
            },
            .init("secrets", .list(.text(), "The secrets that it names.", countMax: 4)) {
                texts(Set($0.secretNames.values).sorted())
            },
            .init("unreadable", .text("Why its row does not read; null as it should be.", lengths: 1...10_000).nullable)
            {
                text($0.outOfService?.reason)
            },
            .init("hardware", .text("Empty when unknown.", lengths: 0...1024)) { .string($0.hardware) },
            .init("quantisation", .text("Empty when unknown.", lengths: 0...1024)) { .string($0.quantisation) },
        ] + settings)

    private static let settings: [Shape<Backend>.Field] = [
        .init("region", .text("Empty when unknown.", lengths: 0...1024)) { .string($0.settings.region) },
        .init("api_version", .text("Azure's `api-version`.", lengths: 1...1024).nullable) {
            text($0.settings.apiVersion)
        },
        .init("aws_region", .text("Where signed requests go; null: they are not signed.", lengths: 1...1024).nullable) {
            text($0.settings.aws?.region)
        },
        .init("count", .choice(BackendSettings.UsageCounting.self, "Where a stream's usage comes from.")) {
            .string($0.settings.counting.rawValue)
        },
        .init(
            "include_usage",
            .choice(BackendSettings.UsageRequest.self, "Whether `stream_options` and its like are added to requests.")
        ) { .string($0.settings.includeUsage.rawValue) },
        .init("tokenizer", .text("The tokenizer's file on the gateways' disks.", lengths: 1...1024).nullable) {
            text($0.settings.tokenizerPath)
        },
        .init("audit_usage", .boolean("Whether its usage is compared with an own count.")) {
            .boolean($0.settings.auditsUsage)
        },
        .init("ask_for_counts", .boolean("Whether it is asked to count prompts that it did not report.")) {
            .boolean($0.settings.asksForCounts)
        },
        .init(
            "anthropic_betas",
            .list(.text(), "Which values of `anthropic-beta` go on to it; null: those of its dialect.", countMax: 100)
                .nullable
        ) { $0.settings.anthropicBetas.map(texts) ?? .null },
        .init(
            "tiers", .list(.text(), "The tiers that it serves beside the base one.", countMax: 16)
        ) { texts($0.settings.tiers) },
        .init("concurrent_requests_max", .integer("Null: as many as come.", in: 1...1_000_000).nullable) {
            $0.settings.concurrentRequestsMax.map { .integer(Int128($0)) } ?? .null
        },
        .init(
            "context_tokens_max",
            .integer("Prompt and answer together that its models take. Null: unknown.", in: 1...1_000_000_000).nullable
        ) {
            $0.settings.contextTokensMax.map { .integer(Int128($0)) } ?? .null
        },
        .init("read_metrics", .boolean("Whether its own metrics are read for routing.")) {
            .boolean($0.settings.readsMetrics)
        },
        .init("metrics_path", .text("Null: where its kind usually has them.", lengths: 1...1024).nullable) {
            text($0.settings.metricsPath)
        },
    ]

    private static let route = Shape<ModelRoute>(
        "Route", "One backend that serves a model.",
        [
            .init("backend", .text()) { .string($0.backend.name) },
            .init("upstream_name", .text("What the backend calls the model.", lengths: 1...1024)) {
                .string($0.upstreamName)
            },
            .init("weight", .integer("Its share; 0: only when no other is left.")) { .integer(Int128($0.weight)) },
            .init("input_cost", .money("US dollars per million tokens of input; null: unknown.").nullable) {
                price($0.inputCostPicounits)
            },
            .init("output_cost", .money("US dollars per million tokens of output; null: unknown.").nullable) {
                price($0.outputCostPicounits)
            },
        ])

    static let model = Shape<CatalogueModel>(
        "Model", "A model that clients may name.",
        [
            .init("name", .text("What clients write.")) { .string($0.publicName) },
            .init("aliases", .list(.text())) { .array($0.aliases.map { .string($0) }) },
            .init("routes", .list(route.schema, "What serves it, as the document lists them.")) {
                .array($0.routes.map(route.json))
            },
            .init("prefer", .choice(RoutingRules.Preference.self, "What comes first among its routes.")) {
                .string($0.routing.preference.rawValue)
            },
            .init("regions_allowed", .list(.text(), "Empty: all.")) { texts($0.routing.regionsAllowed) },
            .init("quantisations_allowed", .list(.text(), "Empty: all.")) { texts($0.routing.quantisationsAllowed) },
            .init("tries_max", .integer("Tries of one request, the first among them.", in: 1...10)) {
                .integer(Int128($0.routing.triesMax))
            },
            .init("price_key", .text("Under which plans price it.")) { .string($0.priceKey) },
            .init("context_tokens", .integer("Prompt and answer together.")) {
                .integer(Int128($0.contextTokensMax))
            },
            .init("output_tokens", .integer("Of one answer.")) { .integer(Int128($0.outputTokensMax)) },
            .init("tenants_allowed", .list(.id(TenantID.self), "Null: every tenant.", countMax: 100_000).nullable) {
                $0.tenantsAllowed.map { .array($0.sorted().map { .string("\($0)") }) } ?? .null
            },
            .init("created_at", .instant("When it joined the catalogue.")) {
                .string("\(Timestamp(milliseconds: $0.createdAtSeconds * 1000))")
            },
        ])

    private static func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }

    private static func texts(_ values: [String]) -> JSONValue { .array(values.map { .string($0) }) }

    private static func price(_ picounits: Int64?) -> JSONValue {
        guard let picounits, let price = try? UnitPrice(picounits: picounits) else { return .null }
        return .string(price.description)
    }
}
