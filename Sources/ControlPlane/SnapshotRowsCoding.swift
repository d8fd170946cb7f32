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
    /// Versions that do not read, by plan; nil in copies from before they were kept.
    var unreadable: [String: [Unread]]?
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

    struct Unread: Codable {
        var number: Int
        var effectiveFrom: Int64
        var reason: String

        init(_ version: UnreadableVersion) {
            number = version.number
            effectiveFrom = version.effectiveFrom.milliseconds
            reason = version.reason
        }

        var version: UnreadableVersion {
            UnreadableVersion(
                number: number, effectiveFrom: Timestamp(milliseconds: effectiveFrom), reason: reason)
        }
    }

    init(_ part: SnapshotPart) {
        plans = part.histories.mapValues { $0.versions.map(\.document.canonicalText) }
        suspending = part.histories.mapValues { $0.versions.filter { $0.unpriced == .suspend }.map(\.version) }
        unreadable = part.histories.mapValues { $0.unreadable.map { Unread($0) } }.filter { !$0.value.isEmpty }
        catalogue = part.models.map { SnapshotCatalogueCoding($0) }
        secrets = part.secrets?.values.sorted { $0.name < $1.name }.map { SnapshotSecretCoding($0) }
        sealingSecret = part.sealingSecret.map { Hexadecimal.text(of: $0) }
    }

    func add(to part: inout SnapshotPart) throws {
        for (plan, texts) in plans {
            var rows = try texts.map { text in
                let version = try PlanVersion(yaml: text)
                let isSuspending = suspending.map { $0[plan]?.contains(version.version) == true } ?? true
                let published = version.published(under: isSuspending ? .suspend : .refuse)
                return (version.version, Result<PlanVersion, UnreadableVersion>.success(published))
            }
            rows += unreadable?[plan]?.map { ($0.number, .failure($0.version)) } ?? []
            part.histories[plan] = PlanHistory(reading: rows.sorted { $0.0 < $1.0 }.map(\.1))
        }
        part.models = try catalogue?.catalogueModels()
        if let secrets {
            part.secrets = Dictionary(try secrets.map { ($0.name, try $0.secret()) }) { $1 }
        }
        part.sealingSecret = sealingSecret.flatMap { Hexadecimal.bytes(of: $0) }
    }
}
