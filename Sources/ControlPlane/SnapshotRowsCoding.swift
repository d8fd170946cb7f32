import Accounts
import Engines
import Foundation
import Identity
import Pricing
import Storage

/// What the snapshot's file holds as JSON: plans and the catalogue, which are few.
struct SnapshotRowsCoding: Codable {
    /// Canonical texts of all versions, by plan.
    var plans: [String: [String]]
    /// Nil where the catalogue did not change.
    var models: [Model]?

    struct Model: Codable {
        var name: String
        var aliases: [String]
        var backend, url: String
        var apiKey: String?
        var hardware, quantisation, upstreamName, priceKey: String
        var contextTokens, outputTokens, createdAt: Int64
        var tenants: [String]?
    }

    /// What the file holds is not what was written; the checksum should have told.
    struct Unreadable: Error {
        let text: String
    }

    init(_ part: SnapshotPart) {
        plans = part.histories.mapValues { $0.versions.map(\.document.canonicalText) }
        models = part.models?.map { model in
            Model(
                name: model.publicName, aliases: model.aliases, backend: model.backend.name,
                url: model.backend.baseURL, apiKey: model.backend.apiKey, hardware: model.backend.hardware,
                quantisation: model.backend.quantisation, upstreamName: model.upstreamName, priceKey: model.priceKey,
                contextTokens: model.contextTokensMax, outputTokens: model.outputTokensMax,
                createdAt: model.createdAtSeconds, tenants: model.tenantsAllowed?.map(\.description).sorted())
        }
    }

    func add(to part: inout SnapshotPart) throws {
        part.histories = try plans.mapValues { try PlanHistory(published: try $0.map { try PlanVersion(yaml: $0) }) }
        part.models = try models?.map(model)
    }

    private func id<Kind>(_ text: String) throws -> TypedID<Kind> {
        guard let id = TypedID<Kind>(text) else { throw Unreadable(text: text) }
        return id
    }

    private func model(_ row: Model) throws -> CatalogueModel {
        let backend = try Backend(
            name: row.backend, baseURL: row.url, apiKey: row.apiKey, hardware: row.hardware,
            quantisation: row.quantisation)
        return CatalogueModel(
            publicName: row.name, aliases: row.aliases, backend: backend, upstreamName: row.upstreamName,
            priceKey: row.priceKey, contextTokensMax: row.contextTokens, outputTokensMax: row.outputTokens,
            tenantsAllowed: try row.tenants.map { Set(try $0.map { try id($0) }) }, createdAtSeconds: row.createdAt)
    }
}
