import Engines
import Gateway
import Identity
import Testing
import UsageJournal

@Suite struct IdempotencyTableTests {
    private static let start = Timestamp(milliseconds: 1_790_000_000_000)
    private static let day = IdempotencyTable.rememberedMilliseconds

    private func request(_ number: UInt64) -> RequestID {
        RequestID(UUIDv7(milliseconds: 1_790_000_000_000, randomness: (number, number)))
    }

    /// The key `value` of one API key, and a body that is `asked` over and over.
    private func key(_ value: String, of apiKey: UInt64 = 1, asked: UInt8 = 7) -> IdempotencyKey {
        IdempotencyKey(
            digest: IdempotencyDigest(
                keyID: KeyID(UUIDv7(milliseconds: 1, randomness: (apiKey, apiKey))), value: value),
            fingerprint: RequestFingerprint(bytes: [UInt8](repeating: asked, count: 16)))
    }

    @Test func `a second request with the same key is told the first one's id, running or ended`() {
        let table = IdempotencyTable()
        #expect(table.claim(key("order-1"), for: request(1), now: Self.start) == .taken)
        #expect(table.claim(key("order-1"), for: request(2), now: Self.start) == .running(request(1)))
        table.ended(key("order-1").digest, of: request(1), isSpent: true)
        #expect(table.claim(key("order-1"), for: request(2), now: Self.start) == .spent(by: request(1)))
        #expect(table.claim(key("order-2"), for: request(3), now: Self.start) == .taken)
    }

    @Test func `another body under the same key is told so, running or ended`() {
        let table = IdempotencyTable()
        _ = table.claim(key("a", asked: 1), for: request(1), now: Self.start)
        #expect(table.claim(key("a", asked: 2), for: request(2), now: Self.start) == .differs(from: request(1)))
        table.ended(key("a").digest, of: request(1), isSpent: true)
        #expect(table.claim(key("a", asked: 2), for: request(2), now: Self.start) == .differs(from: request(1)))
        let old = IdempotencyKey(digest: key("a").digest, fingerprint: nil)
        #expect(table.claim(old, for: request(2), now: Self.start) == .spent(by: request(1)))
    }

    @Test func `another API key's value is another key`() {
        let table = IdempotencyTable()
        #expect(table.claim(key("order-1", of: 1), for: request(1), now: Self.start) == .taken)
        #expect(table.claim(key("order-1", of: 2), for: request(2), now: Self.start) == .taken)
    }

    @Test func `a key is free again after twenty-four hours`() {
        let table = IdempotencyTable()
        _ = table.claim(key("a"), for: request(1), now: Self.start)
        table.ended(key("a").digest, of: request(1), isSpent: true)
        let last = Self.start.advanced(byMilliseconds: Self.day - 1)
        #expect(table.claim(key("a"), for: request(2), now: last) == .spent(by: request(1)))
        let after = Self.start.advanced(byMilliseconds: Self.day)
        #expect(table.claim(key("a"), for: request(3), now: after) == .taken)
        #expect(table.count == 1)
    }

    @Test func `a request that came to nothing gives its key back, and only its own`() {
        let table = IdempotencyTable()
        _ = table.claim(key("a"), for: request(1), now: Self.start)
        table.ended(key("a").digest, of: request(2), isSpent: false)
        #expect(table.claim(key("a"), for: request(2), now: Self.start) == .running(request(1)))
        table.ended(key("a").digest, of: request(1), isSpent: false)
        #expect(table.claim(key("a", asked: 9), for: request(3), now: Self.start) == .taken)
        // The place that the first one left is forgotten without taking the third's along.
        let later = Self.start.advanced(byMilliseconds: 1)
        #expect(table.claim(key("a", asked: 9), for: request(4), now: later) == .running(request(3)))
    }

    @Test func `a full table forgets the oldest first`() {
        let table = IdempotencyTable(entriesMax: 3)
        for number in UInt64(1)...5 {
            #expect(table.claim(key("\(number)"), for: request(number), now: Self.start) == .taken)
        }
        #expect(table.count == 3)
        for number in UInt64(3)...5 {
            #expect(table.claim(key("\(number)"), for: request(9), now: Self.start) == .running(request(number)))
        }
        #expect(table.claim(key("1"), for: request(10), now: Self.start) == .taken)
    }

    @Test func `it is what a list by hand is, whatever comes`() {
        for seed in UInt64(0)..<50 {
            var random = SplitMix(state: seed)
            let table = IdempotencyTable(entriesMax: 5)
            var list: [(name: String, request: RequestID, at: Timestamp, isRunning: Bool)] = []
            // A freed key's place is only taken when it is the oldest.
            var places: [(request: RequestID, at: Timestamp)] = []
            var now = Self.start
            for number in UInt64(0)..<200 {
                now = now.advanced(byMilliseconds: .random(in: 0...Self.day / 6, using: &random))
                let name = "\(Int.random(in: 0..<12, using: &random))"
                list.removeAll { $0.at <= now.advanced(byMilliseconds: -Self.day) }
                places.removeAll { $0.at <= now.advanced(byMilliseconds: -Self.day) }
                let claim = table.claim(key(name), for: request(number), now: now)
                if let first = list.first(where: { $0.name == name }) {
                    #expect(
                        claim == (first.isRunning ? .running(first.request) : .spent(by: first.request)), "seed \(seed)"
                    )
                } else {
                    #expect(claim == .taken, "seed \(seed)")
                    if places.count == 5 {
                        let oldest = places.removeFirst()
                        list.removeAll { $0.request == oldest.request }
                    }
                    places.append((request(number), now))
                    list.append((name, request(number), now, true))
                }
                #expect(table.count == places.count, "seed \(seed)")
                guard let ended = list.indices.randomElement(using: &random), list[ended].isRunning else { continue }
                let isSpent = Bool.random(using: &random)
                table.ended(key(list[ended].name).digest, of: list[ended].request, isSpent: isSpent)
                if isSpent { list[ended].isRunning = false } else { list.remove(at: ended) }
            }
        }
    }

    @Test func `a table filled from the journal refuses what ran before the gateway started`() {
        let key = key("order-1")
        let old = IdempotencyKey(digest: self.key("order-2").digest, fingerprint: nil)
        let history = [
            IdempotentRequest(digest: key.bytes, requestID: request(1), acceptedAt: Self.start),
            IdempotentRequest(digest: [1, 2], requestID: request(2), acceptedAt: Self.start),
            IdempotentRequest(digest: old.bytes, requestID: request(4), acceptedAt: Self.start),
        ]
        let table = IdempotencyTable(remembering: history)
        #expect(table.claim(key, for: request(3), now: Self.start) == .spent(by: request(1)))
        #expect(
            table.claim(self.key("order-1", asked: 8), for: request(3), now: Self.start) == .differs(from: request(1)))
        #expect(table.claim(self.key("order-2"), for: request(3), now: Self.start) == .spent(by: request(4)))
        #expect(IdempotencyKey(bytes: key.bytes) == key && key.bytes.count == 32)
        #expect(IdempotencyKey(bytes: old.bytes) == old && old.bytes.count == 16)
        #expect(IdempotencyKey(bytes: Array(key.bytes.prefix(20))) == nil)
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        let mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        return mixed ^ mixed >> 27
    }
}
