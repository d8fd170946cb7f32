import Accounts
import Billing
import CatalogueLanguage
import Engines
import Storage

/// Backends and models: what clients may name, and what serves it.
enum CatalogueEndpoints {
    private static let changes: Schema = .object(
        [
            .required("added", .list(.text(), "Such as `model sim-small`.", countMax: 100_000)),
            .required("changed", .list(.text(), countMax: 100_000)),
            .required("removed", .list(.text(), countMax: 100_000)),
            .required(
                "warnings",
                .list(
                    .text(lengths: 0...10_000),
                    "Models that no plan in force sells: their usage would wait in suspense.",
                    countMax: 100_000)),
        ], named: "CatalogueChanges")

    static func all(_ services: AdminServices) -> [Endpoint] { [backends, models, apply(services)] }

    private static let backends = Endpoint(
        .get, "/v1/backends", "listBackends", tag: "Catalogue", "List backends", access: .role(.viewer),
        successes: [.json(200, "All of them, by name.", CatalogueShapes.backend.listSchema)],
        work: .look { _, session in
            .ok(["data": .array(try session.backends().map(CatalogueShapes.backend.json))])
        })

    private static let models = Endpoint(
        .get, "/v1/models", "listModels", tag: "Catalogue", "List models", access: .role(.viewer),
        successes: [.json(200, "All of them, by name.", CatalogueShapes.model.listSchema)],
        work: .look { _, session in
            .ok(["data": .array(try session.models().map(CatalogueShapes.model.json))])
        })

    private static func apply(_ services: AdminServices) -> Endpoint {
        Endpoint(
            .put, "/v1/catalogue", "applyCatalogue", tag: "Catalogue", "Make the catalogue exactly this document",
            description: "Send the YAML of backends and models as it is (`application/yaml`) or as "
                + "`{\"document\": \"…\"}`. What is missing from it is removed. Applying it again changes nothing.",
            access: .role(.admin), body: .document("The YAML.", named: "CatalogueInput"),
            successes: [.json(200, "What changed.", changes)], problems: [422],
            work: .change { call, session in
                let catalogue = try services.catalogue(try call.body.required("document"))
                let outcome = try session.applyCatalogue(
                    backends: catalogue.backends, models: catalogue.models, sealedBy: try services.keyring())
                let changes = outcome.changes
                func list(_ names: [String]) -> JSONValue { .array(names.map { .string($0) }) }
                return .ok([
                    "added": list(changes.added), "changed": list(changes.changed), "removed": list(changes.removed),
                    "warnings": list(outcome.warnings),
                ])
            })
    }
}
