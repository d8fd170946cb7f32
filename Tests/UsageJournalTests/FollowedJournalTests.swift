import Foundation
import Glibc
import Identity
import Metering
import Testing

@testable import UsageJournal

/// A journal as the ingester of another process sees it.
struct FollowedJournalTests {
    private let directory = TemporaryDirectory()

    private func open() throws -> Journal {
        try Journal.open(JournalConfiguration(directory: directory.path, segmentBytes: 64 * 1024)).journal
    }

    @Test func `a follower reads as far as the writer synced, and no further`() throws {
        var generator = SeededGenerator(seed: 3)
        let journal = try open()
        defer { journal.close() }
        let follower = try FollowedJournal(directory: directory.path)
        #expect(follower.id == journal.id && follower.epoch == journal.epoch)
        #expect(follower.durablePosition == journal.durablePosition)
        for _ in 0..<200 {
            let entry = generator.entry(attempts: 1...2)
            let before = follower.durablePosition
            let reservation = try journal.appendOpen(entry)
            #expect(follower.durablePosition == before, "an open record is not synced")
            try journal.closeAndWait(entry, reservation).get()
            #expect(follower.durablePosition > before && follower.durablePosition == journal.durablePosition)
            #expect(follower.oldestNeeded == journal.oldestNeeded)
        }
        #expect(follower.durablePosition.segment > 2, "segments changed on the way")
        var reader = try JournalReader(directory: directory.path)
        var count = 0
        while case let items = try reader.next(limit: 1000, upTo: follower.durablePosition), !items.isEmpty {
            count += items.count
        }
        #expect(count >= 400)
    }

    @Test func `a reopening is seen, and the new follower goes on where the writer is`() throws {
        let first = try open()
        let follower = try FollowedJournal(directory: directory.path)
        #expect(!follower.isSuperseded && !first.isSuperseded)
        first.abandon()
        #expect(!follower.isSuperseded, "a killed writer says nothing")
        let second = try open()
        defer { second.close() }
        #expect(follower.isSuperseded)
        let next = try FollowedJournal(directory: directory.path)
        #expect(next.epoch == second.epoch && !next.isSuperseded)
        #expect(next.durablePosition == second.durablePosition)
    }

    @Test func `a mark that was removed, or is another file, is nobody's any more`() throws {
        let first = try open()
        let follower = try FollowedJournal(directory: directory.path)
        try FileManager.default.removeItem(atPath: directory.path + "/durable")
        #expect(follower.isSuperseded)
        first.abandon()
        let second = try open()
        defer { second.close() }
        #expect(follower.isSuperseded)
        #expect(try !FollowedJournal(directory: directory.path).isSuperseded)
    }

    @Test func `without a journal, and without a whole mark, it is said what is missing`() throws {
        let error = #expect(throws: JournalError.self) { try FollowedJournal(directory: directory.path) }
        #expect(error?.isOfMissingFile == true)
        let mark = directory.path + "/durable"
        for bytes in [[], [UInt8](repeating: 0, count: 100), [UInt8](repeating: 0, count: 4096)] {
            try Data(bytes).write(to: URL(fileURLWithPath: mark))
            let error = #expect(throws: JournalError.self) { try FollowedJournal(directory: directory.path) }
            #expect(error.map { "\($0)" }?.contains("remove it, and start gateway and ingest again") == true)
        }
    }

    @Test func `one process ingests a journal at a time`() throws {
        let first = try IngestLock(directory: directory.path)
        let error = #expect(throws: JournalError.self) { try IngestLock(directory: directory.path) }
        #expect(error == .ingested(directory: directory.path, by: "process \(getpid())"))
        first.release()
        try IngestLock(directory: directory.path).release()
    }

    @Test func `a follower removes no segment that a running request needs`() throws {
        var generator = SeededGenerator(seed: 4)
        let journal = try open()
        defer { journal.close() }
        let follower = try FollowedJournal(directory: directory.path)
        let running = generator.entry(attempts: 1...1)
        let reservation = try journal.appendOpen(running)
        for _ in 0..<200 {
            let entry = generator.entry(attempts: 1...2)
            try journal.closeAndWait(entry, try journal.appendOpen(entry)).get()
        }
        let future = Timestamp(milliseconds: realMilliseconds() + 60_000)
        #expect(try follower.removeSegments(before: follower.durablePosition, lastWrittenBefore: future) == 0)
        try journal.closeAndWait(running, reservation).get()
        #expect(try follower.removeSegments(before: follower.durablePosition, lastWrittenBefore: future) > 0)
    }
}
