import Accounts
import Engines
import Identity
import Metering
import Monetary
import PlanLanguage
import Pricing
import Storage

/// What the snapshot's file holds as JSON: plans and the catalogue, which are few.
struct SnapshotRowsCoding: Codable {
    /// Canonical texts of all versions, by plan.
    var plans: [String: [String]]
    /// Price rows of versions whose documents would be multiplied out to others today, by plan and version
    /// (`plan@version`); nil in copies from before they were kept.
    var prices: [String: [Price]]?
    /// The numbers of the versions that serve what they have no price for, by plan; nil in copies from before the rule.
    var suspending: [String: [Int]]?
    /// Versions that do not read, by plan; nil in copies from before they were kept.
    var unreadable: [String: [Unread]]?
    /// When the versions were published, in their order and in milliseconds, by plan; nil in copies from before it was
    /// kept.
    var published: [String: [Int64?]]?
    /// The moves of test clocks and whose they are; nil in copies from before they were kept, of which the offset is
    /// known alone.
    var clocks: [Clock]?
    /// Nil where the catalogue did not change.
    var catalogue: SnapshotCatalogueCoding?
    /// There whenever the catalogue is; nil in copies from before there were any.
    var secrets: [SnapshotSecretCoding]?
    /// Keys of which no row is left; nil in copies from before any went.
    var goneKeys: [String]?
    /// What seals ids of what engines keep, in hexadecimal and in clear: in copies of older gateways alone.
    var sealingSecret: String?
    /// The same, encrypted as backends' secrets are; nil where the part does not say, or there was no key.
    var sealedSecret: SealedValue?

    private static let sealContext = ["snapshot", "sealing secret"]

    /// What the file holds is not what was written; the checksum should have told.
    struct Unreadable: Error {
        let text: String
    }

    struct Price: Codable {
        var priceKey: String
        var tier: String
        var meter: String
        var picounits: Int64

        init(_ price: EffectivePrice) {
            priceKey = price.priceKey
            tier = price.tier
            meter = price.meter.rawValue
            picounits = price.unitPrice.picounits
        }

        func row(of document: PlanDocument) throws -> EffectivePrice {
            guard let meter = Meter(rawValue: meter) else { throw Unreadable(text: meter) }
            return EffectivePrice(
                planID: document.plan, version: document.version, priceKey: priceKey, tier: tier, meter: meter,
                model: .perUnit(PerUnitPrice(unitPrice: try UnitPrice(picounits: picounits))))
        }
    }

    /// A clock that several tenants may have.
    struct Clock: Codable {
        /// Places in the part's list of clocks.
        var places: [Int]
        /// Real times and, in their order, what the clock was ahead from then on.
        var at: [Int64]
        var ahead: [Int64]

        init(_ clock: TestClock, places: [Int]) {
            self.places = places
            at = clock.moves.map(\.at.milliseconds)
            ahead = clock.moves.map(\.offsetMilliseconds)
        }

        var clock: TestClock {
            TestClock(
                moves: zip(at, ahead).map {
                    TestClock.Move(at: Timestamp(milliseconds: $0), offsetMilliseconds: $1)
                })
        }
    }

    struct Unread: Codable {
        var number: Int
        var effectiveFrom: Int64
        var publishedAt: Int64?
        var reason: String

        init(_ version: UnreadableVersion) {
            number = version.number
            effectiveFrom = version.effectiveFrom.milliseconds
            publishedAt = version.publishedAt?.milliseconds
            reason = version.reason
        }

        var version: UnreadableVersion {
            UnreadableVersion(
                number: number, effectiveFrom: Timestamp(milliseconds: effectiveFrom),
                publishedAt: publishedAt.map { Timestamp(milliseconds: $0) }, reason: reason)
        }
    }

    init(_ part: SnapshotPart, sealedBy keyring: SecretKeyring? = nil) {
        plans = part.histories.mapValues { $0.versions.map(\.document.canonicalText) }
        let versions = part.histories.values.flatMap(\.versions)
        let special = versions.filter { (try? PlanVersion(document: $0.document))?.prices != $0.prices }
        prices = Dictionary(special.map { (Self.name($0.document), $0.prices.map { Price($0) }) }) { first, _ in first }
        suspending = part.histories.mapValues { $0.versions.filter { $0.unpriced == .suspend }.map(\.version) }
        unreadable = part.histories.mapValues { $0.unreadable.map { Unread($0) } }.filter { !$0.value.isEmpty }
        published = part.histories.mapValues { $0.versions.map { $0.publishedAt?.milliseconds } }
        let places = Dictionary(grouping: part.clocks.indices) { part.clocks[$0].clock }
        clocks = places.filter { !$0.key.moves.isEmpty }.map { Clock($0.key, places: $0.value) }
        catalogue = part.models.map { SnapshotCatalogueCoding($0) }
        goneKeys = part.goneKeys.isEmpty ? nil : part.goneKeys.map(\.description).sorted()
        secrets = part.secrets?.values.sorted { $0.name < $1.name }.map { SnapshotSecretCoding($0) }
        sealedSecret = part.sealingSecret.flatMap { secret in
            keyring.map {
                $0.seal(Hexadecimal.text(of: secret), nonce: SecretNonce.fresh(), context: Self.sealContext)
            }
        }
    }

    private static func name(_ document: PlanDocument) -> String { "\(document.plan)@\(document.version)" }

    func add(to part: inout SnapshotPart, openedBy keyring: SecretKeyring? = nil) throws {
        for clock in clocks ?? [] {
            for place in clock.places where part.clocks.indices.contains(place) {
                part.clocks[place] = SuppliedClock(tenant: part.clocks[place].tenant, clock: clock.clock)
            }
        }
        for (plan, texts) in plans {
            let instants = published?[plan] ?? []
            var rows = try texts.enumerated().map { index, text in
                let document = try PlanDocument(yaml: text)
                let rows = try prices?[Self.name(document)]?.map { try $0.row(of: document) }
                let version =
                    try rows.map { rows throws(PlanRejection) in try PlanVersion(document: document, published: rows) }
                    ?? PlanVersion(document: document)
                let isSuspending = suspending.map { $0[plan]?.contains(version.version) == true } ?? true
                let instant = instants.indices.contains(index) ? instants[index] : nil
                let published = version.published(
                    under: isSuspending ? .suspend : .refuse, at: instant.map { Timestamp(milliseconds: $0) })
                return (version.version, Result<PlanVersion, UnreadableVersion>.success(published))
            }
            rows += unreadable?[plan]?.map { ($0.number, .failure($0.version)) } ?? []
            part.histories[plan] = PlanHistory(reading: rows.sorted { $0.0 < $1.0 }.map(\.1))
        }
        part.models = try catalogue?.catalogueModels()
        if let secrets {
            part.secrets = Dictionary(try secrets.map { ($0.name, try $0.secret()) }) { $1 }
        }
        part.goneKeys = Set(
            try (goneKeys ?? []).map { text in
                guard let id = KeyID(text) else { throw Unreadable(text: text) }
                return id
            })
        // What does not open is as good as not there: Postgres has it.
        let secret = sealedSecret.flatMap { try? keyring?.open($0, context: Self.sealContext) } ?? sealingSecret
        part.sealingSecret = secret.flatMap { Hexadecimal.bytes(of: $0) }
    }
}
