public import Engines
public import Identity
public import Postgres

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
        try tx.execute("SELECT pg_advisory_xact_lock(hashtext('tollgate.catalogue'))")
        var changes = Changes()
        let oldBackends = Dictionary(uniqueKeysWithValues: try self.backends(in: tx).map { ($0.name, $0) })
        let oldModels = Dictionary(uniqueKeysWithValues: try self.models(in: tx).map { ($0.publicName, $0) })
        for backend in backends.sorted(by: { $0.name < $1.name }) where oldBackends[backend.name] != backend {
            let label = "backend \(backend.name)"
            if oldBackends[backend.name] == nil { changes.added.append(label) } else { changes.changed.append(label) }
            try upsert(backend, now: now, in: tx)
        }
        for model in models.sorted(by: { $0.publicName < $1.publicName }) {
            let old = oldModels[model.publicName]
            // When it joined is the old row's; the backend's own changes are told apart above.
            if let old, old == model.with(backend: old.backend, createdAtSeconds: old.createdAtSeconds),
                old.backend.name == model.backend.name
            {
                continue
            }
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
        if !changes.isEmpty { try ChangeStorage.record(.catalogue, entity: "catalogue", in: tx) }
        return changes
    }

    /// All backends, by name.
    public static func backends(in tx: Transaction) throws -> [Backend] {
        try tx.query(
            "SELECT backend, base_url, api_key, hardware, quantisation FROM backends ORDER BY backend"
        ).map(backend)
    }

    /// All models with the backends that serve them, by public name.
    public static func models(in tx: Transaction) throws -> [CatalogueModel] {
        try tx.query(
            """
            SELECT model, aliases, upstream_name, price_key, context_tokens, output_tokens, tenants_allowed,
                m.created_at, backend, base_url, api_key, hardware, quantisation
            FROM catalogue_models m JOIN backends USING (backend)
            ORDER BY model
            """
        ).map { row in
            CatalogueModel(
                publicName: try row.decode("model"), aliases: try row.decode("aliases"), backend: try backend(row),
                upstreamName: try row.decode("upstream_name"), priceKey: try row.decode("price_key"),
                contextTokensMax: try row.decode("context_tokens"), outputTokensMax: try row.decode("output_tokens"),
                tenantsAllowed: try row.decode("tenants_allowed", as: [TenantID]?.self).map { Set($0) },
                createdAtSeconds: try row.decode("created_at", as: Timestamp.self).milliseconds / 1000)
        }
    }

    private static func backend(_ row: Row) throws -> Backend {
        let name = try row.decode("backend", as: String.self)
        do {
            return try Backend(
                name: name, baseURL: try row.decode("base_url"), apiKey: try row.decode("api_key"),
                hardware: try row.decode("hardware"), quantisation: try row.decode("quantisation"))
        } catch let error as BackendURLError {
            throw StorageError.corrupt("backend \(name): \(error)")
        }
    }

    private static func upsert(_ backend: Backend, now: Timestamp, in tx: Transaction) throws {
        try tx.execute(
            """
            INSERT INTO backends (backend, base_url, api_key, hardware, quantisation, updated_at)
            VALUES (
                \(backend.name), \(backend.baseURL), \(backend.apiKey), \(backend.hardware), \(backend.quantisation),
                \(now)
            )
            ON CONFLICT (backend) DO UPDATE SET base_url = excluded.base_url, api_key = excluded.api_key,
                hardware = excluded.hardware, quantisation = excluded.quantisation, updated_at = excluded.updated_at
            """)
    }

    private static func upsert(_ model: CatalogueModel, now: Timestamp, in tx: Transaction) throws {
        try tx.execute(
            """
            INSERT INTO catalogue_models (
                model, aliases, backend, upstream_name, price_key, context_tokens, output_tokens, tenants_allowed,
                created_at
            ) VALUES (
                \(model.publicName), \(model.aliases), \(model.backend.name), \(model.upstreamName),
                \(model.priceKey), \(model.contextTokensMax), \(model.outputTokensMax),
                \(model.tenantsAllowed.map { $0.sorted() })::uuid[], \(now)
            )
            ON CONFLICT (model) DO UPDATE SET aliases = excluded.aliases, backend = excluded.backend,
                upstream_name = excluded.upstream_name, price_key = excluded.price_key,
                context_tokens = excluded.context_tokens, output_tokens = excluded.output_tokens,
                tenants_allowed = excluded.tenants_allowed
            """)
    }
}

extension CatalogueModel {
    fileprivate func with(backend: Backend, createdAtSeconds: Int64) -> CatalogueModel {
        CatalogueModel(
            publicName: publicName, aliases: aliases, backend: backend, upstreamName: upstreamName,
            priceKey: priceKey, contextTokensMax: contextTokensMax, outputTokensMax: outputTokensMax,
            tenantsAllowed: tenantsAllowed, createdAtSeconds: createdAtSeconds)
    }
}
