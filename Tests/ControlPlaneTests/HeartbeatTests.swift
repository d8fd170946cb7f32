import Accounts
import Identity
import Ingest
import Logging
import SnapshotSync
import Storage
import TestSupport
import Testing
import UsageJournal

@Suite(.database, .timeLimit(.minutes(10)))
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
                    try TestSandbox.advance(made.account.id, byMilliseconds: 1000, now: Fixture.now, in: tx)
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

    @Test func `a sign of life waits for the requests that it speaks for`() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        try await Fixture.run { made in
            try await made.withJournal { journal in
                let (gate, open) = AsyncStream.makeStream(of: Void.self)
                let supplier = SnapshotSupplier(
                    database: made.database, configuration: .init(filePath: nil), logger: logger,
                    now: { Fixture.now }, apply: { _ in })
                let heartbeat = HeartbeatLoop(
                    journal: journal, appliedChange: supplier.appliedChange, logger: logger, now: { Fixture.now },
                    settle: { for await _ in gate { return } })
                let beating = Task { await heartbeat.run() }
                try await Task.sleep(for: .milliseconds(100))
                // Accepted in the meantime: its open record must stand before the sign of life.
                _ = try journal.appendOpen(made.entry(1, accepted: Fixture.now))
                open.yield()
                var kinds: [String] = []
                while kinds.count < 2 {
                    try await Task.sleep(for: .milliseconds(10))
                    var reader = try JournalReader(directory: journal.directory)
                    kinds = try reader.next(limit: 100).compactMap { item in
                        switch item.content {
                        case .entry(.open): "open"
                        case .entry(.heartbeat): "heartbeat"
                        case .entry, .quarantined: nil
                        }
                    }
                }
                #expect(kinds == ["open", "heartbeat"])
                open.finish()
                beating.cancel()
                await beating.value
            }
        }
    }
}
