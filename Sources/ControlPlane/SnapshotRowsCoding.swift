import Accounts
import Engines
import Foundation
import Identity
import Pricing
import Storage

/// The snapshot's rows as they stand in the file: text, numbers and lists only.
struct SnapshotRowsCoding: Codable {
    var change: Int64
    var clockOffsets: [String: Int64]
    var keys: [Key]
    var subscriptions: [Subscribed]
    /// Canonical texts of all versions, by plan.
    var plans: [String: [String]]
    var models: [Model]

    struct Key: Codable {
        var key, account, tenant, project, digest: String
        var expiresAt: Int64?
    }

    struct Subscribed: Codable {
        var subscription, account, tenant, plan: String
        var startsAt: Int64
        var endsAt: Int64?
    }

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

    init(_ rows: SnapshotRows) {
        change = rows.change
        clockOffsets = Dictionary(uniqueKeysWithValues: rows.clockOffsets.map { ($0.key.description, $0.value) })
        keys = rows.keys.map { key in
            Key(
                key: key.id.description, account: key.accountID.description, tenant: key.tenantID.description,
                project: key.projectID.description, digest: key.secretDigest.hexadecimal,
                expiresAt: key.expiresAt?.milliseconds)
        }
        subscriptions = rows.subscriptions.map { row in
            Subscribed(
                subscription: row.id.description, account: row.accountID.description,
                tenant: row.tenantID.description, plan: row.plan, startsAt: row.startsAt.milliseconds,
                endsAt: row.endsAt?.milliseconds)
        }
        plans = rows.histories.mapValues { $0.versions.map(\.document.canonicalText) }
        models = rows.models.map { model in
            Model(
                name: model.publicName, aliases: model.aliases, backend: model.backend.name,
                url: model.backend.baseURL, apiKey: model.backend.apiKey, hardware: model.backend.hardware,
                quantisation: model.backend.quantisation, upstreamName: model.upstreamName, priceKey: model.priceKey,
                contextTokens: model.contextTokensMax, outputTokens: model.outputTokensMax,
                createdAt: model.createdAtSeconds, tenants: model.tenantsAllowed?.map(\.description).sorted())
        }
    }

    func rows() throws -> SnapshotRows {
        SnapshotRows(
            change: change,
            clockOffsets: Dictionary(
                uniqueKeysWithValues: try clockOffsets.map { (try id($0.key), $0.value) }),
            keys: try keys.map(apiKey), subscriptions: try subscriptions.map(subscription),
            histories: try plans.mapValues { try PlanHistory(published: try $0.map { try PlanVersion(yaml: $0) }) },
            models: try models.map(model))
    }

    private func id<Kind>(_ text: String) throws -> TypedID<Kind> {
        guard let id = TypedID<Kind>(text) else { throw Unreadable(text: text) }
        return id
    }

    private func apiKey(_ row: Key) throws -> APIKey {
        guard let digest = Hexadecimal.bytes(of: row.digest).flatMap({ SHA256Digest(bytes: $0) }) else {
            throw Unreadable(text: row.digest)
        }
        return APIKey(
            id: try id(row.key), accountID: try id(row.account), tenantID: try id(row.tenant),
            projectID: try id(row.project), name: "", secretDigest: digest, secretHint: "",
            createdAt: Timestamp(milliseconds: 0), expiresAt: row.expiresAt.map { Timestamp(milliseconds: $0) })
    }

    private func subscription(_ row: Subscribed) throws -> Subscription {
        Subscription(
            id: try id(row.subscription), accountID: try id(row.account), tenantID: try id(row.tenant),
            plan: row.plan, startsAt: Timestamp(milliseconds: row.startsAt),
            endsAt: row.endsAt.map { Timestamp(milliseconds: $0) }, createdAt: Timestamp(milliseconds: 0))
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
