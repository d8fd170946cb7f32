import Accounts
import ControlPlane
import Identity
import Logging
import Storage
import TestSupport
import Testing
import UsageJournal

@Suite(.database, .timeLimit(.minutes(2)))
struct HeartbeatTests {
    @Test func `a moved clock is in the books once the gateway works by it, not ten seconds later`() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        try await Fixture.run { made in
            try await made.withJournal { journal in
                let supplier = SnapshotSupplier(
                    database: made.database, configuration: .init(filePath: nil), logger: logger,
                    now: { Fixture.now }, apply: { _ in })
                try await supplier.start()
                let heartbeat = HeartbeatLoop(
                    journal: journal, appliedChange: supplier.appliedChange, logger: logger, now: { Fixture.now })
                let ingester = made.ingester(journal)
                let followers = [Task { await supplier.run() }, Task { await heartbeat.run() }]
                let ingest = Task { try await ingester.run() }
                let account = try await made.database.write { tx in
                    try ClockStorage.advance(made.account.id, byMilliseconds: 1000, in: tx)
                }
                let id = journal.id
                var reported: Int64 = 0
                while reported < account.clockChange {
                    try await Task.sleep(for: .milliseconds(20))
                    reported = try await made.database.read { try JournalStorage.find(id, in: $0)?.snapshotChange } ?? 0
                }
                #expect(ingester.status.current.ingestedThrough == Fixture.now)
                for task in followers { task.cancel() }
                for task in followers { await task.value }
                ingester.finish()
                try await ingest.value
            }
        }
    }
}
