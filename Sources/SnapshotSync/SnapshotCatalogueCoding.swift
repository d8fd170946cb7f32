import Engines
import Identity

/// The catalogue as it stands in the snapshot's file: each backend once, each model with its routes to them.
struct SnapshotCatalogueCoding: Codable {
    var backends: [Engine]
    var models: [Model]

    struct Engine: Codable {
        var name, url: String
        var apiKey: String?
        var hardware, quantisation, kind: String
        var settings: BackendSettings
        /// Nil as long as its row reads.
        var fault: ServiceFault?
    }

    struct Model: Codable {
        var name: String
        var aliases: [String]
        var routes: [Route]
        var prefer: String
        var regions, quantisations: [String]
        var triesMax: Int
        var priceKey: String
        var contextTokens, outputTokens, createdAt: Int64
        var tenants: [String]?
    }

    struct Route: Codable {
        var backend, upstreamName: String
        var weight: Int64
        var inputCost, outputCost: Int64?
    }

    init(_ models: [CatalogueModel]) {
        var backends: [String: Backend] = [:]
        for route in models.flatMap(\.routes) { backends[route.backend.name] = route.backend }
        self.backends = backends.values.sorted { $0.name < $1.name }.map { backend in
            Engine(
                name: backend.name, url: backend.baseURL, apiKey: backend.apiKey, hardware: backend.hardware,
                quantisation: backend.quantisation, kind: backend.kind.rawValue, settings: backend.settings,
                fault: backend.outOfService)
        }
        self.models = models.map { model in
            Model(
                name: model.publicName, aliases: model.aliases, routes: model.routes.map(Self.route),
                prefer: model.routing.preference.rawValue, regions: model.routing.regionsAllowed,
                quantisations: model.routing.quantisationsAllowed, triesMax: model.routing.triesMax,
                priceKey: model.priceKey, contextTokens: model.contextTokensMax, outputTokens: model.outputTokensMax,
                createdAt: model.createdAtSeconds, tenants: model.tenantsAllowed?.map(\.description).sorted())
        }
    }

    private static func route(_ route: ModelRoute) -> Route {
        Route(
            backend: route.backend.name, upstreamName: route.upstreamName, weight: route.weight,
            inputCost: route.inputCostPicounits, outputCost: route.outputCostPicounits)
    }

    func catalogueModels() throws -> [CatalogueModel] {
        var known: [String: Backend] = [:]
        for backend in backends { known[backend.name] = try self.backend(backend) }
        return try models.map { try model($0, backends: known) }
    }

    private func backend(_ row: Engine) throws -> Backend {
        if let fault = row.fault { return Backend(unknown: row.name, fault: fault) }
        guard let kind = EngineKind(rawValue: row.kind) else { throw Unreadable(text: row.kind) }
        return try Backend(
            name: row.name, baseURL: row.url, apiKey: row.apiKey, hardware: row.hardware,
            quantisation: row.quantisation, kind: kind, settings: row.settings)
    }

    private func model(_ row: Model, backends: [String: Backend]) throws -> CatalogueModel {
        let routes = try row.routes.map { route in
            guard let backend = backends[route.backend] else { throw Unreadable(text: route.backend) }
            return ModelRoute(
                backend: backend, upstreamName: route.upstreamName, weight: route.weight,
                inputCostPicounits: route.inputCost, outputCostPicounits: route.outputCost)
        }
        guard !routes.isEmpty, let preference = RoutingRules.Preference(rawValue: row.prefer) else {
            throw Unreadable(text: row.name)
        }
        var rules = RoutingRules()
        rules.preference = preference
        rules.regionsAllowed = row.regions
        rules.quantisationsAllowed = row.quantisations
        rules.triesMax = row.triesMax
        let tenants = try row.tenants?.map { text in
            guard let id = TenantID(text) else { throw Unreadable(text: text) }
            return id
        }
        return CatalogueModel(
            publicName: row.name, aliases: row.aliases, routes: routes, routing: rules, priceKey: row.priceKey,
            contextTokensMax: row.contextTokens, outputTokensMax: row.outputTokens,
            tenantsAllowed: tenants.map { Set($0) }, createdAtSeconds: row.createdAt)
    }

    private typealias Unreadable = SnapshotRowsCoding.Unreadable
}
