public import Identity

/// One backend that serves a model.
public struct ModelRoute: Hashable, Sendable {
    public let backend: Backend
    /// What the backend calls the model.
    public let upstreamName: String
    /// Its share among routes that are otherwise equal; zero takes it only when no other is left.
    public let weight: Int64
    /// What a token of input, and of output, costs us there, in 10⁻¹² US dollars; nil when unknown.
    public let inputCostPicounits: Int64?
    public let outputCostPicounits: Int64?

    /// A way to serve a model.
    public init(
        backend: Backend, upstreamName: String, weight: Int64 = 1, inputCostPicounits: Int64? = nil,
        outputCostPicounits: Int64? = nil
    ) {
        self.backend = backend
        self.upstreamName = upstreamName
        self.weight = weight
        self.inputCostPicounits = inputCostPicounits
        self.outputCostPicounits = outputCostPicounits
    }

    /// The same route to this backend.
    public func with(_ backend: Backend) -> ModelRoute {
        ModelRoute(
            backend: backend, upstreamName: upstreamName, weight: weight, inputCostPicounits: inputCostPicounits,
            outputCostPicounits: outputCostPicounits)
    }
}

/// How one of a model's routes is chosen.
public struct RoutingRules: Hashable, Sendable {
    /// What comes first among routes that may serve.
    public enum Preference: String, CaseIterable, Hashable, Sendable {
        /// Chance, by weight.
        case weight
        /// What it costs us.
        case price
        /// Time to the first token.
        case latency
        /// Tokens a second.
        case throughput
    }

    public var preference = Preference.weight
    /// Only backends in these regions; empty for all.
    public var regionsAllowed: [String] = []
    /// Only backends of these quantisations; empty for all.
    public var quantisationsAllowed: [String] = []
    /// Tries of one request, the first among them.
    public var triesMax = 3

    /// By weight, anywhere.
    public init() {}

    /// Whether a backend has an allowed region and an allowed quantisation. One that does not say where it stands, or
    /// how it is quantised, is not allowed where that matters.
    public func allow(_ backend: Backend) -> Bool {
        (regionsAllowed.isEmpty || regionsAllowed.contains(backend.settings.region))
            && (quantisationsAllowed.isEmpty || quantisationsAllowed.contains(backend.quantisation))
    }
}

/// A model that clients may name. A class as `Backend` is; two with the same parts are equal.
public final class CatalogueModel: Hashable, Sendable {
    /// What clients write, and `/v1/models` lists.
    public let publicName: String
    public let aliases: [String]
    /// What may serve it, at least one.
    public let routes: [ModelRoute]
    public let routing: RoutingRules
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
        publicName: String, aliases: [String], routes: [ModelRoute], routing: RoutingRules = RoutingRules(),
        priceKey: String, contextTokensMax: Int64, outputTokensMax: Int64, tenantsAllowed: Set<TenantID>?,
        createdAtSeconds: Int64
    ) {
        precondition(!routes.isEmpty, "a model needs a route")
        self.publicName = publicName
        self.aliases = aliases
        self.routes = routes
        self.routing = routing
        self.priceKey = priceKey
        self.contextTokensMax = contextTokensMax
        self.outputTokensMax = outputTokensMax
        self.tenantsAllowed = tenantsAllowed
        self.createdAtSeconds = createdAtSeconds
    }

    /// A model that one backend serves.
    public convenience init(
        publicName: String, aliases: [String], backend: Backend, upstreamName: String, priceKey: String,
        contextTokensMax: Int64, outputTokensMax: Int64, tenantsAllowed: Set<TenantID>?, createdAtSeconds: Int64
    ) {
        self.init(
            publicName: publicName, aliases: aliases,
            routes: [ModelRoute(backend: backend, upstreamName: upstreamName)], priceKey: priceKey,
            contextTokensMax: contextTokensMax, outputTokensMax: outputTokensMax, tenantsAllowed: tenantsAllowed,
            createdAtSeconds: createdAtSeconds)
    }

    /// The same model over other routes.
    public func with(routes: [ModelRoute]) -> CatalogueModel {
        CatalogueModel(
            publicName: publicName, aliases: aliases, routes: routes, routing: routing, priceKey: priceKey,
            contextTokensMax: contextTokensMax, outputTokensMax: outputTokensMax, tenantsAllowed: tenantsAllowed,
            createdAtSeconds: createdAtSeconds)
    }

    /// The first route's.
    public var backend: Backend { routes[0].backend }
    /// The first route's.
    public var upstreamName: String { routes[0].upstreamName }

    /// Whether `tenant` may use this model.
    public func isAllowed(for tenant: TenantID) -> Bool {
        tenantsAllowed?.contains(tenant) ?? true
    }

    public static func == (one: CatalogueModel, other: CatalogueModel) -> Bool {
        one === other
            || one.publicName == other.publicName && one.aliases == other.aliases && one.routes == other.routes
                && one.routing == other.routing && one.priceKey == other.priceKey
                && one.contextTokensMax == other.contextTokensMax && one.outputTokensMax == other.outputTokensMax
                && one.tenantsAllowed == other.tenantsAllowed && one.createdAtSeconds == other.createdAtSeconds
    }

    /// Public names are unique in a catalogue.
    public func hash(into hasher: inout Hasher) { hasher.combine(publicName) }
}

/// Every model, by public name and alias, and by the backends that serve it. Immutable: a change makes a new catalogue.
public final class ModelCatalogue: Sendable {
    /// In the order of their public names.
    public let models: [CatalogueModel]
    private let byName: [String: CatalogueModel]
    private let byBackend: [String: ServedModels]

    /// What one backend serves.
    private struct ServedModels {
        let backend: Backend
        /// By public name, alias or the backend's own name of it.
        var byName: [String: (CatalogueModel, ModelRoute)] = [:]
        /// The model, as long as it is the only one.
        var only: (CatalogueModel, ModelRoute)?
    }

    /// A catalogue of these models; where names clash, the first in order of public name wins.
    public init(models: [CatalogueModel]) {
        self.models = models.sorted { $0.publicName < $1.publicName }
        var byName: [String: CatalogueModel] = [:]
        for model in self.models { byName[model.publicName] = model }
        for model in self.models {
            for alias in model.aliases where byName[alias] == nil { byName[alias] = model }
        }
        self.byName = byName
        byBackend = Self.served(self.models)
    }

    /// The model of that name or alias.
    public func model(named name: String) -> CatalogueModel? {
        byName[name]
    }

    /// A backend that serves some model, one that is out of service too.
    public func backend(named name: String) -> Backend? {
        byBackend[name]?.backend
    }

    /// Backends that serve some model and are in service, by name.
    public var backends: [Backend] {
        byBackend.values.map(\.backend).filter { $0.outOfService == nil }.sorted { $0.name < $1.name }
    }

    /// What `/engines/{backend}/…` runs: the model of that public name, alias or upstream name there (in this order,
    /// where they clash), or the only model there when the request names none; with its route to that backend.
    public func model(on backend: String, named name: String?) -> (CatalogueModel, ModelRoute)? {
        guard let served = byBackend[backend] else { return nil }
        guard let name else { return served.only }
        return served.byName[name]
    }

    /// All models of a backend with their routes to it.
    public func models(on backend: String) -> [(CatalogueModel, ModelRoute)] {
        models.compactMap { model in
            model.routes.first { $0.backend.name == backend }.map { (model, $0) }
        }
    }

    private static func served(_ models: [CatalogueModel]) -> [String: ServedModels] {
        var served: [String: ServedModels] = [:]
        func each(_ names: (CatalogueModel, ModelRoute) -> [String]) {
            for model in models {
                for route in model.routes {
                    let backend = route.backend.name
                    for name in names(model, route) where served[backend]?.byName[name] == nil {
                        served[backend, default: ServedModels(backend: route.backend)].byName[name] = (model, route)
                    }
                }
            }
        }
        each { model, _ in [model.publicName] }
        each { model, _ in model.aliases }
        each { _, route in [route.upstreamName] }
        for (backend, models) in served {
            let names = Set(models.byName.values.map(\.0.publicName))
            if names.count == 1 { served[backend]?.only = models.byName[names.first ?? ""] }
        }
        return served
    }
}
