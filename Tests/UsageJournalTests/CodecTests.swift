import Identity
import Metering
import Testing

@testable import UsageJournal

@Suite struct CodecTests {
    private let salt = FrameSalt(JournalID(UUIDv7(milliseconds: 1, randomness: (2, 3))))

    private func decode(_ frame: [UInt8]) throws -> DecodedFrame {
        try DecodedFrame(kind: frame[4], version: frame[5], payload: Array(frame[Frame.headerBytes...]))
    }

    @Test func `the checksum is the one that the standard gives for its examples`() {
        func crc(_ bytes: [UInt8]) -> UInt32 {
            var crc = CRC32C()
            crc.update(bytes)
            return crc.value
        }
        // RFC 3720, appendix B.4.
        #expect(crc([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(crc([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(crc(Array(0..<32)) == 0x46DD_794E)
        #expect(crc(Array("123456789".utf8)) == 0xE306_9283)
    }

    @Test func `a checksum fed in pieces is that of the whole`() {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<100 {
            let bytes = (0..<Int.random(in: 0...100, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let cut = Int.random(in: 0...bytes.count, using: &generator)
            var whole = CRC32C()
            whole.update(bytes)
            var pieces = CRC32C()
            pieces.update(Array(bytes[..<cut]))
            pieces.update(Array(bytes[cut...]))
            #expect(whole.value == pieces.value)
        }
    }

    @Test func `any record reads back as it was written`() throws {
        for seed in seeds {
            var generator = SeededGenerator(seed: seed)
            let entry = generator.entry()
            #expect(try decode(salt.open(entry)) == .entry(.open(entry)), "seed \(seed)")
            #expect(try decode(salt.close(entry)) == .entry(.close(entry)), "seed \(seed)")
            let progress = UsageProgress(
                requestID: entry.request.id, contentEvents: generator.number(), buckets: generator.buckets(),
                units: generator.units(), attempts: generator.maybe { $0.entry().attempts } ?? [])
            #expect(try decode(salt.progress(progress)) == .entry(.progress(progress)), "seed \(seed)")
            let refusals = (0..<5).map { _ in generator.refusal() }
            #expect(try decode(salt.refusals(refusals)) == .entry(.refusals(refusals)), "seed \(seed)")
            let heartbeat = JournalHeartbeat(
                realTime: Timestamp(milliseconds: generator.number()), snapshotChange: generator.number())
            #expect(try decode(salt.heartbeat(heartbeat)) == .entry(.heartbeat(heartbeat)), "seed \(seed)")
        }
    }

    @Test func `a payload cut short anywhere is refused, and so is one with bytes after it`() throws {
        var generator = SeededGenerator(seed: 3)
        let frame = salt.close(generator.entry(attempts: 1...2))
        let payload = Array(frame[Frame.headerBytes...])
        for count in 0..<payload.count {
            #expect(throws: DecodingFault.self) {
                try DecodedFrame(kind: frame[4], version: frame[5], payload: Array(payload[..<count]))
            }
        }
        #expect(throws: DecodingFault.self) {
            try DecodedFrame(kind: frame[4], version: frame[5], payload: payload + [0])
        }
    }

    @Test func `random payloads of every kind decode or are refused, and nothing else`() {
        for seed in seeds {
            var generator = SeededGenerator(seed: seed)
            let payload = (0..<Int.random(in: 0...400, using: &generator)).map { _ in
                UInt8.random(in: 0...(Bool.random(using: &generator) ? 255 : 3), using: &generator)
            }
            for kind in UInt8(0)...9 {
                for version in UInt8(1)...Frame.version {
                    _ = try? DecodedFrame(kind: kind, version: version, payload: payload)
                }
            }
        }
    }

    @Test func `what a newer version wrote is recognised, not guessed at`() throws {
        guard case .newer = try DecodedFrame(kind: 3, version: Frame.version + 1, payload: [1]) else {
            Issue.record("a newer version was read")
            return
        }
        guard case .newer = try DecodedFrame(kind: 99, version: 1, payload: [1]) else {
            Issue.record("a newer kind was read")
            return
        }
    }

    @Test func `a case keeps a number of its own`() {
        func distinct<Value: CodedCase>(_ type: Value.Type) -> Bool {
            let codes = type.allCases.map(\.code)
            return Set(codes).count == codes.count && !codes.contains(0)
        }
        #expect(distinct(Surface.self) && distinct(InferenceKind.self) && distinct(UsageSource.self))
        #expect(distinct(Termination.self) && distinct(RequestOutcome.self))
    }

    @Test func `what a record does not have costs a byte a group`() throws {
        var entry = FirstVersion.entry
        entry.attempts = [
            AttemptRecord(id: entry.attempts[0].id, backend: "east", upstreamModel: "m", priceKey: "m")
        ]
        let bare = salt.close(entry).count
        entry.attempts[0].buckets = TokenBuckets(inputUncached: 40, outputVisible: 60)
        #expect(salt.close(entry).count == bare + 2)
        entry.attempts[0].buckets.inputAudio = 1
        // One byte for the count, one because the mask is longer.
        #expect(salt.close(entry).count == bare + 4)
        entry.attempts[0].units.images = 1
        entry.attempts[0].timings.queue = 30
        #expect(salt.close(entry).count == bare + 6)
    }

    @Test func `a mask that names fields which do not exist is refused`() {
        let payload = Array(salt.progress(FirstVersion.progress)[Frame.headerBytes...])
        // After id and count of events comes the mask of the buckets: 15 of them exist.
        let beyond = Array(payload[..<17]) + [0x80, 0x80, 0x02] + Array(payload[18...])
        #expect(throws: DecodingFault.self) { try DecodedFrame(kind: 2, version: 2, payload: beyond) }
    }

    @Test func `an ordinary close record stays below a kilobyte`() {
        var generator = SeededGenerator(seed: 5)
        var entry = generator.entry(attempts: 1...1)
        entry.request.tags = []
        entry.attempts[0].rawUsage = Array(repeating: 65, count: 250)
        #expect(salt.close(entry).count < 1024)
    }

    @Test func `a segment header reads back, and a damaged one is not believed`() throws {
        let id = JournalID(UUIDv7(milliseconds: 5, randomness: (6, 7)))
        let header = SegmentHeader(journalID: id, epoch: 3, number: 9, recoverFrom: 4, createdMilliseconds: 77)
        let bytes = header.encoded
        #expect(bytes.count == SegmentHeader.bytes)
        #expect(try SegmentHeader(bytes) == header)
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 0x10
            #expect(try SegmentHeader(damaged) == nil)
        }
    }
}
