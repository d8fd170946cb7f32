import Accounts
import Identity
import Limits
import Logging
import Postgres
import SnapshotSync
import Storage
import Synchronization
import TestSupport
import Testing

@Suite(.database, .timeLimit(.minutes(10)))
struct LimitLeaseTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static var nowhere: Database {
        Database(.init(.init(host: "/nonexistent", database: "none", user: "none")))
    }

    private func rule(_ made: Fixture) -> LimitRule {
        LimitRule(
            id: LimitID(UUIDv7(high: 5, low: 5)), accountID: made.account.id, scope: .key(made.key.id),
            model: nil,
            kind: .requestsPerMinute, value: 10, isShadow: true)
    }

    @Test func `limits are in the snapshot, follow their changes, and are in the copy on disk`() async throws {
        try await Fixture.run { made in
            let rule = rule(made)
            let box = Mutex<SuppliedSnapshot?>(nil)
            func supplier(_ database: Database) -> SnapshotSupplier {
                SnapshotSupplier(
                    database: database, configuration: .init(filePath: made.directory + "/snapshot"),
                    logger: Self.logger, now: { Fixture.now }
                ) { snapshot in box.withLock { $0 = snapshot } }
            }
            func rules() -> [LimitRule] {
                box.withLock { snapshot in
                    snapshot?.limits.rules(
                        account: made.account.id, tenant: made.key.tenantID, project: made.key.projectID,
                        key: made.key.id, model: "sim-small") ?? []
                }
            }
            let first = supplier(made.database)
            try await first.start()
            #expect(rules().isEmpty)
            try await made.database.write { try LimitStorage.insert(rule, now: Fixture.now, in: $0) }
            await first.refresh()
            #expect(rules() == [rule])
            await first.flushFile()
            box.withLock { $0 = nil }
            try await supplier(Self.nowhere).start()
            #expect(rules() == [rule])
            try await made.database.write { try LimitStorage.delete(rule.id, in: $0) }
            await first.refresh()
            #expect(rules().isEmpty)
        }
    }

    @Test func `leases grant what is left, and say when Postgres cannot be reached`() async throws {
        try await Fixture.run { made in
            let rule = rule(made)
            try await made.database.write { try LimitStorage.insert(rule, now: Fixture.now, in: $0) }
            func ask(_ database: Database) async -> SliceReply {
                let leases = LimitLeases(
                    database: database, gateway: UUIDv7(high: 1, low: 1), logger: Self.logger)
                return await withCheckedContinuation { continuation in
                    leases.request([
                        SliceRequest(
                            accountID: rule.accountID, limitID: rule.id, spent: 0, spentConfirmed: 0, isFirst: true,
                            free: 0, reserved: 0, need: 1, wanted: 4, ahead: 0)
                    ]) { continuation.resume(returning: $0) }
                }
            }
            guard case .granted(let grants) = await ask(made.database) else {
                Issue.record("Postgres is there")
                return
            }
            #expect(grants.map(\.amount) == [4] && grants.map(\.available) == [6])
            #expect(await ask(Self.nowhere) == .unreachable)
        }
    }
}
