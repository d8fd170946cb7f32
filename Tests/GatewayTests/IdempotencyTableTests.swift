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

    private func digest(_ value: String, key: UInt64 = 1) -> IdempotencyDigest {
        IdempotencyDigest(keyID: KeyID(UUIDv7(milliseconds: 1, randomness: (key, key))), value: value)
    }

    @Test func `a second request with the same key is told the first one's id`() {
        let table = IdempotencyTable()
        #expect(table.claim(digest("order-1"), for: request(1), now: Self.start) == .taken)
        #expect(table.claim(digest("order-1"), for: request(2), now: Self.start) == .used(by: request(1)))
        #expect(table.claim(digest("order-2"), for: request(3), now: Self.start) == .taken)
    }

    @Test func `another API key's value is another key`() {
        let table = IdempotencyTable()
        #expect(table.claim(digest("order-1", key: 1), for: request(1), now: Self.start) == .taken)
        #expect(table.claim(digest("order-1", key: 2), for: request(2), now: Self.start) == .taken)
    }

    @Test func `a key is free again after twenty-four hours`() {
        let table = IdempotencyTable()
        _ = table.claim(digest("a"), for: request(1), now: Self.start)
        let last = Self.start.advanced(byMilliseconds: Self.day - 1)
        #expect(table.claim(digest("a"), for: request(2), now: last) == .used(by: request(1)))
        let after = Self.start.advanced(byMilliseconds: Self.day)
        #expect(table.claim(digest("a"), for: request(3), now: after) == .taken)
        #expect(table.count == 1)
    }

    @Test func `a request that was not accepted gives its key back, and only its own`() {
        let table = IdempotencyTable()
        _ = table.claim(digest("a"), for: request(1), now: Self.start)
        table.release(digest("a"), of: request(2))
        #expect(table.claim(digest("a"), for: request(2), now: Self.start) == .used(by: request(1)))
        table.release(digest("a"), of: request(1))
        #expect(table.claim(digest("a"), for: request(3), now: Self.start) == .taken)
        // The place that the first one left is forgotten without taking the third's along.
        let later = Self.start.advanced(byMilliseconds: 1)
        #expect(table.claim(digest("a"), for: request(4), now: later) == .used(by: request(3)))
    }

    @Test func `a full table forgets the oldest first`() {
        let table = IdempotencyTable(entriesMax: 3)
        for number in UInt64(1)...5 {
            #expect(table.claim(digest("\(number)"), for: request(number), now: Self.start) == .taken)
        }
        #expect(table.count == 3)
        for number in UInt64(3)...5 {
            #expect(table.claim(digest("\(number)"), for: request(9), now: Self.start) == .used(by: request(number)))
        }
        #expect(table.claim(digest("1"), for: request(10), now: Self.start) == .taken)
    }

    @Test func `it is what a list by hand is, whatever comes`() {
        for seed in UInt64(0)..<50 {
            var random = SplitMix(state: seed)
            let table = IdempotencyTable(entriesMax: 5)
            var list: [(name: String, request: RequestID, at: Timestamp)] = []
            var now = Self.start
            for number in UInt64(0)..<200 {
                now = now.advanced(byMilliseconds: .random(in: 0...Self.day / 6, using: &random))
                let name = "\(Int.random(in: 0..<12, using: &random))"
                list.removeAll { $0.at <= now.advanced(byMilliseconds: -Self.day) }
                let claim = table.claim(digest(name), for: request(number), now: now)
                if let first = list.first(where: { $0.name == name }) {
                    #expect(claim == .used(by: first.request), "seed \(seed)")
                } else {
                    #expect(claim == .taken, "seed \(seed)")
                    if list.count == 5 { list.removeFirst() }
                    list.append((name, request(number), now))
                }
                #expect(table.count == list.count, "seed \(seed)")
            }
        }
    }

    @Test func `a table filled from the journal refuses what ran before the gateway started`() {
        let digest = digest("order-1")
        let history = [
            IdempotentRequest(digest: digest.bytes, requestID: request(1), acceptedAt: Self.start),
            IdempotentRequest(digest: [1, 2], requestID: request(2), acceptedAt: Self.start),
        ]
        let table = IdempotencyTable(remembering: history)
        #expect(table.claim(digest, for: request(3), now: Self.start) == .used(by: request(1)))
        #expect(IdempotencyDigest(bytes: digest.bytes) == digest && digest.bytes.count == 16)
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
