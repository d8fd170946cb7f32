import Identity
import Metering
import Testing

@testable import UsageJournal

@Suite(.timeLimit(.minutes(10))) struct IdempotencyHistoryTests {
    private let directory = TemporaryDirectory()
    private var generator = SeededGenerator(seed: 21)

    private func journal(at time: Int64 = 0) throws -> Journal {
        try Journal.open(
            JournalConfiguration(
                directory: directory.path, segmentBytes: 32 * 1024, realTime: { Timestamp(milliseconds: time) })
        ).journal
    }

    /// A request accepted at `time` in real time, `offset` later in billing time.
    private mutating func entry(at time: Int64, offset: Int64 = 0, digest: [UInt8]) -> UsageEntry {
        var entry = generator.entry(attempts: 1...1)
        entry.request.id = RequestID(UUIDv7(milliseconds: time + offset, randomness: (generator.next(), 1)))
        entry.request.clockOffsetMilliseconds = offset
        entry.request.idempotencyDigest = digest
        entry.request.outcome = .success
        return entry
    }

    private func read(since: Int64, countMax: Int = 1000) throws -> [IdempotentRequest] {
        try IdempotencyHistory.read(
            directory: directory.path, since: Timestamp(milliseconds: since), countMax: countMax)
    }

    @Test mutating func `requests with a key are found in order, by real time, whether they ended or not`() throws {
        let journal = try journal()
        let digests = (0..<4).map { [UInt8](repeating: UInt8($0 + 1), count: 16) }
        let old = entry(at: 1000, digest: digests[0])
        let ended = entry(at: 2000, offset: 86_400_000, digest: digests[1])
        let without = entry(at: 2500, digest: [])
        let running = entry(at: 3000, digest: digests[2])
        _ = try journal.appendOpen(old)
        try journal.closeAndWait(ended, try journal.appendOpen(ended)).get()
        _ = try journal.appendOpen(without)
        _ = try journal.appendOpen(running)
        journal.abandon()
        let expected = [ended, running].map { entry in
            IdempotentRequest(
                digest: entry.request.idempotencyDigest, requestID: entry.request.id,
                acceptedAt: entry.request.acceptedAt.advanced(
                    byMilliseconds: -entry.request.clockOffsetMilliseconds))
        }
        #expect(expected.map(\.acceptedAt.milliseconds) == [2000, 3000])
        #expect(try read(since: 2000) == expected)
        #expect(try read(since: 2000, countMax: 1) == [expected[1]])
        #expect(try read(since: 4000).isEmpty)
    }

    @Test mutating func `many segments are gone through, back to the time asked for`() throws {
        var expected: [RequestID] = []
        for round in Int64(0)..<4 {
            let journal = try journal(at: round * 1000)
            for step in Int64(0)..<60 {
                let digest = (0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) }
                let entry = entry(at: round * 1000 + step, digest: digest)
                try journal.closeAndWait(entry, try journal.appendOpen(entry)).get()
                if round >= 2 { expected.append(entry.request.id) }
            }
            journal.abandon()
        }
        #expect(try JournalDirectory(path: directory.path).segments().count > 8)
        #expect(try read(since: 2000).map(\.requestID) == expected)
        #expect(try read(since: 2000, countMax: 7).map(\.requestID) == Array(expected.suffix(7)))
    }

    @Test mutating func `a request that came to nothing does not spend its key, over segments too`() throws {
        let journal = try journal()
        var expected: [RequestID] = []
        var running: [(entry: UsageEntry, token: CloseReservation)] = []
        for step in Int64(0)..<300 {
            var entry = entry(at: step, digest: [UInt8](repeating: UInt8(step % 3), count: 32))
            entry.attempts[0].isDelivered = false
            if step % 3 == 0 { entry.request.outcome = .success } else { entry.request.outcome = .providerError }
            if step % 3 == 0 { expected.append(entry.request.id) }
            running.append((entry, try journal.appendOpen(entry)))
            // Closes follow their opens at a distance, so that many are in another segment.
            if running.count > 6 {
                let first = running.removeFirst()
                try journal.closeAndWait(first.entry, first.token).get()
            }
        }
        for (entry, token) in running { try journal.closeAndWait(entry, token).get() }
        journal.abandon()
        #expect(try JournalDirectory(path: directory.path).segments().count > 2)
        #expect(try read(since: 0).map(\.requestID) == expected)
    }

    @Test func `a directory without a journal remembers nothing`() throws {
        #expect(try read(since: 0).isEmpty)
    }

    @Test mutating func `damage costs what follows it in its segment, and stops nothing`() throws {
        let first = try journal()
        for step in Int64(0)..<20 {
            _ = try first.appendOpen(entry(at: step, digest: [UInt8](repeating: UInt8(step), count: 16)))
        }
        first.abandon()
        let path = JournalDirectory(path: directory.path).segmentPath(1)
        let whole = Bytes.read(path)
        for place in stride(from: SegmentHeader.bytes, to: min(whole.count, 4000), by: 13) {
            var damaged = whole
            damaged[place] ^= 0xFF
            Bytes.write(damaged, to: path)
            #expect(try read(since: 0).count <= 20)
        }
    }
}
