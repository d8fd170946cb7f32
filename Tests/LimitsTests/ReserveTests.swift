import Identity
import Limits
import NaiveArithmetic
import Testing

/// What is reserved for an answer of which nobody said how long it may become, and what that lets through at most.
@Suite struct ReserveTests {
    private let limit: Int64 = 16_000
    private let longest: Int64 = 16_384

    private func key(_ number: UInt64, model: String = "large") -> AnswerKey {
        AnswerKey(key: KeyID(UUIDv7(high: 3, low: number)), model: model)
    }

    /// A request that names no limit of its own.
    private func open(_ number: UInt64 = 1, choices: Int64 = 1) -> LimitDemand {
        LimitDemand(inputBound: 40, outputBound: longest * choices, answers: key(number), choices: choices)
    }

    @Test func `the reserve is the 95th percentile of the last 256 answers, within its bounds`() {
        var history = AnswerHistory()
        #expect(history.reserve(for: key(1), most: longest) == 256)
        history.note(3, of: key(1))
        #expect(history.reserve(for: key(1), most: longest) == 256)
        for length in 1...100 { history.note(Int64(length) * 100, of: key(2)) }
        #expect(history.reserve(for: key(2), most: longest) == 9_500)
        #expect(history.reserve(for: key(2), most: 8_000) == 8_000)
        #expect(history.reserve(for: key(2, model: "small"), most: longest) == 256)
        // Only the last 256 count: 12 long ones among them are not the 95th percentile, 13 are.
        for _ in 0..<256 { history.note(300, of: key(2)) }
        #expect(history.reserve(for: key(2), most: longest) == 300)
        for _ in 0..<12 { history.note(5_000, of: key(2)) }
        #expect(history.reserve(for: key(2), most: longest) == 300)
        history.note(5_000, of: key(2))
        #expect(history.reserve(for: key(2), most: longest) == 5_000)
        history.note(.max, of: key(3))
        #expect(history.reserve(for: key(3), most: longest) == longest)
    }

    @Test(arguments: Seeds.all)
    func `the percentile is that of a naive count`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var history = AnswerHistory()
        var all: [Int64] = []
        for _ in 0..<Int.random(in: 1...900, using: &generator) {
            let length = Int64.random(in: 0...(generator.flip(oneIn: 5) ? 20_000 : 900), using: &generator)
            history.note(length, of: key(1))
            all.append(length)
        }
        let sorted = all.suffix(256).sorted()
        let rank = sorted.indices.first { ($0 + 1) * 100 >= sorted.count * 95 } ?? 0
        #expect(history.reserve(for: key(1), most: longest) == min(max(sorted[rank], 256), longest))
    }

    @Test func `what is remembered of keys is bounded, and those in use stay`() {
        var history = AnswerHistory(keysMax: 100)
        for number in 0..<10_000 as Range<UInt64> {
            history.note(1_000, of: key(number))
            if number % 20 == 0 { history.note(7_000, of: key(999_999)) }
            #expect(history.count <= 100)
        }
        #expect(history.reserve(for: key(999_999), most: longest) == 7_000)
        #expect(history.reserve(for: key(1), most: longest) == 256)
    }

    @Test func `a limit smaller than the model's longest answer serves small requests, one after another and at once`()
    {
        let tokens = rule(.tokensPerMinute, limit)
        var set = LimitSet(hasSource: false)
        for _ in 0..<20 {
            guard case .decided(.admitted(let reservation)) = set.admit([tokens], open(), now: 0) else {
                Issue.record("700 tokens each, 20 of them")
                return
            }
            _ = set.settle(reservation, LimitUsage(inputTokens: 10, outputTokens: 690), now: 0)
        }
        // 2,000 are left, and this key's answers take 690.
        guard case .decided(.admitted) = set.admit([tokens], open(), now: 0),
            case .decided(.admitted(let second)) = set.admit([tokens], open(), now: 0),
            case .decided(.refused(let refusal)) = set.admit([tokens], open(), now: 0)
        else {
            Issue.record("there is room for two")
            return
        }
        #expect(second.standings.tokens?.remaining == 540)
        #expect(refusal.amount == 730)
        #expect(refusal.remaining == 540)
    }

    @Test func `what the client allows itself is reserved whole, and several answers are several reserves`() {
        let tokens = rule(.outputTokensPerMinute, limit)
        var set = LimitSet(hasSource: false)
        let asked = LimitDemand(inputBound: 1, outputBound: 9_000, outputAsked: 9_000, answers: key(1))
        guard case .decided(.admitted) = set.admit([tokens], asked, now: 0),
            case .decided(.refused) = set.admit([tokens], asked, now: 0),
            case .decided(.admitted(let four)) = set.admit([tokens], open(choices: 4), now: 0)
        else {
            Issue.record("9,000 of 16,000, then 1,024")
            return
        }
        #expect(four.standings.tokens?.remaining == 5_976)
        _ = set.settle(four, LimitUsage(inputTokens: 1, outputTokens: 4_000), now: 0)
        guard case .decided(.admitted(let one)) = set.admit([tokens], open(), now: 0) else {
            Issue.record("1,000 each, 3,000 left")
            return
        }
        #expect(one.standings.tokens?.remaining == 2_000)
    }

    @Test func `a stream that grows beyond its reserve takes what it has, and what it leaves decides of others`() {
        let tokens = rule(.tokensPerMinute, limit)
        var set = LimitSet(hasSource: false)
        guard case .decided(.admitted(var stream)) = set.admit([tokens], open(1), now: 0) else {
            Issue.record("nothing is used")
            return
        }
        #expect(set.reserved(tokens.id) == 296)
        set.grow(&stream, outputTokens: 200, now: 0)
        #expect(set.reserved(tokens.id) == 296)
        #expect(stream.covers(outputTokens: 256) && !stream.covers(outputTokens: 257))
        set.grow(&stream, outputTokens: 15_800, now: 0)
        #expect(set.reserved(tokens.id) == 15_840)
        guard case .decided(.refused(let refusal)) = set.admit([tokens], open(2), now: 0) else {
            Issue.record("160 are left")
            return
        }
        #expect(refusal.remaining == 160)
        // It ends shorter than it seemed to be: events are not always tokens.
        _ = set.settle(stream, LimitUsage(inputTokens: 10, outputTokens: 15_000), now: 0)
        guard case .decided(.admitted(let next)) = set.admit([tokens], open(2), now: 0) else {
            Issue.record("990 are left")
            return
        }
        #expect(next.standings.tokens?.remaining == 694)
        #expect(set.reserved(tokens.id) == 296)
    }

    /// Requests that answer at their longest, on two gateways that do not wait for one another.
    private struct Storm {
        struct Request {
            var reservation: Reservation
            let gateway: Int
            let reserve: Int64
            var tokens: Int64 = 0
        }

        var running: [Request] = []
        var bound: Int64
        var used: Int64 = 0

        mutating func begin(_ reservation: Reservation, _ gateway: Int, reserve: Int64, longest: Int64) {
            running.append(Request(reservation: reservation, gateway: gateway, reserve: reserve))
            bound += longest - reserve
        }
    }

    @Test(arguments: 0..<12 as Range<UInt64>)
    func `64 answers at their longest take no more than the limit and what those grew that ran when it was empty`(
        seed: UInt64
    ) {
        let tokens = rule(.outputTokensPerMinute, limit)
        var fleet = Fleet(gateways: 2, rules: [tokens], delay: 1...(seed % 3 == 0 ? 40 : 4), seed: seed)
        var storm = Storm(bound: limit)
        var waiting: [(gateway: Int, number: Int)] = []
        var sent = 0
        let begin = fleet.now
        let demand = LimitDemand(inputBound: 0, outputBound: longest, answers: key(1))
        while fleet.now - begin < 55_000 {
            for _ in 0..<Int.random(in: 0...9, using: &fleet.generator) where sent < 64 {
                sent += 1
                switch fleet.admit(sent % 2, [tokens], demand) {
                case .decided(.admitted(let reservation)):
                    storm.begin(reservation, sent % 2, reserve: 256, longest: longest)
                case .waiting(let number): waiting.append((sent % 2, number))
                case .decided(.refused): break
                }
            }
            for waiter in waiting {
                guard case .admitted(let reservation)? = fleet.gateways[waiter.gateway].answers[waiter.number] else {
                    continue
                }
                storm.begin(reservation, waiter.gateway, reserve: 256, longest: longest)
            }
            waiting.removeAll { fleet.gateways[$0.gateway].answers[$0.number] != nil }
            for index in storm.running.indices {
                let more = min(
                    Int64.random(in: 0...200, using: &fleet.generator), longest - storm.running[index].tokens)
                storm.running[index].tokens += more
                storm.used += more
                fleet.grow(
                    &storm.running[index].reservation, storm.running[index].gateway,
                    outputTokens: storm.running[index].tokens)
            }
            fleet.advance(100)
            // What was refilled since the beginning is within the limit a minute.
            #expect(storm.used <= storm.bound + limit * (fleet.now - begin) / 60_000)
        }
        // While the debt lasts nobody else passes: of those that came late all were refused.
        #expect(!storm.running.isEmpty)
        #expect(storm.running.count <= 62 + 16)
        if case .decided(.admitted) = fleet.admit(0, [tokens], demand) { Issue.record("the limit is in debt") }
        for request in storm.running {
            fleet.settle(
                Fleet.Running(reservation: request.reservation, gateway: request.gateway),
                LimitUsage(inputTokens: 0, outputTokens: request.tokens))
        }
        fleet.advance(1_000)
        for gateway in fleet.gateways { #expect(gateway.set.reserved(tokens.id) == 0) }
        // Now the key's answers are known to be long: each reserves a whole limit.
        fleet.advance(700_000)
        var admitted = 0
        for gateway in 0...1 { fleet.gateways[gateway].answers = [:] }
        for index in 0..<64 {
            if case .decided(.admitted) = fleet.admit(index % 2, [tokens], demand) { admitted += 1 }
        }
        fleet.advance(1_100)
        admitted += fleet.gateways.flatMap(\.answers.values).count { if case .admitted = $0 { true } else { false } }
        #expect(admitted <= 1)
    }
}
