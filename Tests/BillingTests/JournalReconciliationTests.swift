import Accounts
import Billing
import Foundation
import Identity
import Metering
import Postgres
import Reconciliation
import Storage
import TestSupport
import Testing
import UsageJournal

/// Reconcile against real journal files.
@Suite(.database, .timeLimit(.minutes(10))) struct JournalReconciliationTests {
    private struct Setting {
        let world: BillingWorld
        let beta: Customer
        /// Goes away with the setting.
        let files: TemporaryDirectory

        var directory: String { files.path + "/journal" }
    }

    /// Three requests written by a journal and ingested from its files.
    private func setting() async throws -> Setting {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta", from: "2026-11-01T00:00:00Z")
        let setting = Setting(world: world, beta: beta, files: try TemporaryDirectory())
        let configuration = JournalConfiguration(directory: setting.directory, segmentBytes: 64 * 1024)
        let journal = try Journal.open(configuration).journal
        var requests: [RequestID: IngestRequest] = [:]
        for second in 10..<13 {
            let request = try await world.request(beta, at: "2026-11-03T10:00:\(second)Z", input: 1000, output: 50)
            requests[request.request.id] = request
            try await write(request, to: journal)
        }
        journal.close()
        try await ingest(requests, from: setting.directory, epoch: journal.epoch, world)
        return setting
    }

    private func write(_ request: IngestRequest, to journal: Journal) async throws {
        let entry = UsageEntry(request: request.request, attempts: request.attempts.map(\.record))
        let reservation = try journal.appendOpen(entry)
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            journal.appendClose(entry, reservation: reservation) { continuation.resume(with: $0.mapError { $0 }) }
        }
    }

    private func ingest(
        _ requests: [RequestID: IngestRequest], from directory: String, epoch: Int64, _ world: BillingWorld
    ) async throws {
        var reader = try JournalReader(directory: directory)
        let items = try reader.next(limit: 100)
        let id = reader.journalID
        let end = reader.position
        var batch = IngestBatch(journalID: id, epoch: epoch, from: JournalPosition(segment: 0, offset: 0), to: end)
        for item in items {
            guard case .entry(.close(let closed)) = item.content, var request = requests[closed.request.id] else {
                continue
            }
            request.mark = item.end
            batch.requests.append(request)
        }
        let outcome = try await world.database.write { [batch] tx in
            _ = try JournalStorage.register(id, gateway: "gw-2", epoch: epoch, now: BillingWorld.beginning, in: tx)
            return try IngestStorage.store(batch, in: tx)
        }
        #expect(outcome == .stored(requests: 3, attempts: 3))
    }

    private func check(_ setting: Setting) async throws -> ReconciliationCheck {
        var options = ReconciliationRun.Options(now: BillingWorld.beginning)
        options.journalDirectories = [setting.directory]
        let report = try await ReconciliationRun(database: setting.world.database, options: options).run()
        return try #require(report.checks.first)
    }

    @Test func `what stands behind the mark of a retired journal is named`() async throws {
        let setting = try await setting()
        let journal = try Journal.open(
            JournalConfiguration(directory: setting.directory, segmentBytes: 64 * 1024)
        ).journal
        let late = try await setting.world.request(setting.beta, at: "2026-11-03T11:00:00Z", input: 7)
        try await write(late, to: journal)
        journal.close()
        let id = journal.id
        try await setting.world.database.write { tx in
            try JournalStorage.retire(id, reason: "lost", now: BillingWorld.instant("2027-01-01T00:00:00Z"), in: tx)
        }
        let check = try await check(setting)
        #expect(check.isEqual)
        #expect(check.notes.contains { $0.hasSuffix("was retired; requests in its files that are on no invoice: 1") })
    }

    @Test func `what was written is what is stored`() async throws {
        let setting = try await setting()
        let found = try await check(setting)
        #expect(found.isEqual, "\(found.differences)")
        #expect(found.leftText == "3 attempts, 3 requests")
        #expect(found.notes == ["journal \(setting.world.journalID) of gateway gw-1 was not read: name its directory"])
    }

    @Test(arguments: [
        "DELETE FROM request_records WHERE record_id = (SELECT min(record_id::text)::uuid FROM request_records)",
        "UPDATE attempt_records SET input_uncached = input_uncached - 1",
        "UPDATE request_records SET outcome = 'provider_error'",
        "UPDATE attempt_records SET termination = 'client_abort'",
        """
        INSERT INTO request_records
        SELECT (jsonb_populate_record(r, '{"record_id": "0198f000-0000-7000-8000-000000000001"}')).*
        FROM request_records r LIMIT 1
        """,
    ])
    func `a record that was changed, lost or invented is found`(statement: String) async throws {
        let setting = try await setting()
        try await setting.world.pool.withConnection { try await $0.script(statement) }
        #expect(try await !check(setting).isEqual, "\(statement)")
    }

    @Test func `a journal with damaged bytes is found`() async throws {
        let setting = try await setting()
        let path = setting.directory + "/0000000001.seg"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        let text = try #require(bytes.range(of: Data("sim-model".utf8), options: .backwards))
        bytes[text.lowerBound] ^= 1
        try bytes.write(to: URL(fileURLWithPath: path))
        #expect(try await !check(setting).isEqual)
    }

    /// A segment that was never ingested is gone: what it held is on no invoice. One that was ingested and then removed
    /// looks the same in the directory.
    @Test func `a hole at a journal's beginning is a difference until it is released`() async throws {
        let setting = try await setting()
        let configuration = JournalConfiguration(directory: setting.directory, segmentBytes: 64 * 1024)
        let journal = try Journal.open(configuration).journal
        try journal.appendHeartbeat(JournalHeartbeat(realTime: BillingWorld.beginning, snapshotChange: 0))
        while journal.durablePosition < journal.writtenPosition { try await Task.sleep(for: .milliseconds(5)) }
        let (id, end) = (journal.id, journal.durablePosition)
        journal.close()
        try await setting.world.pool.execute(
            """
            UPDATE journals SET segment = \(end.segment), byte_offset = \(end.offset) WHERE journal_id = \(id)
            """)
        try FileManager.default.removeItem(atPath: setting.directory + "/0000000001.seg")
        let removed = try await check(setting)
        #expect(removed.notes.contains { $0.contains("segments up to 1 are removed") })
        try await setting.world.pool.execute(
            """
            INSERT INTO journal_quarantines (journal_id, segment, byte_offset, length, reason, found_at)
            VALUES (\(id), 1, 0, 0, 'missing_segment', \(BillingWorld.beginning))
            """)
        let missing = try await check(setting)
        #expect(!missing.isEqual && missing.differences.contains { $0.contains("missing_segment at 1:0") })
        _ = try await setting.world.database.write {
            try QuarantineStorage.release(
                id, at: nil, reason: "given up", actor: "a test", now: BillingWorld.beginning, in: $0)
        }
        let released = try await check(setting)
        #expect(released.notes.contains { $0.contains("released: given up") })
        #expect(!released.differences.contains { $0.contains("missing_segment") })
    }

    @Test func `a directory that is not there is a difference and not a crash`() async throws {
        let setting = try await setting()
        try FileManager.default.removeItem(atPath: setting.directory)
        let found = try await check(setting)
        #expect(!found.isEqual)
        #expect(found.differences.first?.contains("cannot be read") == true)
    }
}
