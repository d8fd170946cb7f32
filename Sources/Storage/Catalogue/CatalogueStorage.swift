public import Engines
import Foundation
public import Identity
public import Postgres

/// A catalogue that names secrets which are not there or may not be sent where its backends stand.
public struct CatalogueRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    public let findings: [String]

    public var description: String { findings.joined(separator: "\n") }
}

/// Backends and models: what clients may name, and what serves it.
public enum CatalogueStorage {
    /// What applying a catalogue changed, by name.
    public struct Changes: Hashable, Sendable {
        public var added: [String] = []
        public var changed: [String] = []
        public var removed: [String] = []

        /// Whether everything was so already.
        public var isEmpty: Bool { added.isEmpty && changed.isEmpty && removed.isEmpty }
    }

    /// Makes the catalogue exactly this: what is missing from it is removed. Applying it again changes nothing.
    @discardableResult
    public static func apply(
        backends: [Backend], models: [CatalogueModel], now: Timestamp, in tx: Transaction
    ) throws -> Changes {
        try lock(in: tx)
        try requireSecrets(of: backends, in: tx)
        var changes = Changes()
        let oldBackends = Dictionary(uniqueKeysWithValues: try self.backends(in: tx).map { ($0.name, $0) })
        let oldModels = Dictionary(uniqueKeysWithValues: try self.models(in: tx).map { ($0.publicName, $0) })
        for backend in backends.sorted(by: { $0.name < $1.name }) {
            let old = oldBackends[backend.name]
            let backend = old.map(backend.keepingSeals) ?? backend
            guard old != backend else { continue }
            let label = "backend \(backend.name)"
            if old == nil { changes.added.append(label) } else { changes.changed.append(label) }
            try upsert(backend, now: now, in: tx)
        }
        for model in models.sorted(by: { $0.publicName < $1.publicName }) {
            let old = oldModels[model.publicName]
            if let old, old.terms == model.terms { continue }
            let label = "model \(model.publicName)"
            if old == nil { changes.added.append(label) } else { changes.changed.append(label) }
            try upsert(model, now: now, in: tx)
        }
        let modelNames = models.map(\.publicName)
        let backendNames = backends.map(\.name)
        changes.removed += oldModels.keys.filter { !modelNames.contains($0) }.sorted().map { "model \($0)" }
        changes.removed += oldBackends.keys.filter { !backendNames.contains($0) }.sorted().map { "backend \($0)" }
        try tx.execute("DELETE FROM catalogue_models WHERE NOT model = ANY(\(modelNames)::text[])")
        try tx.execute("DELETE FROM backends WHERE NOT backend = ANY(\(backendNames)::text[])")
        try moveLimitsFromAliases(in: tx)
        if !changes.isEmpty { try ChangeStorage.record(.catalogue, entity: "catalogue", in: tx) }
        return changes
    }

    /// One change of backends or secrets at a time, until the transaction ends.
    public static func lock(in tx: Transaction) throws {
        try tx.execute("SELECT pg_advisory_xact_lock(hashtext('tollgate.catalogue'))")
    }

    /// Encrypts what is kept with backends under the keyring's first key; the number of backends that changed.
    static func reseal(by keyring: SecretKeyring, now: Timestamp, in tx: Transaction) throws -> Int {
        var count = 0
        for backend in try backends(in: tx) {
            let resealed: Backend
            do throws(CredentialProblem) {
                resealed = try backend.resealed(by: keyring, nonce: SecretNonce.fresh)
            } catch {
                throw StorageError.conflict("backend \(backend.name): \(error)")
            }
            guard resealed != backend else { continue }
            try upsert(resealed, now: now, in: tx)
            count += 1
        }
        return count
    }

    private static func requireSecrets(of backends: [Backend], in tx: Transaction) throws {
        let hosts = try SecretStorage.hosts(in: tx)
        let findings = backends.compactMap { backend -> String? in
            do throws(CredentialProblem) {
                try backend.checkSecrets(hosts)
                return nil
            } catch {
                return "backend \(backend.name): \(error)"
            }
        }
        guard findings.isEmpty else { throw CatalogueRefusal(findings: findings) }
    }

    /// A model's own name, by it or by an alias; nil for a name that the catalogue does not have.
    public static func ownName(of name: String, in tx: Transaction) throws -> String? {
        try tx.query(
            """
            SELECT model FROM catalogue_models WHERE model = \(name) OR \(name) = ANY(aliases)
            ORDER BY model <> \(name), model LIMIT 1
            """
        ).first.map { try $0.decode("model") }
    }

    /// A model that was given another name and keeps its old one as an alias keeps its limits. Of several that would
    /// become the same limit the strictest moves; the others stay as they are, listed under their alias.
    private static func moveLimitsFromAliases(in tx: Transaction) throws {
        // The catalogue and the accounts' rows may be on different nodes: no statement joins them.
        var ownName: [String: String] = [:]
        let aliases = try tx.query(
            """
            SELECT alias, model FROM catalogue_models, unnest(aliases) AS a(alias)
            WHERE NOT EXISTS (SELECT 1 FROM catalogue_models o WHERE o.model = alias) ORDER BY model DESC
            """)
        for row in aliases { ownName[try row.decode("alias")] = try row.decode("model") }
        guard !ownName.isEmpty else { return }
        let candidates = try tx.query(
            """
            SELECT account_id, limit_id, model, scope_id, kind, is_shadow FROM limits
            WHERE model = ANY(\(Array(ownName.keys))::text[]) ORDER BY account_id, value, limit_id
            """)
        for row in candidates {
            let (account, id): (AccountID, LimitID) = (try row.decode("account_id"), try row.decode("limit_id"))
            guard let name = ownName[try row.decode("model")] else { continue }
            let moved = try tx.execute(
                """
                UPDATE limits SET model = \(name) WHERE account_id = \(account) AND limit_id = \(id)
                    AND NOT EXISTS (
                        SELECT 1 FROM limits t
                        WHERE t.account_id = \(account) AND t.scope_id = \(try row.decode("scope_id", as: UUIDv7.self))
                            AND t.model = \(name) AND t.kind = \(try row.decode("kind", as: String.self))
                            AND t.is_shadow = \(try row.decode("is_shadow", as: Bool.self))
                    )
                """)
            if moved == 1 { try ChangeStorage.record(.limit, entity: id.description, in: tx) }
        }
    }

    /// All backends, by name.
    public static func backends(in tx: Transaction) throws -> [Backend] {
        try tx.query(
            """
            SELECT backend, base_url, api_key, hardware, quantisation, kind, settings::text AS settings
            FROM backends
            ORDER BY backend
            """
        ).map { row in
            let name = try row.decode("backend", as: String.self)
            switch try UnreadableRow.reading({ try backend(row) }) {
            case .success(let backend): return backend
            case .failure(let error):
                return Backend(unknown: name, fault: .unreadable(.backend, name, error.reason))
            }
        }
    }

    /// All models with the routes that serve them, by public name.
    public static func models(in tx: Transaction) throws -> [CatalogueModel] {
        let routes = try routes(in: tx)
        return try tx.query(
            """
            SELECT model, aliases, price_key, context_tokens, output_tokens, tenants_allowed, created_at, prefer,
                regions_allowed, quantisations_allowed, tries_max
            FROM catalogue_models
            ORDER BY model
            """
        ).map { row in
            let name = try row.decode("model", as: String.self)
            switch try UnreadableRow.reading({ try model(row, name, routes) }) {
            case .success(let model): return model
            case .failure(let error): return withdrawn(name, row, error.reason)
            }
        }
    }

    private static func model(_ row: Row, _ name: String, _ routes: [String: [ModelRoute]]) throws -> CatalogueModel {
        guard let routes = routes[name] else { throw StorageError.corrupt("model \(name) has no route") }
        return CatalogueModel(
            publicName: name, aliases: try row.decode("aliases"), routes: routes, routing: try routing(row),
            priceKey: try row.decode("price_key"), contextTokensMax: try row.decode("context_tokens"),
            outputTokensMax: try row.decode("output_tokens"),
            tenantsAllowed: try row.decode("tenants_allowed", as: [TenantID]?.self).map { Set($0) },
            createdAtSeconds: try row.decode("created_at", as: Timestamp.self).milliseconds / 1000)
    }

    /// Stands for a model that does not read: its name is known, and nothing serves it. Who may use it is not known
    /// either where that does not read, so then nobody may.
    private static func withdrawn(_ name: String, _ row: Row, _ reason: String) -> CatalogueModel {
        let tenants = try? row.decode("tenants_allowed", as: [TenantID]?.self).map { Set($0) }
        // No backend can have a name with a space.
        let backend = Backend(unknown: "model \(name)", fault: .unreadable(.model, name, reason))
        return CatalogueModel(
            publicName: name, aliases: (try? row.decode("aliases")) ?? [], backend: backend, upstreamName: name,
            priceKey: name, contextTokensMax: 1, outputTokensMax: 1, tenantsAllowed: tenants ?? [],
            createdAtSeconds: 0)
    }

    /// Each model's routes, in their order.
    private static func routes(in tx: Transaction) throws -> [String: [ModelRoute]] {
        let backends = Dictionary(uniqueKeysWithValues: try self.backends(in: tx).map { ($0.name, $0) })
        var routes: [String: [ModelRoute]] = [:]
        let rows = try tx.query(
            """
            SELECT model, backend, upstream_name, weight, input_cost_picounits, output_cost_picounits
            FROM catalogue_routes
            ORDER BY model, position
            """)
        for row in rows {
            let name = try row.decode("backend", as: String.self)
            guard let backend = backends[name] else { throw StorageError.corrupt("backend \(name) is missing") }
            let route = ModelRoute(
                backend: backend, upstreamName: try row.decode("upstream_name"), weight: try row.decode("weight"),
                inputCostPicounits: try row.decode("input_cost_picounits"),
                outputCostPicounits: try row.decode("output_cost_picounits"))
            routes[try row.decode("model"), default: []].append(route)
        }
        return routes
    }

    private static func routing(_ row: Row) throws -> RoutingRules {
        var rules = RoutingRules()
        rules.preference = try row.value("prefer")
        rules.regionsAllowed = try row.decode("regions_allowed")
        rules.quantisationsAllowed = try row.decode("quantisations_allowed")
        rules.triesMax = try row.decode("tries_max")
        return rules
    }

    private static func backend(_ row: Row) throws -> Backend {
        let name = try row.decode("backend", as: String.self)
        do {
            let settings = Data(try row.decode("settings", as: String.self).utf8)
            return try Backend(
                name: name, baseURL: try row.decode("base_url"), apiKey: try row.decode("api_key"),
                hardware: try row.decode("hardware"), quantisation: try row.decode("quantisation"),
                kind: try row.value("kind"), settings: try JSONDecoder().decode(BackendSettings.self, from: settings))
        } catch let error as BackendURLError {
            throw StorageError.corrupt("backend \(name): \(error)")
        } catch let error as DecodingError {
            throw StorageError.corrupt("settings of backend \(name): \(error)")
        }
    }

    private static func upsert(_ backend: Backend, now: Timestamp, in tx: Transaction) throws {
        let settings = String(decoding: try JSONEncoder().encode(backend.settings), as: UTF8.self)
        try tx.execute(
            """
            INSERT INTO backends (backend, base_url, api_key, hardware, quantisation, kind, settings, updated_at)
            VALUES (
                \(backend.name), \(backend.baseURL), \(backend.apiKey), \(backend.hardware), \(backend.quantisation),
                \(backend.kind.rawValue), \(settings)::jsonb, \(now)
            )
            ON CONFLICT (backend) DO UPDATE SET base_url = excluded.base_url, api_key = excluded.api_key,
                hardware = excluded.hardware, quantisation = excluded.quantisation, kind = excluded.kind,
                settings = excluded.settings, updated_at = excluded.updated_at
            """)
        try tx.execute("DELETE FROM backend_secrets WHERE backend = \(backend.name)")
        for (slot, secret) in backend.secretNames {
            try tx.execute(
                """
                INSERT INTO backend_secrets (backend, slot, secret)
                VALUES (\(backend.name), \(slot.rawValue), \(secret))
                """)
        }
    }

    private static func upsert(_ model: CatalogueModel, now: Timestamp, in tx: Transaction) throws {
        let rules = model.routing
        try tx.execute(
            """
            INSERT INTO catalogue_models (
                model, aliases, price_key, context_tokens, output_tokens, tenants_allowed, created_at, prefer,
                regions_allowed, quantisations_allowed, tries_max
            ) VALUES (
                \(model.publicName), \(model.aliases), \(model.priceKey), \(model.contextTokensMax),
                \(model.outputTokensMax), \(model.tenantsAllowed.map { $0.sorted() })::uuid[], \(now),
                \(rules.preference.rawValue), \(rules.regionsAllowed), \(rules.quantisationsAllowed),
                \(rules.triesMax)
            )
            ON CONFLICT (model) DO UPDATE SET aliases = excluded.aliases, price_key = excluded.price_key,
                context_tokens = excluded.context_tokens, output_tokens = excluded.output_tokens,
                tenants_allowed = excluded.tenants_allowed, prefer = excluded.prefer,
                regions_allowed = excluded.regions_allowed,
                quantisations_allowed = excluded.quantisations_allowed, tries_max = excluded.tries_max
            """)
        try tx.execute("DELETE FROM catalogue_routes WHERE model = \(model.publicName)")
        for (position, route) in model.routes.enumerated() {
            try tx.execute(
                """
                INSERT INTO catalogue_routes (
                    model, position, backend, upstream_name, weight, input_cost_picounits, output_cost_picounits
                ) VALUES (
                    \(model.publicName), \(position), \(route.backend.name), \(route.upstreamName), \(route.weight),
                    \(route.inputCostPicounits), \(route.outputCostPicounits)
                )
                """)
        }
    }
}

extension CatalogueModel {
    /// What a change of the model is told by: all but when it joined and what its backends are, which are told apart.
    fileprivate var terms: CatalogueModel {
        let routes = routes.map { route in
            ModelRoute(
                backend: Backend(
                    name: route.backend.name, isTLS: false, host: "", port: 0, basePath: "", apiKey: nil),
                upstreamName: route.upstreamName, weight: route.weight,
                inputCostPicounits: route.inputCostPicounits, outputCostPicounits: route.outputCostPicounits)
        }
        return CatalogueModel(
            publicName: publicName, aliases: aliases, routes: routes, routing: routing, priceKey: priceKey,
            contextTokensMax: contextTokensMax, outputTokensMax: outputTokensMax, tenantsAllowed: tenantsAllowed,
            createdAtSeconds: 0)
    }
}
