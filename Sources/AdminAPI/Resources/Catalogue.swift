import Accounts
import Engines
import Identity
import Storage

/// Backends and models: what clients may name, and what serves it.
enum CatalogueEndpoints {
    private static let backend = Shape<Backend>(
        "Backend", "An inference engine behind the gateways.",
        [
            .init("name", .text()) { .string($0.name) },
            .init("url", .text("Where it listens.", lengths: 1...10_000)) { .string($0.baseURL) },
            .init("has_api_key", .boolean("Whether gateways send it a key; the key itself is never shown.")) {
                .boolean($0.apiKey != nil)
            },
            .init("hardware", .text("Empty when unknown.", lengths: 0...255)) { .string($0.hardware) },
            .init("quantisation", .text("Empty when unknown.", lengths: 0...255)) { .string($0.quantisation) },
        ])

    private static let model = Shape<CatalogueModel>(
        "Model", "A model that clients may name.",
        [
            .init("name", .text("What clients write.")) { .string($0.publicName) },
            .init("aliases", .list(.text())) { .array($0.aliases.map { .string($0) }) },
            .init("backend", .text("The backend that serves it.")) { .string($0.backend.name) },
            .init("upstream_name", .text("What the backend calls it.")) { .string($0.upstreamName) },
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

    private static let changes: Schema = .object(
        [
            .required("added", .list(.text(), "Such as `model sim-small`.", countMax: 100_000)),
            .required("changed", .list(.text(), countMax: 100_000)),
            .required("removed", .list(.text(), countMax: 100_000)),
        ], named: "CatalogueChanges")

    static func all(_ services: AdminServices) -> [Endpoint] { [backends, models, apply(services)] }

    private static let backends = Endpoint(
        .get, "/v1/backends", "listBackends", tag: "Catalogue", "List backends", access: .role(.viewer),
        successes: [.json(200, "All of them, by name.", backend.listSchema)],
        work: .read { _, tx in
            .ok(["data": .array(try CatalogueStorage.backends(in: tx).map(backend.json))])
        })

    private static let models = Endpoint(
        .get, "/v1/models", "listModels", tag: "Catalogue", "List models", access: .role(.viewer),
        successes: [.json(200, "All of them, by name.", model.listSchema)],
        work: .read { _, tx in .ok(["data": .array(try CatalogueStorage.models(in: tx).map(model.json))]) })

    private static func apply(_ services: AdminServices) -> Endpoint {
        Endpoint(
            .put, "/v1/catalogue", "applyCatalogue", tag: "Catalogue", "Make the catalogue exactly this document",
            description: "Send the YAML of backends and models as it is (`application/yaml`) or as "
                + "`{\"document\": \"…\"}`. What is missing from it is removed. Applying it again changes nothing.",
            access: .role(.admin), body: .document("The YAML.", named: "CatalogueInput"),
            successes: [.json(200, "What changed.", changes)], problems: [422],
            work: .write { call, tx in
                let catalogue = try read(try call.body.required("document"), services)
                let changes = try CatalogueStorage.apply(
                    backends: catalogue.backends, models: catalogue.models, now: call.now, in: tx)
                func list(_ names: [String]) -> JSONValue { .array(names.map { .string($0) }) }
                return .ok([
                    "added": list(changes.added), "changed": list(changes.changed), "removed": list(changes.removed),
                ])
            })
    }

    private static func read(_ text: String, _ services: AdminServices) throws -> AdminServices.Catalogue {
        do {
            return try services.readCatalogue(text)
        } catch {
            throw DocumentRejection(String(describing: error))
        }
    }
}
