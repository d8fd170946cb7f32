import Glibc
import Identity
import Metering
import Testing

@testable import UsageJournal

@Suite(.timeLimit(.minutes(10))) struct RecoveryTests {
    private let directory = TemporaryDirectory()
    private var generator = SeededGenerator(seed: 11)

    private func configuration(segmentBytes: Int = 32 * 1024) -> JournalConfiguration {
        JournalConfiguration(directory: directory.path, segmentBytes: segmentBytes)
    }

    private func segment(_ number: Int64) -> String { JournalDirectory(path: directory.path).segmentPath(number) }

    @Test mutating func `a request that ran when the gateway died is closed as lost with its last count`() throws {
        let (journal, _) = try Journal.open(configuration())
        var first = generator.entry(attempts: 1...1)
        first.attempts[0].contentEvents = 0
        first.attempts[0].usageSource = .nothing
        var second = first
        second.request.id = RequestID(generator.uuid())
        let finished = generator.entry(attempts: 1...1)
        _ = try journal.appendOpen(first)
        _ = try journal.appendOpen(second)
        try journal.closeAndWait(finished, try journal.appendOpen(finished)).get()
        let buckets = TokenBuckets(inputUncached: 12, outputVisible: 5)
        for count in Int64(1)...5 {
            try journal.appendProgress(
                UsageProgress(requestID: first.request.id, contentEvents: count, buckets: buckets))
        }
        journal.abandon()

        let (recovered, report) = try Journal.open(configuration())
        #expect(
            report.lostRequests == [
                .init(id: first.request.id, acceptedAt: first.request.acceptedAt, contentEvents: 5),
                .init(id: second.request.id, acceptedAt: second.request.acceptedAt, contentEvents: 0),
            ])
        #expect(report.tornTail == nil)
        #expect(report.quarantined.isEmpty)
        #expect(report.description.contains("\(first.request.id)"))

        let closed = try readAll(directory.path).closed
        #expect(closed.count == 3)
        let lost = try #require(closed.first { $0.request.id == first.request.id })
        #expect(lost.request.outcome == .gatewayLost)
        #expect(lost.request.reason == "gateway_lost")
        #expect(lost.request.httpStatus == first.request.httpStatus)
        #expect(lost.attempts[0].termination == .gatewayLost)
        #expect(lost.attempts[0].contentEvents == 5)
        #expect(lost.attempts[0].buckets == buckets)
        #expect(lost.attempts[0].usageSource == .estimated)
        #expect(!lost.attempts[0].usageComplete)
        let untouched = try #require(closed.first { $0.request.id == second.request.id })
        #expect(untouched.attempts[0].usageSource == .nothing)

        // What recovery wrote is durable and readable beside the new writer.
        var reader = try JournalReader(directory: directory.path)
        #expect(try reader.next(limit: 1000, upTo: recovered.durablePosition).closed == closed)
        recovered.close()
    }

    @Test mutating func `the tries of a lost request keep their own ends, and only the running one is lost`() throws {
        let (journal, _) = try Journal.open(configuration())
        let opened = generator.entry(attempts: 1...1)
        var tried = generator.entry(attempts: 2...2).attempts
        tried[0].termination = .timeout
        tried[1].usageSource = .nothing
        _ = try journal.appendOpen(opened)
        try journal.appendProgress(
            UsageProgress(
                requestID: opened.request.id, contentEvents: 0, buckets: TokenBuckets(), attempts: tried))
        let units = UsageUnits(images: 2)
        try journal.appendProgress(
            UsageProgress(
                requestID: opened.request.id, contentEvents: 4, buckets: TokenBuckets(outputVisible: 4), units: units))
        journal.abandon()

        let (recovered, report) = try Journal.open(configuration())
        recovered.close()
        #expect(report.lostRequests.map(\.contentEvents) == [4])
        let lost = try #require(try readAll(directory.path).closed.first)
        #expect(lost.attempts.count == 2 && lost.attempts[0] == tried[0])
        #expect(lost.attempts[1].id == tried[1].id && lost.attempts[1].termination == .gatewayLost)
        #expect(lost.attempts[1].buckets == TokenBuckets(outputVisible: 4) && lost.attempts[1].units == units)
        #expect(lost.attempts[1].usageSource == .estimated)
    }

    @Test mutating func `opening again adds nothing but the epoch`() throws {
        let (journal, _) = try Journal.open(configuration())
        for _ in 0..<3 { _ = try journal.appendOpen(generator.entry(attempts: 1...1)) }
        journal.abandon()
        try Journal.open(configuration()).journal.abandon()
        let before = try readAll(directory.path)
        for epoch in Int64(3)...6 {
            let (again, report) = try Journal.open(configuration())
            #expect(report.isClean)
            #expect(again.epoch == epoch)
            again.abandon()
        }
        let after = try readAll(directory.path)
        #expect(Array(after[..<before.count]).map(\.content) == before.map(\.content))
        #expect(after.count == before.count + 4)
        #expect(after.closed.count == 3)
    }

    @Test mutating func `recovery reads no more than it needs`() throws {
        let (journal, _) = try Journal.open(configuration())
        for _ in 0..<100 {
            let entry = generator.entry(attempts: 1...1)
            try journal.closeAndWait(entry, try journal.appendOpen(entry)).get()
        }
        let running = generator.entry(attempts: 1...1)
        _ = try journal.appendOpen(running)
        let from = journal.writtenPosition.segment
        for _ in 0..<100 {
            let entry = generator.entry(attempts: 1...1)
            try journal.closeAndWait(entry, try journal.appendOpen(entry)).get()
        }
        let to = journal.writtenPosition.segment
        #expect(from > 1 && to > from)
        journal.abandon()
        let (second, report) = try Journal.open(configuration())
        #expect(report.segmentsRead == Int(to - from + 1))
        #expect(report.lostRequests.map(\.id) == [running.request.id])
        second.abandon()
        // The close records stand in the next segment, which still points back to the open ones; then no more.
        #expect(try opened().segmentsRead == Int(to - from + 2))
        #expect(try opened().segmentsRead == 1)
    }

    private func opened() throws -> RecoveryReport {
        let (journal, report) = try Journal.open(configuration())
        journal.abandon()
        return report
    }

    @Test mutating func `a segment cut at any byte recovers to a prefix and says so`() throws {
        let (frames, original) = try sample(requests: 2)
        var cuts = 0
        for length in stride(from: frames[0], through: frames.last ?? 0, by: 1) {
            Bytes.write(Array(original[..<Int(length)]), to: segment(1))
            let (journal, report) = try reopen()
            journal.close()
            let whole = frames.lastIndex { $0 <= length } ?? 0
            #expect(report.recordsRead == whole, "cut at \(length)")
            // Zeros at its end cannot be told from what was never written.
            let torn = original[Int(frames[whole])..<Int(length)].lastIndex { $0 != 0 }.map { Int64($0) + 1 }
            #expect(report.tornTail?.length == torn.map { $0 - frames[whole] }, "cut at \(length)")
            #expect(report.quarantined.isEmpty, "cut at \(length)")
            let items = try readAll(directory.path)
            #expect(items.quarantined.isEmpty, "cut at \(length)")
            #expect(items[..<whole].map(\.end.offset) == Array(frames[1...].prefix(whole)), "cut at \(length)")
            if let tail = report.tornTail {
                let kept = Bytes.read("\(directory.path)/quarantine/0000000001-\(tail.offset)-\(tail.length).torn")
                #expect(kept == Array(original[Int(tail.offset)..<Int(tail.offset + tail.length)]), "cut at \(length)")
            }
            cuts += 1
        }
        #expect(cuts > 500)
    }

    @Test mutating func `a segment cut inside its header is begun anew, and its number is not used twice`() throws {
        let (frames, original) = try sample(requests: 2)
        for length in 0..<frames[0] {
            Bytes.write(Array(original[..<Int(length)]), to: segment(1))
            let (journal, report) = try reopen()
            #expect(journal.durablePosition.segment == 2)
            journal.close()
            #expect(report.recordsRead == 0)
            #expect(report.quarantined.map(\.reason) == [.damagedHeader], "cut at \(length)")
            #expect(try readAll(directory.path).quarantined.isEmpty)
        }
    }

    @Test mutating func `a changed byte anywhere loses its own record at most, and is shown`() throws {
        let (frames, original) = try sample(requests: 2)
        let whole = Array(original[..<Int(frames.last ?? 0)])
        let reference = try readAll(directory.path).entries
        for index in whole.indices {
            var damaged = whole
            damaged[index] ^= UInt8(truncatingIfNeeded: 1 << (index % 8))
            Bytes.write(damaged + [UInt8](repeating: 0, count: 500), to: segment(1))
            try keepSegmentOne()
            // Opening is slow; reading is tried at every byte, opening at every seventh.
            let report = try index % 7 == 0 ? opened() : nil
            let read = try readAll(directory.path)
            let hit = frames.lastIndex { $0 <= Int64(index) }
            let isLast = hit == frames.count - 2
            var expected = reference
            if let hit { expected.remove(at: hit) }
            #expect(Array(read.entries.prefix(expected.count)) == expected, "byte \(index)")
            guard let hit, !isLast else {
                #expect(read.quarantined.map(\.reason) == (isLast ? [] : [.damagedHeader]), "byte \(index)")
                if let report { #expect(report.tornTail?.offset == hit.map { frames[$0] }, "byte \(index)") }
                continue
            }
            let length = frames[hit + 1] - frames[hit]
            let range = QuarantinedRange(segment: 1, offset: frames[hit], length: length, reason: .damagedFrame)
            #expect(read.quarantined == [range], "byte \(index)")
            guard let report else { continue }
            #expect(report.quarantined == read.quarantined, "byte \(index)")
            let copy = Bytes.read("\(directory.path)/quarantine/0000000001-\(frames[hit])-\(length).bin")
            #expect(copy == Array(damaged[Int(frames[hit])..<Int(frames[hit + 1])]), "byte \(index)")
        }
    }

    @Test mutating func `a hole of zeros between whole records is shown`() throws {
        let (frames, original) = try sample(requests: 3)
        var damaged = original
        for index in Int(frames[2])..<Int(frames[4]) { damaged[index] = 0 }
        Bytes.write(damaged, to: segment(1))
        let (journal, report) = try reopen()
        journal.close()
        #expect(report.quarantined.map(\.offset) == [frames[2]])
        #expect(report.quarantined.map(\.length) == [frames[4] - frames[2]])
        #expect(report.quarantinedNew == 1)
    }

    @Test mutating func `damage in a finished segment is shown at each reading and copied once`() throws {
        let (journal, _) = try Journal.open(configuration())
        let running = generator.entry(attempts: 1...1)
        _ = try journal.appendOpen(running)
        for _ in 0..<60 {
            let entry = generator.entry(attempts: 1...1)
            try journal.closeAndWait(entry, try journal.appendOpen(entry)).get()
        }
        journal.abandon()
        let entries = try readAll(directory.path)
        var bytes = Bytes.read(segment(1))
        let last = try #require(entries.last { $0.end.segment == 1 }).end.offset
        bytes[Int(last) + 3] ^= 1
        Bytes.write(bytes, to: segment(1))
        let (second, report) = try Journal.open(configuration())
        #expect(report.quarantined.map(\.offset) == [last], "the damaged end mark")
        #expect(report.quarantinedNew == 1)
        second.abandon()
        let (third, again) = try Journal.open(configuration())
        #expect(again.quarantined == report.quarantined)
        #expect(again.quarantinedNew == 0)
        third.close()
        #expect(try readAll(directory.path).quarantined == report.quarantined)
        // Cut short, so that nothing but the missing mark shows it.
        Bytes.write(Array(bytes[..<Int(last)]), to: segment(1))
        #expect(try readAll(directory.path).quarantined.map(\.reason) == [.missingEnd])
        unlink(segment(2))
        #expect(try readAll(directory.path).quarantined.map(\.reason) == [.missingEnd, .missingSegment])
    }

    @Test mutating func `a live reader shows damage below the durable position`() throws {
        let (journal, _) = try Journal.open(configuration())
        defer { journal.close() }
        for _ in 0..<5 {
            let entry = generator.entry(attempts: 1...1)
            try journal.closeAndWait(entry, try journal.appendOpen(entry)).get()
        }
        let items = try readAll(directory.path)
        let file = try #require(fopen(segment(1), "r+"))
        fseek(file, Int(items[items.count - 2].end.offset) + 20, SEEK_SET)
        fputc(0xEE, file)
        fputc(0xEE, file)
        fclose(file)
        var reader = try JournalReader(directory: directory.path)
        let read = try reader.next(limit: 100, upTo: journal.durablePosition)
        #expect(read.dropLast() == items.dropLast())
        #expect(read.quarantined.count == 1)
        #expect(reader.position == journal.durablePosition)
        #expect(try reader.next(limit: 100, upTo: journal.durablePosition).isEmpty)
    }

    @Test mutating func `what a newer version wrote stops the opening, after all before it was read`() throws {
        let (journal, _) = try Journal.open(configuration())
        let end = Int(journal.writtenPosition.offset)
        journal.abandon()
        var frame = FrameSalt(journal.id).frame(.heartbeat, reserving: 9) { $0.byte(1) }
        frame[5] = Frame.version + 1
        let checksum = frame.withUnsafeBytes { FrameSalt(journal.id).checksum(of: $0) }
        for index in 0..<4 { frame[6 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(index))) }
        var bytes = Bytes.read(segment(1))
        bytes.replaceSubrange(end..., with: frame)
        Bytes.write(bytes, to: segment(1))
        let error = #expect(throws: JournalError.self) { try Journal.open(configuration()) }
        #expect("\(try #require(error))".contains("newer"))
        var reader = try JournalReader(directory: directory.path)
        #expect(try reader.next(limit: 10).count == 1)
        #expect(throws: JournalError.self) { try reader.next(limit: 10) }
    }

    @Test func `what the journal cannot do without is named when it is damaged`() throws {
        try Journal.open(configuration()).journal.close()
        let id = Bytes.read(directory.path + "/journal.id")
        Bytes.write(Array("rubbish".utf8), to: directory.path + "/journal.id")
        #expect(throws: JournalError.self) { try Journal.open(configuration()) }
        unlink(directory.path + "/journal.id")
        #expect(throws: JournalError.self) { try Journal.open(configuration()) }
        Bytes.write(id, to: directory.path + "/journal.id")
        Bytes.write(Array("-3".utf8), to: directory.path + "/epoch")
        #expect(throws: JournalError.self) { try Journal.open(configuration()) }
        Bytes.write(Array("41\n".utf8), to: directory.path + "/epoch")
        let (journal, _) = try Journal.open(configuration())
        #expect(journal.epoch == 42)
        journal.close()
    }

    @Test mutating func `random bytes never harm the reader`() throws {
        let (frames, original) = try sample(requests: 3)
        for seed in seeds {
            var generator = SeededGenerator(seed: seed)
            var bytes = Array(original[..<Int(frames.last ?? 0)])
            switch seed % 4 {
            case 0: bytes = (0..<4000).map { _ in .random(in: 0...255, using: &generator) }
            case 1: bytes = (0..<4000).map { _ in .random(in: 0...7, using: &generator) }
            default:
                for _ in 0..<Int.random(in: 1...40, using: &generator) {
                    bytes[.random(in: bytes.indices, using: &generator)] = .random(in: 0...255, using: &generator)
                }
                if seed % 4 == 3 {
                    bytes.removeSubrange(.random(in: 0..<bytes.count / 2, using: &generator)..<bytes.count / 2)
                }
            }
            Bytes.write(bytes, to: segment(1))
            try keepSegmentOne()
            let before = try readAll(directory.path)
            let (journal, _) = try reopen()
            journal.close()
            let after = try readAll(directory.path)
            #expect(Array(after.entries.prefix(before.entries.count)) == before.entries, "seed \(seed)")
            #expect(after.quarantined.count <= before.quarantined.count, "seed \(seed)")
        }
    }

    /// One finished directory of a few requests: the frames' offsets (the last is the end) and the bytes of segment 1.
    private mutating func sample(requests: Int) throws -> (frames: [Int64], bytes: [UInt8]) {
        let (journal, _) = try Journal.open(configuration())
        for _ in 0..<requests {
            var entry = generator.entry(attempts: 1...1)
            entry.request.tags = []
            entry.attempts[0].rawUsage = []
            try journal.closeAndWait(entry, try journal.appendOpen(entry)).get()
        }
        journal.abandon()
        let items = try readAll(directory.path)
        return ([Int64(SegmentHeader.bytes)] + items.map(\.end.offset), Bytes.read(segment(1)))
    }

    /// Opens with segment 1 alone, as if nothing had been begun after it.
    private func reopen() throws -> (journal: Journal, report: RecoveryReport) {
        try keepSegmentOne()
        return try Journal.open(configuration())
    }

    private func keepSegmentOne() throws {
        for number in try JournalDirectory(path: directory.path).segments() where number > 1 { unlink(segment(number)) }
        for name in (try? JournalDirectory(path: directory.path + "/quarantine").names()) ?? [] {
            unlink("\(directory.path)/quarantine/\(name)")
        }
    }
}
