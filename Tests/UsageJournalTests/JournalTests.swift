import Glibc
import Identity
import Metering
import Testing

@testable import UsageJournal

@Suite(.timeLimit(.minutes(10))) struct JournalTests {
    private let directory = TemporaryDirectory()
    private let files = FaultyFiles()
    private let failures = Collector<JournalError>()
    private var generator = SeededGenerator(seed: 7)

    private func configuration(
        segmentBytes: Int = 64 * 1024, preparedSegmentsMax: Int = 8
    ) -> JournalConfiguration {
        let failures = failures
        var configuration = JournalConfiguration(
            directory: directory.path, segmentBytes: segmentBytes, preparedSegmentsMax: preparedSegmentsMax,
            fullRetryMilliseconds: 0, onFailure: { failures.add($0) })
        configuration.files = files
        return configuration
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

    @Test func `a second opener is told who holds the directory`() throws {
        let (journal, _) = try Journal.open(configuration())
        let error = #expect(throws: JournalError.self) { try Journal.open(configuration()) }
        #expect(error == .locked(directory: directory.path, holder: "process \(getpid())"))
        journal.close()
        try Journal.open(configuration()).journal.close()
    }

    @Test func `settings that cannot work are refused with the reason`() {
        #expect(throws: JournalError.self) { try Journal.open(configuration(segmentBytes: 100)) }
        #expect(throws: JournalError.self) { try Journal.open(configuration(preparedSegmentsMax: 0)) }
    }

    @Test mutating func `what arrives during a sync is one next group, told in order`() throws {
        let (journal, _) = try Journal.open(configuration())
        defer { journal.close() }
        let entries = (0..<20).map { _ in generator.entry(attempts: 1...1) }
        let reservations = try entries.map { entry throws in try journal.appendOpen(entry) }
        let order = Collector<Int>()
        files.set { $0.holdsSyncs = true }
        let before = files.syncs
        journal.appendClose(entries[0], reservation: reservations[0]) { _ in order.add(0) }
        while files.syncs == before { usleep(500) }
        for index in 1..<20 {
            journal.appendClose(entries[index], reservation: reservations[index]) { _ in order.add(index) }
        }
        #expect(order.all.isEmpty, "nobody is told before the sync")
        let held = journal.durablePosition
        files.set { $0.holdsSyncs = false }
        #expect(order.wait(for: 20) == Array(0..<20))
        #expect(files.syncs == before + 2, "one sync for the first, one for all others")
        #expect(journal.durablePosition > held)
    }

    @Test mutating func `a failed sync is final`() throws {
        let (journal, _) = try Journal.open(configuration())
        defer { journal.close() }
        let entry = generator.entry(attempts: 1...1)
        let other = generator.entry(attempts: 1...1)
        let reservation = try journal.appendOpen(entry)
        let second = try journal.appendOpen(other)
        files.set { $0.syncFault = EIO }
        #expect(throws: JournalError.self) { try journal.closeAndWait(entry, reservation).get() }
        files.set { $0.syncFault = nil }
        #expect(!journal.isAccepting)
        #expect(throws: JournalError.self) { try journal.appendOpen(entry) }
        #expect(throws: JournalError.self) { try journal.closeAndWait(other, second).get() }
        #expect(failures.all.count == 1, "the program is told once")
    }

    @Test mutating func `a count that has to last is told when it does, and when it does not`() throws {
        let (journal, _) = try Journal.open(configuration())
        defer { journal.close() }
        let entry = generator.entry(attempts: 1...1)
        _ = try journal.appendOpen(entry)
        let progress = UsageProgress(requestID: entry.request.id, contentEvents: 1, buckets: TokenBuckets())
        #expect(journal.durablePosition < journal.writtenPosition)
        try journal.progressAndWait(progress).get()
        #expect(journal.durablePosition == journal.writtenPosition)
        files.set { $0.syncFault = EIO }
        #expect(throws: JournalError.self) { try journal.progressAndWait(progress).get() }
        #expect(throws: JournalError.self) { try journal.progressAndWait(progress).get() }
        #expect(!journal.isAccepting)
        #expect(failures.all.count == 1)
    }

    @Test(arguments: [0, 7]) mutating func `a failed or short write is final and loses nothing that was durable`(
        bytes: Int
    ) throws {
        let (journal, _) = try Journal.open(configuration())
        let kept = generator.entry(attempts: 1...1)
        try journal.closeAndWait(kept, try journal.appendOpen(kept)).get()
        files.set {
            $0.writeFault = EIO
            $0.bytesBeforeFault = bytes
        }
        let lost = generator.entry(attempts: 1...1)
        #expect(throws: JournalError.self) { try journal.appendOpen(lost) }
        #expect(!journal.isAccepting)
        #expect(failures.wait(for: 1).count == 1)
        files.set { $0.writeFault = nil }
        #expect(throws: JournalError.self) {
            try journal.appendHeartbeat(.init(realTime: .init(milliseconds: 1), snapshotChange: 0))
        }
        journal.close()

        let (second, report) = try Journal.open(configuration())
        defer { second.close() }
        #expect(report.lostRequests.isEmpty)
        #expect(report.tornTail?.length == (bytes == 0 ? nil : Int64(bytes)))
        #expect(try readAll(directory.path).closed == [kept])
    }

    @Test mutating func `a group that cannot be written is told so, and the program once`() throws {
        let (journal, _) = try Journal.open(configuration())
        defer { journal.close() }
        let entries = (0..<3).map { _ in generator.entry(attempts: 1...1) }
        let reservations = try entries.map { entry throws in try journal.appendOpen(entry) }
        files.set { $0.writeFault = ENOSPC }
        for (entry, reservation) in zip(entries, reservations) {
            #expect(throws: JournalError.self) { try journal.closeAndWait(entry, reservation).get() }
        }
        #expect(failures.all.count == 1)
        #expect(!journal.isAccepting)
    }

    @Test mutating func `a record that no frame can hold is refused, and the journal goes on`() throws {
        let (journal, _) = try Journal.open(configuration(segmentBytes: 32 * 1024))
        defer { journal.close() }
        var entry = generator.entry(attempts: 1...1)
        entry.request.reason = String(repeating: "x", count: 40_000)
        let error = #expect(throws: JournalError.self) { try journal.appendOpen(entry) }
        guard case .recordTooLarge = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(journal.isAccepting)
        entry.request.reason = ""
        try journal.closeAndWait(entry, try journal.appendOpen(entry)).get()
    }

    @Test func `a reader is told when its position is not in the journal`() throws {
        let (journal, _) = try Journal.open(configuration())
        journal.close()
        var reader = try JournalReader(
            directory: directory.path, from: JournalPosition(segment: 1, offset: 1_000_000))
        #expect(throws: JournalError.self) { try reader.next(limit: 1) }
        #expect(throws: JournalError.self) { try JournalReader(directory: directory.path + "/none") }
    }

    @Test mutating func `a full disk refuses new requests and closes running ones`() throws {
        let (journal, _) = try Journal.open(configuration(segmentBytes: 32 * 1024))
        files.set { $0.isFull = true }
        var running: [(UsageEntry, CloseReservation)] = []
        var refused = false
        while !refused, running.count < 1000 {
            var entry = generator.entry(attempts: 1...1)
            do {
                let reservation = try journal.appendOpen(entry)
                entry.attempts[0].rawUsage = Array(repeating: 7, count: AttemptRecord.rawUsageBytesMax)
                running.append((entry, reservation))
            } catch {
                #expect(error == .full)
                refused = true
            }
        }
        #expect(refused)
        #expect(!running.isEmpty)
        #expect(journal.isAccepting, "a full disk is not a failure")
        #expect(!journal.hasRoom)
        let progress = UsageProgress(requestID: running[0].0.request.id, contentEvents: 1, buckets: TokenBuckets())
        for _ in 0..<1000 { try? journal.appendProgress(progress) }
        for (entry, reservation) in running { try journal.closeAndWait(entry, reservation).get() }
        #expect(failures.all.isEmpty)

        files.set { $0.isFull = false }
        for _ in 0..<500 where !journal.hasRoom { usleep(10_000) }
        #expect(journal.hasRoom)
        let late = generator.entry(attempts: 1...1)
        try journal.closeAndWait(late, try journal.appendOpen(late)).get()
        journal.close()
        #expect(try readAll(directory.path).closed == running.map(\.0) + [late])
    }

    @Test mutating func `a record larger than its room gives up raw usage before it gives up itself`() throws {
        let (journal, _) = try Journal.open(configuration(segmentBytes: 32 * 1024))
        defer { journal.close() }
        files.set { $0.isFull = true }
        var entry = generator.entry(attempts: 1...1)
        var reservations: [CloseReservation] = []
        while let reservation = try? journal.appendOpen(entry) { reservations.append(reservation) }
        let reservation = try #require(reservations.first)
        var second = generator.attempt(number: 2)
        second.rawUsage = Array(repeating: 1, count: AttemptRecord.rawUsageBytesMax)
        entry.attempts[0].rawUsage = second.rawUsage
        entry.attempts.append(second)
        try journal.closeAndWait(entry, reservation).get()
        entry.attempts[0].rawUsage = []
        entry.attempts[1].rawUsage = []
        #expect(try readAll(directory.path).closed == [entry])
    }

    @Test mutating func `segments follow one another and give back what they did not use`() throws {
        let (journal, _) = try Journal.open(configuration(segmentBytes: 32 * 1024))
        var written: [UsageEntry] = []
        for _ in 0..<200 {
            let entry = generator.entry(attempts: 1...2)
            try journal.closeAndWait(entry, try journal.appendOpen(entry)).get()
            written.append(entry)
        }
        journal.close()
        let segments = try JournalDirectory(path: directory.path).segments()
        #expect(segments.count > 3)
        #expect(segments == Array(1...Int64(segments.count)))
        let names = try JournalDirectory(path: directory.path).names()
        #expect(!names.contains { $0.hasPrefix("prepared-") })
        let items = try readAll(directory.path)
        #expect(items.closed == written)
        #expect(items.quarantined.isEmpty)
        let middle = items[items.count / 2]
        #expect(try readAll(directory.path, from: middle.end) == Array(items[(items.count / 2 + 1)...]))
    }

    @Test mutating func `beside a live writer only what is durable is read`() throws {
        let (journal, _) = try Journal.open(configuration(segmentBytes: 32 * 1024))
        defer { journal.close() }
        var reader = try JournalReader(directory: directory.path)
        _ = try reader.next(limit: 10, upTo: journal.durablePosition)
        var seen: [JournalItem] = []
        var expected: [UsageEntry] = []
        for round in 0..<100 {
            let entry = generator.entry(attempts: 1...2)
            let reservation = try journal.appendOpen(entry)
            let unsynced = try reader.next(limit: 100, upTo: journal.durablePosition)
            #expect(unsynced.isEmpty, "round \(round)")
            try journal.closeAndWait(entry, reservation).get()
            expected.append(entry)
            seen += try reader.next(limit: 100, upTo: journal.durablePosition)
            #expect(reader.position == journal.durablePosition)
        }
        #expect(seen.closed == expected)
        #expect(seen.quarantined.isEmpty)
    }

    @Test mutating func `a segment begun before a sync has recovery look for what that sync would have closed`() throws
    {
        let (journal, _) = try Journal.open(configuration(segmentBytes: 32 * 1024))
        let first = generator.entry(attempts: 1...1)
        let reservation = try journal.appendOpen(first)
        let opened = journal.writtenPosition.segment
        files.set { $0.holdsSyncs = true }
        let before = files.syncs
        journal.appendClose(first, reservation: reservation) { _ in }
        while files.syncs == before { usleep(500) }
        // The close record is written, not synced: a loss of power may take it, and must not hide the open one.
        while journal.writtenPosition.segment == opened {
            try journal.appendProgress(
                UsageProgress(requestID: first.request.id, contentEvents: 1, buckets: TokenBuckets()))
        }
        let id = journal.id
        let directory = JournalDirectory(path: directory.path)
        let header = try SegmentWindow(directory: directory, number: opened + 1).header(of: id)
        #expect(header?.recoverFrom == opened)
        files.set { $0.holdsSyncs = false }
        journal.close()
    }

    @Test mutating func `many threads at once, and every record is there once`() throws {
        let (journal, _) = try Journal.open(configuration(segmentBytes: 128 * 1024))
        let entries = (0..<400).map { _ in generator.entry(attempts: 1...1) }
        let done = Collector<RequestID>()
        let threads = (0..<4).map { part in
            JoinableThread {
                for entry in entries[part * 100..<part * 100 + 100] {
                    guard let reservation = try? journal.appendOpen(entry) else { continue }
                    journal.appendClose(entry, reservation: reservation) { result in
                        if case .success = result { done.add(entry.request.id) }
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        journal.close()
        #expect(Set(done.all) == Set(entries.map(\.request.id)))
        let closed = try readAll(directory.path).closed
        #expect(closed.count == 400)
        #expect(Set(closed) == Set(entries))
    }

    @Test mutating func `only ingested segments that are old enough and that no recovery needs are removed`() throws {
        let (journal, _) = try Journal.open(configuration(segmentBytes: 32 * 1024))
        defer { journal.close() }
        func fill() throws {
            for _ in 0..<100 {
                let entry = generator.entry(attempts: 1...1)
                try journal.closeAndWait(entry, try journal.appendOpen(entry)).get()
            }
        }
        try fill()
        let running = generator.entry(attempts: 1...1)
        let reservation = try journal.appendOpen(running)
        let needed = journal.writtenPosition.segment
        try fill()
        let later = Timestamp(milliseconds: realMilliseconds() + 60_000)
        let earlier = Timestamp(milliseconds: realMilliseconds() - 60_000)
        #expect(try journal.removeSegments(before: journal.durablePosition, lastWrittenBefore: earlier) == 0)
        let second = JournalPosition(segment: 2, offset: 64)
        #expect(try journal.removeSegments(before: second, lastWrittenBefore: later) == 1)
        try journal.removeSegments(before: journal.durablePosition, lastWrittenBefore: later)
        #expect(try JournalDirectory(path: directory.path).segments().first == needed)
        let missing = try readAll(directory.path).quarantined
        #expect(missing.map(\.reason) == [.missingSegment])
        #expect(missing.map(\.lastSegment) == [needed - 1])
        try journal.closeAndWait(running, reservation).get()
        try journal.removeSegments(before: journal.durablePosition, lastWrittenBefore: later)
        #expect(try JournalDirectory(path: directory.path).segments() == [journal.durablePosition.segment])
    }

    @Test func `a kill point is a name, or a name and a passage`() {
        #expect(KillPlan("after-open")?.point == .afterOpen)
        #expect(KillPlan("after-open")?.passage == 1)
        #expect(KillPlan("mid-batch:3")?.passage == 3)
        for text in ["", "after", "after-open:", "after-open:0", "after-open:x", "after-open:1:2"] {
            #expect(KillPlan(text) == nil, "\(text)")
        }
    }
}
