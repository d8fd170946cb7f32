import Identity
import Metering
import Testing

@testable import UsageJournal

@Suite(.timeLimit(.minutes(2))) struct JournalTests {
    private let directory = TemporaryDirectory()
    private var generator = SeededGenerator(seed: 7)

    private func configuration(segmentBytes: Int = 64 * 1024) -> JournalConfiguration {
        JournalConfiguration(directory: directory.path, segmentBytes: segmentBytes)
    }

    @Test mutating func `what was appended is read back in order, and survives a reopening`() throws {
        let entry = generator.entry(attempts: 1...2)
        let refusal = generator.refusal()
        let (journal, report) = try Journal.open(configuration())
        #expect(report.isClean)
        #expect(journal.epoch == 1)
        let reservation = try journal.appendOpen(entry)
        let progress = UsageProgress(requestID: entry.request.id, contentEvents: 3, buckets: TokenBuckets())
        try journal.appendProgress(progress)
        let heartbeat = JournalHeartbeat(realTime: Timestamp(milliseconds: 5), snapshotChange: 9)
        try journal.appendHeartbeat(heartbeat)
        try journal.appendRefusals([refusal])
        try journal.closeAndWait(entry, reservation).get()
        journal.close()
        #expect(!journal.isAccepting)

        let (second, again) = try Journal.open(configuration())
        defer { second.close() }
        #expect(again.isClean)
        #expect(second.id == journal.id)
        #expect(second.epoch == 2)
        let entries = try readAll(directory.path).entries
        #expect(entries.count == 7)
        #expect(
            entries[1...5] == [
                .open(entry), .progress(progress), .heartbeat(heartbeat), .refusals([refusal]), .close(entry),
            ])
    }
}
