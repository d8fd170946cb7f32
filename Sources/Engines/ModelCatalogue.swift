public import Identity

/// An inference engine behind the gateway, as `tollgate backends apply` stored it.
public struct Backend: Hashable, Sendable {
    /// Unique, lowercase, as records and metrics show it.
    public let name: String
    /// `http` or `https`.
    public let isTLS: Bool
    /// Host name or address, without brackets.
    public let host: String
    public let port: Int
    /// The path in front of `/v1/…`, empty or beginning with a slash and not ending with one.
    public let basePath: String
    /// Sent as `Authorization: Bearer …`; nil when the engine asks for none.
    public let apiKey: String?
    /// Such as `h100x8`; empty when unknown.
    public let hardware: String
    /// Such as `fp8`; empty when unknown.
    public let quantisation: String

    /// A backend as the catalogue holds it.
    public init(
        name: String, isTLS: Bool, host: String, port: Int, basePath: String, apiKey: String?, hardware: String = "",
        quantisation: String = ""
    ) {
        self.name = name
        self.isTLS = isTLS
        self.host = host
        self.port = port
        self.basePath = basePath
        self.apiKey = apiKey
        self.hardware = hardware
        self.quantisation = quantisation
    }
}

/// A model that clients may name.
public struct CatalogueModel: Hashable, Sendable {
    /// What clients write, and `/v1/models` lists.
    public let publicName: String
    public let aliases: [String]
    public let backend: Backend
    /// What the backend calls it.
    public let upstreamName: String
    /// The key under which plans price it.
    public let priceKey: String
    /// Tokens of prompt and answer together.
    public let contextTokensMax: Int64
    /// Tokens of one answer.
    public let outputTokensMax: Int64
    /// Who may use it; nil means every tenant.
    public let tenantsAllowed: Set<TenantID>?
    /// When it joined the catalogue, in seconds since 1970 (`created` of `/v1/models`).
    public let createdAtSeconds: Int64

    /// A model as the catalogue holds it.
    public init(
        publicName: String, aliases: [String], backend: Backend, upstreamName: String, priceKey: String,
        contextTokensMax: Int64, outputTokensMax: Int64, tenantsAllowed: Set<TenantID>?, createdAtSeconds: Int64
    ) {
        self.publicName = publicName
        self.aliases = aliases
        self.backend = backend
        self.upstreamName = upstreamName
        self.priceKey = priceKey
        self.contextTokensMax = contextTokensMax
        self.outputTokensMax = outputTokensMax
        self.tenantsAllowed = tenantsAllowed
        self.createdAtSeconds = createdAtSeconds
    }

    /// Whether `tenant` may use this model.
    public func isAllowed(for tenant: TenantID) -> Bool {
        tenantsAllowed?.contains(tenant) ?? true
    }
}

/// Every model, by public name and alias. Immutable: a change makes a new catalogue.
public final class ModelCatalogue: Sendable {
    /// In the order of their public names.
    public let models: [CatalogueModel]
    private let byName: [String: CatalogueModel]

    /// A catalogue of these models; where names clash, the first in order of public name wins.
    public init(models: [CatalogueModel]) {
        self.models = models.sorted { $0.publicName < $1.publicName }
        var byName: [String: CatalogueModel] = [:]
        for model in self.models { byName[model.publicName] = model }
        for model in self.models {
            for alias in model.aliases where byName[alias] == nil { byName[alias] = model }
        }
        self.byName = byName
    }

    /// The model of that name or alias.
    public func model(named name: String) -> CatalogueModel? {
        byName[name]
    }
}
