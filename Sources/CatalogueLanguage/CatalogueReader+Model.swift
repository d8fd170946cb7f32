import Engines
import Identity
import Monetary
import StrictYAML

// One entry of `models`.

extension CatalogueReader {
    private static let modelKeys = [
        "name", "aliases", "backend", "upstream_name", "routes", "routing", "price_key", "context_tokens",
        "output_tokens", "tenants_allowed",
    ]
    /// The most ways to serve one model.
    private static let routesMax = 64
    /// The most tries that one request may have.
    private static let triesMax: Int64 = 10

    mutating func model(_ node: YAMLNode, path: String, backends: [String: Backend]) -> CatalogueModel? {
        let members = members(of: node, path: path, known: Self.modelKeys)
        let name = text(members, "name", path, node)
        let routes = routes(members, model: name, path: path, node, backends: backends)
        let routing = members["routing"].map { rules($0, path: "\(path).routing", routes: routes) }
        let priceKey = text(members, "price_key", path, node, default: name)
        let context = tokens(members, "context_tokens", path, node)
        let output = tokens(members, "output_tokens", path, node)
        let aliases = members["aliases"].map { texts($0, path: "\(path).aliases") } ?? []
        let allowed = members["tenants_allowed"].map { tenants($0, path: "\(path).tenants_allowed") }
        guard let name, !routes.isEmpty, let priceKey, let context, let output else { return nil }
        return CatalogueModel(
            publicName: name, aliases: aliases, routes: routes, routing: routing ?? RoutingRules(),
            priceKey: priceKey, contextTokensMax: context, outputTokensMax: output, tenantsAllowed: allowed,
            createdAtSeconds: 0)
    }

    private mutating func routes(
        _ members: [String: YAMLNode], model: String?, path: String, _ node: YAMLNode, backends: [String: Backend]
    ) -> [ModelRoute] {
        guard let list = members["routes"] else {
            return route(members, model: model, path: path, node, backends: backends).map { [$0] } ?? []
        }
        for key in ["backend", "upstream_name"] {
            guard let extra = members[key] else { continue }
            report("\(path).\(key)", extra, "write either \(key) or routes; it belongs into each route")
        }
        guard let entries = list.sequence, (1...Self.routesMax).contains(entries.count) else {
            report("\(path).routes", list, "a list of 1 to \(Self.routesMax) routes must stand here")
            return []
        }
        var routes: [ModelRoute] = []
        var places: Set<[String]> = []
        for (index, entry) in entries.enumerated() {
            let path = "\(path).routes[\(index)]"
            let known = ["backend", "upstream_name", "weight", "cost"]
            let values = self.members(of: entry, path: path, known: known)
            guard let route = route(values, model: model, path: path, entry, backends: backends) else { continue }
            if !places.insert([route.backend.name, route.upstreamName]).inserted {
                report(path, entry, "the same backend and upstream_name stand there twice; add their weights")
            }
            routes.append(route)
        }
        return routes
    }

    private mutating func route(
        _ members: [String: YAMLNode], model: String?, path: String, _ node: YAMLNode, backends: [String: Backend]
    ) -> ModelRoute? {
        let backendName = text(members, "backend", path, node)
        if let backendName, backends[backendName] == nil {
            report("\(path).backend", members["backend"] ?? node, "there is no backend \"\(backendName)\" in this file")
        }
        let upstreamName = text(members, "upstream_name", path, node, default: model)
        let weight = number(members, "weight", path, 0...1_000_000) ?? 1
        let cost = cost(members["cost"], path: "\(path).cost")
        guard let backend = backendName.flatMap({ backends[$0] }), let upstreamName else { return nil }
        return ModelRoute(
            backend: backend, upstreamName: upstreamName, weight: weight, inputCostPicounits: cost?.input,
            outputCostPicounits: cost?.output)
    }

    private mutating func cost(_ node: YAMLNode?, path: String) -> (input: Int64, output: Int64)? {
        guard let node else { return nil }
        let members = members(of: node, path: path, known: ["input", "output"])
        let input = price(members, "input", path, node)
        let output = price(members, "output", path, node)
        guard let input, let output else { return nil }
        return (input, output)
    }

    private mutating func price(
        _ members: [String: YAMLNode], _ key: String, _ path: String, _ parent: YAMLNode
    ) -> Int64? {
        guard let text = text(members, key, path, parent) else { return nil }
        do throws(MonetaryError) {
            return try UnitPrice(parsing: text).picounits
        } catch {
            report("\(path).\(key)", members[key] ?? parent, "US dollars per million tokens: \(error)")
            return nil
        }
    }

    private mutating func rules(_ node: YAMLNode, path: String, routes: [ModelRoute]) -> RoutingRules {
        let known = ["prefer", "regions_allowed", "quantisations_allowed", "tries_max"]
        let members = members(of: node, path: path, known: known)
        var rules = RoutingRules()
        rules.preference = choice(members, "prefer", path, default: rules.preference)
        rules.regionsAllowed = members["regions_allowed"].map { texts($0, path: "\(path).regions_allowed") } ?? []
        rules.quantisationsAllowed =
            members["quantisations_allowed"].map { texts($0, path: "\(path).quantisations_allowed") } ?? []
        rules.triesMax = number(members, "tries_max", path, 1...Self.triesMax).map { Int($0) } ?? rules.triesMax
        if !routes.isEmpty, !routes.contains(where: { rules.allow($0.backend) }) {
            report(path, node, "no route of this model has a region and a quantisation that are allowed")
        }
        if rules.preference == .price, routes.contains(where: { $0.inputCostPicounits == nil }) {
            report("\(path).prefer", members["prefer"] ?? node, "by price needs the cost of each route")
        }
        return rules
    }

    private mutating func tenants(_ node: YAMLNode, path: String) -> Set<TenantID> {
        var tenants: Set<TenantID> = []
        for text in texts(node, path: path) {
            if let id = TenantID(text) {
                tenants.insert(id)
            } else {
                report(path, node, "\"\(text)\" is no tenant id; they look like ten_0192…")
            }
        }
        return tenants
    }
}
