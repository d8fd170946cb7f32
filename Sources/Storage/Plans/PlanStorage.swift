public import Identity
import Metering
import Monetary
import PlanLanguage
public import Postgres
public import Pricing
import Synchronization

/// A version of a plan as it was published.
public struct PublishedPlanVersion: Sendable {
    public let version: PlanVersion
    /// The YAML in canonical form; as it was applied in versions from before that was stored.
    public let text: String
    /// SHA-256 of the text, in hexadecimal.
    public let sha256: String
    public let createdAt: Timestamp
}

/// A plan in a list.
public struct PlanSummary: Hashable, Sendable {
    public let plan: String
    public let title: String
    public let currencyCode: String
    /// The newest version's number.
    public let latestVersion: Int
    /// When the newest version takes (or took) effect.
    public let latestEffectiveFrom: Timestamp
    public let createdAt: Timestamp
}

/// Plans and their versions. A published version never changes.
public enum PlanStorage {
    /// What applying a document did.
    public enum Application: Hashable, Sendable {
        case published
        /// The same version with the same content was there already.
        case unchanged
    }

    /// Publishes a version: the document, and a row for each of its prices. Applying it again changes nothing.
    ///
    /// It must take effect at least a minute from now. A test clock that is past that goes by it a second from now.
    @discardableResult
    public static func apply(
        _ version: PlanVersion, now: Timestamp, in tx: Transaction
    ) throws -> Application {
        let plan = version.planID
        // The same for the same content, whatever the file looked like.
        let text = version.document.canonicalText
        try tx.execute(
            """
            INSERT INTO plans (plan, title, currency, created_at)
            VALUES (\(plan), \(version.title), \(version.currency), \(now))
            ON CONFLICT DO NOTHING
            """)
        // The plan's row is the lock under which versions join its history.
        _ = try tx.query("SELECT 1 FROM plans WHERE plan = \(plan) FOR UPDATE")
        let history = try history(of: plan, in: tx)
        switch try history.publishing(version, now: now) {
        case .unchanged: return .unchanged
        case .new:
            let findings = version.publicationFindings()
            guard findings.isEmpty else { throw PlanRejection(findings: findings) }
        }
        try tx.execute("UPDATE plans SET title = \(version.title) WHERE plan = \(plan)")
        try tx.execute(
            """
            INSERT INTO plan_versions (plan, version, effective_from, document, sha256, unpriced, created_at)
            VALUES (
                \(plan), \(version.version), \(version.effectiveFrom), \(text), \(SHA256Digest(of: text).hexadecimal),
                \(version.document.unpriced.rawValue), \(now)
            )
            """)
        try insert(version.prices, in: tx)
        try ChangeStorage.record(.plan, entity: "\(plan)@\(version.version)", in: tx)
        return .published
    }

    /// All versions of a plan; empty when there is no such plan. A version that does not read is named in it, and the
    /// others are there.
    public static func history(of plan: String, in tx: Transaction) throws -> PlanHistory {
        let rows = try tx.query(
            """
            SELECT plan, version, effective_from, document, sha256, unpriced, created_at FROM plan_versions
            WHERE plan = \(plan) ORDER BY version
            """)
        return PlanHistory(
            reading: try rows.map { row in
                let number = try row.decode("version", as: Int.self)
                // A version whose date does not read may have been in force at any time.
                let since = try UnreadableRow.reading { try row.decode("effective_from", as: Timestamp.self) }
                let publishedAt = try UnreadableRow.reading { try row.decode("created_at", as: Timestamp.self) }
                return try UnreadableRow.reading { try published(row, in: tx).version }.mapError {
                    UnreadableVersion(
                        number: number, effectiveFrom: (try? since.get()) ?? Timestamp(milliseconds: 0),
                        publishedAt: try? publishedAt.get(), reason: $0.reason)
                }
            })
    }

    /// All versions of a plan as they were published, the first one first.
    public static func versions(of plan: String, in tx: Transaction) throws -> [PublishedPlanVersion] {
        try tx.query(
            """
            SELECT plan, version, document, sha256, unpriced, created_at FROM plan_versions
            WHERE plan = \(plan) ORDER BY version
            """
        ).map { try published($0, in: tx) }
    }

    /// One version, or nil.
    public static func find(_ plan: String, version: Int, in tx: Transaction) throws -> PublishedPlanVersion? {
        try tx.query(
            """
            SELECT plan, version, document, sha256, unpriced, created_at FROM plan_versions
            WHERE plan = \(plan) AND version = \(version)
            """
        ).first.map { try published($0, in: tx) }
    }

    /// The histories of all plans, by slug.
    public static func histories(in tx: Transaction) throws -> [String: PlanHistory] {
        let plans: [String] = try tx.query("SELECT plan FROM plans ORDER BY plan").decodeAll()
        var histories: [String: PlanHistory] = [:]
        for plan in plans { histories[plan] = try history(of: plan, in: tx) }
        return histories
    }

    /// Plans in the order of their slugs, after `after`.
    public static func list(
        limit: Int = PageRequest.limitDefault, after: String? = nil, in tx: Transaction
    ) throws -> Page<PlanSummary> {
        let page = PageRequest(limit: limit)
        let rows = try tx.query(
            """
            SELECT p.plan, p.title, p.currency, p.created_at, v.version, v.effective_from
            FROM plans p
            CROSS JOIN LATERAL (
                SELECT version, effective_from FROM plan_versions WHERE plan = p.plan ORDER BY version DESC LIMIT 1
            ) v
            WHERE p.plan > \(after ?? "") ORDER BY p.plan LIMIT \(page.limitAndOne)
            """)
        let plans = try rows.map { row in
            PlanSummary(
                plan: try row.decode("plan"), title: try row.decode("title"),
                currencyCode: try row.decode("currency"), latestVersion: try row.decode("version"),
                latestEffectiveFrom: try row.decode("effective_from"), createdAt: try row.decode("created_at"))
        }
        return Page(plans, page)
    }

    private static func insert(_ prices: [EffectivePrice], _ conflict: SQL = "", in tx: Transaction) throws {
        var batch = InsertBatch(columns: [
            .init("price_id", "text"), .init("plan", "text"), .init("version", "integer"), .init("price_key", "text"),
            .init("tier", "text"), .init("variant", "text"), .init("meter", "text"),
            .init("picounits_per_unit", "numeric"),
        ])
        for price in prices {
            try batch.append([
                price.id, price.planID, price.version, price.priceKey, price.tier, price.variant,
                price.meter.rawValue, price.unitPrice.picounits,
            ])
        }
        if !batch.isEmpty { try tx.execute(batch.insert(into: "effective_prices", conflict)) }
    }

    /// Stores rows under conditions where they are not stored yet, in the order of their ids, so that two ingesters
    /// never wait for each other in a circle.
    static func addConditional(_ prices: [EffectivePrice], in tx: Transaction) throws {
        if prices.isEmpty { return }
        let byID = Dictionary(prices.map { ($0.id, $0) }) { first, _ in first }
        try insert(byID.values.sorted { $0.id < $1.id }, "ON CONFLICT DO NOTHING", in: tx)
    }

    /// The rows of prices that were stored with a version.
    private static func prices(
        of plan: String, version: Int, in tx: Transaction
    ) throws -> [EffectivePrice] {
        try tx.query(
            """
            SELECT price_key, tier, variant, meter, picounits_per_unit FROM effective_prices
            WHERE plan = \(plan) AND version = \(version)
            """
        ).map { row in
            EffectivePrice(
                planID: plan, version: version, priceKey: try row.decode("price_key"), tier: try row.decode("tier"),
                meter: try row.value("meter"), variant: try row.decode("variant"),
                model: .perUnit(
                    PerUnitPrice(unitPrice: try UnitPrice(picounits: try row.decode("picounits_per_unit")))))
        }
    }

    private static func published(_ row: Row, in tx: Transaction) throws -> PublishedPlanVersion {
        let text = try row.decode("document", as: String.self)
        let name = try row.decode("plan", as: String.self)
        let sha256 = SHA256Digest(of: text).hexadecimal
        guard try row.decode("sha256", as: String.self) == sha256 else {
            throw StorageError.corrupt("a published version of plan \(name) was changed: its checksum does not match")
        }
        let version: PlanVersion
        do {
            version = try ParsedPlans.version(sha256: sha256) {
                let document = try PlanDocument(yaml: text)
                let prices = try prices(of: document.plan, version: document.version, in: tx)
                return try PlanVersion(document: document, published: prices)
            }
        } catch let error as PlanRejection {
            throw StorageError.corrupt("a published version of plan \(name) does not read as a plan: \(error)")
        }
        guard !version.prices.isEmpty else {
            throw StorageError.corrupt("the prices of a published version of plan \(name) are missing")
        }
        guard let rule = UnpricedRule(rawValue: try row.decode("unpriced")) else {
            throw StorageError.corrupt("a published version of plan \(name) has an unknown rule for what is unpriced")
        }
        let createdAt = try row.decode("created_at", as: Timestamp.self)
        return PublishedPlanVersion(
            version: version.published(under: rule, at: createdAt), text: text, sha256: sha256, createdAt: createdAt)
    }
}

/// Versions read before, by the SHA-256 of their text: published texts never change, and reading one takes a while.
private enum ParsedPlans {
    private static let versionsMax = 1000
    private static let versions = Mutex<[String: PlanVersion]>([:])

    static func version(sha256: String, read: () throws -> PlanVersion) throws -> PlanVersion {
        if let known = versions.withLock({ $0[sha256] }) { return known }
        let version = try read()
        versions.withLock { versions in
            if versions.count >= versionsMax { versions.removeAll() }
            versions[sha256] = version
        }
        return version
    }
}
