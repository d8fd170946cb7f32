public import Engines
public import Identity
import Pricing
public import Storage

/// What became of a catalogue that was applied.
public struct CatalogueOutcome: Sendable {
    public let changes: CatalogueStorage.Changes
    /// Models that no plan in force sells.
    public let warnings: [String]
}

extension ReadSession {
    public func backends() throws -> [Backend] {
        try look(.read(.catalogue)) { try CatalogueStorage.backends(in: $0) }
    }

    public func models() throws -> [CatalogueModel] {
        try look(.read(.catalogue)) { try CatalogueStorage.models(in: $0) }
    }

    /// What is wrong with models that no plan in force sells; nil for those of the catalogue.
    public func unsoldModels(_ models: [CatalogueModel]? = nil) throws -> [String] {
        try look(.read(.catalogue)) { tx in
            let sales = SalesCoverage(try PlanStorage.histories(in: tx).values, at: now)
            return try (models ?? CatalogueStorage.models(in: tx)).compactMap {
                sales.warning(model: $0.publicName, priceKey: $0.priceKey)
            }
        }
    }
}

extension WriteSession {
    /// Makes the catalogue exactly this: what is missing goes. Applying it again changes nothing. Credentials in clear
    /// are encrypted where there is a key.
    public func applyCatalogue(
        backends: [Backend], models: [CatalogueModel], sealedBy keyring: SecretKeyring? = nil
    ) throws -> CatalogueOutcome {
        let backends =
            keyring.map { keyring in
                backends.map { $0.sealed(by: keyring, nonce: SecretNonce.fresh) }
            } ?? backends
        let changes = try change(.catalogueUpdated) { tx in
            try CatalogueStorage.lock(in: tx)
            let before = try CatalogueFacts(in: tx)
            let changes = try CatalogueStorage.apply(backends: backends, models: models, now: now, in: tx)
            guard !changes.isEmpty else { return .nothing(changes) }
            let after = try CatalogueFacts(in: tx)
            return .made(
                changes,
                .seller(
                    "catalogue", before: before.facts(of: changes.changed + changes.removed),
                    after: after.facts(of: changes.added + changes.changed, changes)))
        }
        return CatalogueOutcome(changes: changes, warnings: try unsoldModels(models))
    }
}

/// Backends and models by the names that changes have: `backend engine-1`, `model sim-small`.
private struct CatalogueFacts {
    private var byName: [String: Facts] = [:]

    init(in tx: DatabaseTransaction) throws {
        for backend in try CatalogueStorage.backends(in: tx) { byName["backend \(backend.name)"] = backend.facts }
        for model in try CatalogueStorage.models(in: tx) { byName["model \(model.publicName)"] = model.facts }
    }

    /// What is touched, and what became of it.
    func facts(of names: [String], _ changes: CatalogueStorage.Changes? = nil) -> Facts {
        func list(_ kind: String) -> Facts.Value {
            .list(names.filter { $0.hasPrefix(kind) }.sorted().compactMap { byName[$0].map { .facts($0) } })
        }
        let things: Facts = ["backends": list("backend "), "models": list("model ")]
        guard let changes else { return things }
        let outcome: Facts = [
            "added": .texts(changes.added), "changed": .texts(changes.changed), "removed": .texts(changes.removed),
        ]
        return outcome.adding(things)
    }
}
