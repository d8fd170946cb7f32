import Foundation
import Glibc
import Identity
import Logging
import Postgres
import Pricing
import Storage
import Synchronization
import TestSupport
import Testing

@testable import Accounts
@testable import SnapshotSync

/// A seller with many customers, each with an account, a tenant, a project, a key and a subscription of its own: the
/// most memory that a key can take. With `TOLLGATE_LONG` there are a million, and the figures that docs/performance.md
/// shows are printed (in a release build).
@Suite(.database, .timeLimit(.minutes(30)))
struct MillionKeysTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private static let isLong = ProcessInfo.processInfo.environment["TOLLGATE_LONG"] != nil
    private static let count = isLong ? 1_000_000 : 3000

    private static func digest(_ number: Int) -> SHA256Digest { SHA256Digest(of: "secret \(number)") }

    /// Customers 1 to `count`; ids are of the form kind, number.
    private static func insertCustomers(_ pool: ConnectionPool) async throws {
        func uuid(_ kind: Int) -> SQL {
            "('0\(unescaped: String(kind))920000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
        }
        let customers: SQL = "FROM generate_series(1, \(unescaped: String(count))) n"
        let (account, tenant, project) = (uuid(1), uuid(2), uuid(3))
        let statements: [SQL] = [
            """
            INSERT INTO accounts (account_id, name, currency, time_zone, created_at)
            SELECT \(account), 'a', 'EUR', 'UTC', now() \(customers)
            """,
            """
            INSERT INTO tenants (account_id, tenant_id, name, created_at)
            SELECT \(account), \(tenant), 't', now() \(customers)
            """,
            """
            INSERT INTO projects (account_id, tenant_id, project_id, name, created_at)
            SELECT \(account), \(tenant), \(project), 'p', now() \(customers)
            """,
            """
            INSERT INTO api_keys (
                account_id, key_id, tenant_id, project_id, name, secret_sha256, secret_hint, created_at
            )
            SELECT \(account), \(uuid(4)), \(tenant), \(project), 'k', sha256(('secret ' || n)::bytea), 's', now()
            \(customers)
            """,
            """
            INSERT INTO subscriptions (account_id, subscription_id, tenant_id, plan, starts_at, created_at)
            SELECT \(account), \(uuid(5)), \(tenant), 'pay-as-you-go', '2026-02-01Z', now() \(customers)
            """,
        ]
        try await pool.withTransaction { tx in
            try tx.execute("SET LOCAL session_replication_role = replica")
            try tx.execute("SET LOCAL statement_timeout = 0")
            for statement in statements { try tx.execute(statement) }
        }
        try await pool.execute("ANALYZE")
    }

    /// Bytes of the process in memory.
    private static func residentBytes() throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        return (Int(text.split(separator: " ")[1]) ?? 0) * 4096
    }

    private static func report(_ line: String) {
        if isLong { print("snapshot of \(count) keys: \(line)") }
    }

    /// CPU time spent so far: what stays the same on a machine that others use, too.
    private static func cpuMilliseconds(_ clock: clockid_t) -> Int {
        var time = timespec()
        clock_gettime(clock, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    private static func timed<Result>(
        _ what: String, _ body: () async throws -> Result
    ) async rethrows -> Result {
        let clock = ContinuousClock()
        let (start, startCPU) = (clock.now, cpuMilliseconds(CLOCK_PROCESS_CPUTIME_ID))
        let result = try await body()
        let cpu = cpuMilliseconds(CLOCK_PROCESS_CPUTIME_ID) - startCPU
        report("\(what): \(clock.now - start), \(cpu) ms of CPU here")
        return result
    }

    /// Looks keys up in an order that no cache likes.
    private static func reportLookups(_ directory: KeyDirectory, _ known: [SHA256Digest], _ name: String) {
        let looks = isLong ? 2_000_000 : 1000
        var found = 0
        let start = cpuMilliseconds(CLOCK_THREAD_CPUTIME_ID)
        for look in 0..<looks where directory.grant(forSecretDigest: known[look % known.count]) != nil { found += 1 }
        let cpu = cpuMilliseconds(CLOCK_THREAD_CPUTIME_ID) - start
        #expect(found == looks)
        report("look-up among \(name): \(cpu * 1_000_000 / looks) ns of CPU")
    }

    @Test func `a snapshot of many keys loads, changes by one key, and comes back from its file`() async throws {
        try await Fixture.run { made in
            try await Self.insertCustomers(made.pool)
            let before = try Self.residentBytes()
            var state = try await Self.timed("load from Postgres") {
                try await made.database.read { tx in
                    var state = SnapshotState(now: Fixture.now)
                    let mark = try SnapshotStorage.load(now: Fixture.now, in: tx) { state.apply($0, now: Fixture.now) }
                    state.reach(mark)
                    return state
                }
            }
            let resident = (try Self.residentBytes() - before) / Self.count
            Self.report("memory: \(resident) bytes a key resident, \(state.keys.byteCount / Self.count) in rows")
            #expect(state.keys.count == Self.count + 1)
            if Self.isLong { #expect(resident <= 200) }

            let held = state.snapshot(at: Fixture.now)
            var random = SeededGenerator(seed: 5)
            let some = (0..<min(Self.count, 200_000)).map { _ in
                Self.digest(Int.random(in: 1...Self.count, using: &random))
            }
            Self.reportLookups(held.keys, some, "\(Self.count)")
            let few = Self.few(of: state)
            Self.reportLookups(KeyDirectory(table: few.table, at: Fixture.now), few.digests, "10")

            var part = SnapshotPart()
            part.removedKeys = [Self.digest(77)]
            await Self.timed("one key revoked, an older snapshot still in use") {
                state.apply(part, now: Fixture.now)
                _ = state.snapshot(at: Fixture.now)
            }
            #expect(held.keys.grant(forSecretDigest: Self.digest(77)) != nil)
            #expect(state.keys.grant(forSecretDigest: Self.digest(77), at: Fixture.now) == nil)

            let path = made.directory + "/snapshot"
            let writer = SnapshotFileWriter(path: path, logger: Self.logger)
            let whole = state
            await Self.timed("file written") {
                writer.write(whole, now: Fixture.now)
                await writer.flush()
            }
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
            let read = try await Self.timed("file of \(size) bytes read") {
                try SnapshotFile(path: path).read(now: Fixture.now).state
            }
            #expect(read.keys.count == Self.count)
        }
    }

    /// The first ten customers, in a table of their own.
    private static func few(of state: SnapshotState) -> (table: KeyTable, digests: [SHA256Digest]) {
        var table = KeyTable()
        var digests: [SHA256Digest] = []
        for (plan, history) in state.histories {
            table.setPlan(plan, versions: history.versions.map { PlanTerms($0) })
        }
        var tenants: Set<TenantReference> = []
        state.keys.forEachKey { key in
            guard digests.count < 10 else { return }
            table.put(key)
            digests.append(key.secretDigest)
            tenants.insert(TenantReference(accountID: key.accountID, tenantID: key.tenantID))
        }
        state.keys.forEachSubscription { subscription, _ in
            if tenants.contains(subscription.tenant) { table.add(subscription) }
        }
        return (table, digests)
    }

    @Test func `a revoked key among many is gone from the gateway within the second`() async throws {
        try await Fixture.run { made in
            try await Self.insertCustomers(made.pool)
            let box = Mutex<SuppliedSnapshot?>(nil)
            let supplier = SnapshotSupplier(
                database: made.database, configuration: .init(filePath: made.directory + "/snapshot"),
                logger: Self.logger, now: { Fixture.now }
            ) { snapshot in box.withLock { $0 = snapshot } }
            try await Self.timed("start of the supplier, file written") { try await supplier.start() }
            try await made.database.write { tx in
                _ = try APIKeyStorage.revoke(made.key.id, now: Fixture.now, in: tx)
            }
            let clock = ContinuousClock()
            let start = clock.now
            await supplier.refresh()
            let elapsed = clock.now - start
            Self.report("refresh after one revocation: \(elapsed)")
            #expect(elapsed < .seconds(1))
            #expect(box.withLock { $0?.keys.grant(forSecretDigest: made.secret.digest) } == nil)
            await supplier.flushFile()
        }
    }
}
