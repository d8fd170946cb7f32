import Engines
import Identity
import Pricing
import Storage

/// What the snapshot's file holds as JSON: plans and the catalogue, which are few.
struct SnapshotRowsCoding: Codable {
    /// Canonical texts of all versions, by plan.
    var plans: [String: [String]]
    /// The numbers of the versions that serve what they have no price for, by plan; nil in copies from before the rule.
    var suspending: [String: [Int]]?
    /// Nil where the catalogue did not change.
    var catalogue: SnapshotCatalogueCoding?
    /// There whenever the catalogue is; nil in copies from before there were any.
    var secrets: [SnapshotSecretCoding]?
    /// In hexadecimal; nil where the part does not say, and in copies from before it was there.
    var sealingSecret: String?

    /// What the file holds is not what was written; the checksum should have told.
    struct Unreadable: Error {
        let text: String
    }

    init(_ part: SnapshotPart) {
        plans = part.histories.mapValues { $0.versions.map(\.document.canonicalText) }
        suspending = part.histories.mapValues { $0.versions.filter { $0.unpriced == .suspend }.map(\.version) }
        catalogue = part.models.map { SnapshotCatalogueCoding($0) }
        secrets = part.secrets?.values.sorted { $0.name < $1.name }.map { SnapshotSecretCoding($0) }
        sealingSecret = part.sealingSecret.map { Hexadecimal.text(of: $0) }
    }

    func add(to part: inout SnapshotPart) throws {
        for (plan, texts) in plans {
            let versions = try texts.map { text in
                let version = try PlanVersion(yaml: text)
                let isSuspending = suspending.map { $0[plan]?.contains(version.version) == true } ?? true
                return version.published(under: isSuspending ? .suspend : .refuse)
            }
            part.histories[plan] = try PlanHistory(published: versions)
        }
        part.models = try catalogue?.catalogueModels()
        if let secrets {
            part.secrets = Dictionary(try secrets.map { ($0.name, try $0.secret()) }) { $1 }
        }
        part.sealingSecret = sealingSecret.flatMap { Hexadecimal.bytes(of: $0) }
    }
}
