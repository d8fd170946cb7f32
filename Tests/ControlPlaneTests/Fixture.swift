import Accounts
import Foundation
import Identity
import Ingest
import Logging
import Metering
import Monetary
import PlanLanguage
import Postgres
import Pricing
import Storage
import TestSupport
import Testing
import UsageJournal

/// A seller with a plan, a customer, and a gateway's journal in a directory of its own.
struct Fixture {
    /// Real time in these tests.
    static let now = Timestamp(milliseconds: 1_790_000_000_000)  // 2026-09-21T13:33:20Z

    let database: Database
    let pool: ConnectionPool
    let account: Account
    let tenant: Tenant
    let project: Project
    let key: APIKey
    let secret: Secret
    let subscription: Subscription
    let directory: String

    static func id<Kind>(_ number: UInt64, as kind: Kind.Type = Kind.self) -> TypedID<Kind> {
        TypedID(UUIDv7(milliseconds: now.milliseconds, randomness: (number, number)))
    }

    static func planText(version: Int = 1, effectiveFrom: String = "2026-01-01T00:00:00Z", policies: String = "")
        -> String
    {
        """
        plan: pay-as-you-go
        version: \(version)
        title: Pay as you go
        currency: EUR
        effective_from: \(effectiveFrom)
        \(policies)
        models:
          sim-small:
            input: "\(version == 1 ? "0.15" : "0.30")"
            output: "0.60"
            cache_read: "0.015"
            input_audio: "1.20"
            images: "40000"
          sim-embed:
            input: "0.02"
            output: none
        tiers:
          priority:
            multiplier: "1.75"
        """
    }

    /// Runs the test with everything stored, and removes the journal afterwards.
    static func run(
        zone: String = "Europe/Berlin", policies: String = "", _ body: (Fixture) async throws -> Void
    ) async throws {
        let made = try await make(zone: zone, policies: policies)
        do {
            try await body(made)
        } catch {
            try? FileManager.default.removeItem(atPath: made.directory)
            throw error
        }
        try FileManager.default.removeItem(atPath: made.directory)
    }

    private static func make(zone: String, policies: String) async throws -> Fixture {
        let pool = try TestDatabase.required.pool
        let database = Database(pool)
        let account = Account(
            id: id(1), name: "Example", currency: .eur, calendar: try BillingCalendar(zoneName: zone),
            sandboxID: Sandbox.id(ofItsOwn: id(1)), createdAt: now)
        let tenant = Tenant(id: id(2), accountID: account.id, name: "Research", createdAt: now)
        let project = Project(id: id(3), accountID: account.id, tenantID: tenant.id, name: "Chat", createdAt: now)
        let secret = Secret(text: "tg_first")
        let key = APIKey(id: id(4), project: project, name: "first", secret: secret, createdAt: now)
        let subscription = Subscription(
            id: id(5), accountID: account.id, tenantID: tenant.id, plan: "pay-as-you-go",
            startsAt: now.advanced(byMilliseconds: -300 * 86_400_000).clamped(to: "2026-01-01T00:00:00Z"),
            createdAt: now)
        let text = planText(policies: policies)
        let version = try PlanVersion(yaml: text)
        try await database.write { tx in
            try PlanStorage.apply(version, now: now, in: tx)
            try TestSandbox.open(of: account, in: tx)
            try AccountStorage.insert(account, in: tx)
            try TenantStorage.insert(tenant, in: tx)
            try ProjectStorage.insert(project, in: tx)
            try APIKeyStorage.insert(key, in: tx)
            try SubscriptionStorage.insert(subscription, in: tx)
        }
        let directory = FileManager.default.temporaryDirectory.path + "/tollgate-control-plane-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        return Fixture(
            database: database, pool: pool, account: account, tenant: tenant, project: project, key: key,
            secret: secret, subscription: subscription, directory: directory)
    }

    // MARK: the journal

    /// Opens the journal for the time of the closure, as one process would.
    func withJournal<Result>(_ body: (Journal) async throws -> Result) async throws -> Result {
        let journal = try Journal.open(
            JournalConfiguration(directory: directory + "/journal", segmentBytes: 256 * 1024, realTime: { Self.now })
        ).journal
        do {
            let result = try await body(journal)
            journal.close()
            return result
        } catch {
            journal.close()
            throw error
        }
    }

    /// Writes closed requests and waits until they are durable.
    func append(_ entries: [UsageEntry], to journal: Journal) async throws {
        for entry in entries.dropLast() {
            journal.appendClose(entry, reservation: try journal.appendOpen(entry)) { _ in }
        }
        guard let last = entries.last else { return }
        let reservation = try journal.appendOpen(last)
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            journal.appendClose(last, reservation: reservation) { result in
                continuation.resume(with: result.mapError { $0 })
            }
        }
    }

    func ingester(
        _ journal: Journal, database: Database? = nil, entriesMax: Int = 500
    ) -> Ingester {
        var configuration = Ingester.Configuration(gateway: "g1")
        configuration.entriesMax = entriesMax
        configuration.pollMilliseconds = 5
        configuration.retryMillisecondsMin = 5
        configuration.retryMillisecondsMax = 50
        return Ingester(
            journal: journal, database: database ?? self.database, configuration: configuration,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, now: { Self.now })
    }

    /// Ingests all that is durable.
    @discardableResult
    func ingestAll(_ journal: Journal, entriesMax: Int = 500) async throws -> IngestStatus.Snapshot {
        let ingester = ingester(journal, entriesMax: entriesMax)
        ingester.finish()
        try await ingester.run()
        return ingester.status.current
    }

    // MARK: records

    /// A request accepted at `at`, delivered by one attempt, with the usual tokens.
    func entry(_ number: UInt64, at text: String, change: (inout UsageEntry) -> Void = { _ in }) throws -> UsageEntry {
        let accepted = try #require(Timestamp(text))
        return entry(number, accepted: accepted, change: change)
    }

    func entry(_ number: UInt64, accepted: Timestamp, change: (inout UsageEntry) -> Void = { _ in }) -> UsageEntry {
        let request = RequestRecord(
            id: RequestID(UUIDv7(milliseconds: accepted.milliseconds, randomness: (number, number))),
            accountID: account.id, tenantID: tenant.id, projectID: project.id, keyID: key.id,
            subscriptionID: subscription.id, surface: .chatCompletions, modelRequested: "sim-small",
            marks: TimeMarks(firstByte: 1000, firstToken: 2000, lastToken: 9000, end: 10_000))
        var attempt = AttemptRecord(
            id: AttemptID(UUIDv7(milliseconds: accepted.milliseconds, randomness: (number, number &+ 1 << 40))),
            backend: "sim", upstreamModel: "sim", priceKey: "sim-small")
        attempt.buckets = TokenBuckets(inputUncached: 100, outputVisible: 20)
        attempt.usageSource = .engine
        attempt.usageComplete = true
        attempt.termination = .complete
        attempt.finishReason = "stop"
        attempt.upstreamStatus = 200
        attempt.marks = TimeMarks(upstreamSent: 500, firstByte: 900, firstToken: 1900, lastToken: 8900, end: 9900)
        attempt.rawUsage = Array(#"{"prompt_tokens":100}"#.utf8)
        var entry = UsageEntry(request: request, attempts: [attempt])
        change(&entry)
        return entry
    }

    // MARK: what is stored

    /// Everything that ingest stores beside positions, as text: equal where nothing changed.
    func stored() async throws -> [String] {
        var lines: [String] = []
        for table in ["request_records", "attempt_records", "usage_rollups", "request_rollups", "suspense"] {
            let rows = try await pool.query("SELECT t::text FROM \(unescaped: table) t ORDER BY 1")
            lines += rows.map { "\(table) \($0[0] ?? "")" }
        }
        return lines
    }

    func count(_ table: String) async throws -> Int {
        try await pool.query("SELECT count(*) FROM \(unescaped: table)").onlyValue()
    }

    /// Puts the journal's position back, as the restore of an older database would.
    func setMark(_ mark: JournalPosition, journal: JournalID) async throws {
        try await pool.execute(
            """
            UPDATE journals SET segment = \(mark.segment), byte_offset = \(mark.offset)
            WHERE journal_id = \(journal)
            """)
    }
}

extension Timestamp {
    fileprivate func clamped(to text: String) -> Timestamp { max(self, Timestamp(text) ?? self) }
}
