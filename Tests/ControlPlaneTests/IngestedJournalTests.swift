import Identity
import Ingest
import Logging
import Postgres
import SnapshotSync
import Storage
import Synchronization
import TestSupport
import Testing
import UsageJournal

/// A journal that was opened again after its ingester had looked so often.
private final class ReopenedJournal: IngestedJournal {
    private let journal: Journal
    private let looks = Atomic<Int>(0)
    private let looksMax: Int

    init(_ journal: Journal, afterLooks looksMax: Int) {
        self.journal = journal
        self.looksMax = looksMax
    }

    var id: JournalID { journal.id }
    var epoch: Int64 { journal.epoch }
    var directory: String { journal.directory }
    var durablePosition: JournalPosition { journal.durablePosition }
    var oldestNeeded: Int64 { journal.oldestNeeded }
    var isSuperseded: Bool { looks.wrappingAdd(1, ordering: .relaxed).newValue > looksMax }
}

@Suite(.database, .timeLimit(.minutes(10)))
struct IngestedJournalTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test func `an ingester that always has something to do learns that its journal was opened again`() async throws {
        try await Fixture.run { made in
            try await made.withJournal { journal in
                for number in 1...20 as ClosedRange<UInt64> {
                    try journal.appendHeartbeat(
                        JournalHeartbeat(
                            realTime: Fixture.now.advanced(byMilliseconds: Int64(number)), snapshotChange: 0))
                }
                while journal.durablePosition < journal.writtenPosition {
                    try await Task.sleep(for: .milliseconds(5))
                }
                var configuration = Ingester.Configuration(gateway: "g1")
                configuration.entriesMax = 2
                configuration.pollMilliseconds = 5
                let ingester = Ingester(
                    journal: ReopenedJournal(journal, afterLooks: 3), database: made.database,
                    configuration: configuration, logger: Self.logger, now: { Fixture.now })
                await #expect(throws: IngestError.superseded) { try await ingester.run() }
                let id = journal.id
                let mark = try await made.database.read { try JournalStorage.require(id, in: $0).mark }
                #expect(mark > .start && mark < journal.durablePosition, "it stopped on the way")
                let next = made.ingester(journal)
                next.finish()
                try await next.run()
                let end = try await made.database.read { try JournalStorage.require(id, in: $0).mark }
                #expect(end == journal.durablePosition)
            }
        }
    }

    @Test func `a journal is known before anybody reads it, and stays as its ingester left it`() async throws {
        try await Fixture.run { made in
            try await made.withJournal { journal in
                let id = journal.id
                let announcement = JournalAnnouncement(
                    journal: journal, gateway: "g1", process: UUIDv7(high: 1, low: 1), database: made.database,
                    logger: Self.logger, now: { Fixture.now })
                func announce() async throws {
                    try await made.database.write { try $0.execute("UPDATE journals SET announced_at = NULL") }
                    let announcing = Task { try await announcement.run() }
                    while try await made.database.read({ try JournalStorage.find(id, in: $0)?.announcedAt }) == nil {
                        try await Task.sleep(for: .milliseconds(5))
                    }
                    announcing.cancel()
                    try await announcing.value
                }
                try await announce()
                let known = try await made.database.read { try JournalStorage.require(id, in: $0) }
                #expect(known.mark == .start && known.ingestedThrough == nil && known.epoch == journal.epoch)
                try journal.appendHeartbeat(JournalHeartbeat(realTime: Fixture.now, snapshotChange: 0))
                while journal.durablePosition < journal.writtenPosition {
                    try await Task.sleep(for: .milliseconds(5))
                }
                let ingester = made.ingester(journal)
                ingester.finish()
                try await ingester.run()
                let read = try await made.database.read { try JournalStorage.require(id, in: $0) }
                #expect(read.ingestedThrough == Fixture.now)
                try await announce()
                let again = try await made.database.read { try JournalStorage.require(id, in: $0) }
                #expect(again.mark == read.mark && again.ingestedThrough == read.ingestedThrough)
                // The directory was put back to a state from before.
                try await made.database.write { tx in
                    try tx.execute("UPDATE journals SET segment = segment + 2 WHERE journal_id = \(id)")
                }
                await #expect {
                    try await announcement.run()
                } throws: {
                    "\($0)".contains("its files are older than the database")
                }
                try await made.database.write { tx in
                    try tx.execute("UPDATE journals SET segment = segment - 2 WHERE journal_id = \(id)")
                }
                let retired = Fixture.now.advanced(byMilliseconds: 60_001)
                try await made.database.write { try JournalStorage.retire(id, reason: "lost", now: retired, in: $0) }
                await #expect {
                    try await announcement.run()
                } throws: {
                    "\($0)".contains("was retired (lost)")
                }
            }
        }
    }
}
