import Identity
import Metering
import Monetary
import NaiveArithmetic
import ServiceLevels
import Testing

private func percent(_ text: String) throws -> Percentage { try Percentage(parsing: text) }

/// A request of the tier `priority`; the number makes its id and acceptance.
private func request(
    _ number: UInt64 = 1, outcome: RequestOutcome = .success, isStream: Bool = true, firstByte: Int64? = 1000,
    firstToken: Int64? = 100_000, end: Int64? = 900_000, tier: String = "priority", reason: String = "",
) -> MeasuredRequest {
    MeasuredRequest(
        id: RequestID(UUIDv7(milliseconds: Int64(number), randomness: (0, number))),
        subscriptionID: SubscriptionID(UUIDv7(high: 1, low: 1)), tier: tier, isStream: isStream, outcome: outcome,
        httpStatus: outcome == .success ? 200 : 503, reason: reason, firstByteMicroseconds: firstByte,
        firstTokenMicroseconds: firstToken, endMicroseconds: end)
}

private func promise(
    _ objective: Objective = .availability, promised: String = "99.5", minimum: Int64 = 1,
    steps: [(String, String)] = [("99.5", "10"), ("95", "25"), ("90", "100")],
) throws -> TierPromise {
    TierPromise(
        tier: "priority", objective: objective, promised: try percent(promised), minimumRequests: minimum,
        ladder: CreditLadder(
            steps: try steps.map { CreditLadder.Step(below: try percent($0.0), credit: try percent($0.1)) }))
}

private func result(good: Int, bad: Int, of promise: TierPromise) -> PromiseResult {
    var tally = PromiseTally(promise: promise)
    for number in 0..<good { tally.add(request(UInt64(number))) }
    for number in 0..<bad {
        let miss = request(UInt64(good + number), outcome: .providerError, firstToken: 9_000_000, reason: "engine_down")
        tally.add(miss)
    }
    return PromiseResult(tally)
}

@Suite struct AvailabilityTests {
    @Test(arguments: [
        (RequestOutcome.success, true, "good"), (.clientError, true, "client_error"),
        (.clientAbort, false, "client_abort_before_answer"), (.clientAbort, true, "good"),
        (.providerError, true, "bad"), (.providerError, false, "bad"), (.gatewayLost, false, "bad"),
    ])
    func `each outcome counts as it should`(outcome: RequestOutcome, hadAnswer: Bool, expected: String) {
        let judged = Objective.availability.judge(request(outcome: outcome, firstByte: hadAnswer ? 5 : nil))
        switch judged {
        case .good: #expect(expected == "good")
        case .bad: #expect(expected == "bad")
        case .excluded(let reason): #expect(expected == reason)
        }
    }

    @Test func `the evidence says what failed`() throws {
        var tally = PromiseTally(promise: try promise())
        tally.add(request(outcome: .providerError, reason: "upstream_unavailable"))
        #expect(tally.bad == ["upstream_unavailable": 1])
        #expect(tally.worst.first?.measured == "HTTP 503, upstream_unavailable")
    }
}

@Suite struct TimeToFirstTokenTests {
    private let objective = Objective.timeToFirstToken(thresholdMilliseconds: 500)

    @Test func `the threshold itself is in time and a microsecond more is not`() {
        #expect(objective.judge(request(firstToken: 500_000)) == .good)
        let late = Miss(reason: "first_token_late", measured: "501 ms", severity: 500_001)
        #expect(objective.judge(request(firstToken: 500_001)) == .bad(late))
    }

    @Test func `plain answers do not count`() {
        #expect(objective.judge(request(isStream: false)) == .excluded(reason: "not_streamed"))
    }

    @Test func `a stream that broke after its first token counts by that token`() {
        #expect(objective.judge(request(outcome: .providerError, firstToken: 400_000)) == .good)
        #expect(objective.judge(request(outcome: .clientAbort, firstToken: 400_000)) == .good)
    }

    @Test func `a stream that delivered nothing is for availability to judge`() {
        let failed = request(outcome: .providerError, firstToken: nil)
        #expect(objective.judge(failed) == .excluded(reason: "no_first_token"))
        #expect(objective.judge(request(outcome: .clientAbort, firstToken: nil)) == .excluded(reason: "no_first_token"))
    }

    @Test func `a successful stream without tokens is measured by its end`() {
        #expect(objective.judge(request(firstToken: nil, end: 400_000)) == .good)
        guard case .bad = objective.judge(request(firstToken: nil, end: 600_000)) else {
            Issue.record("600 ms are later than 500 ms")
            return
        }
    }
}

@Suite struct PromiseResultTests {
    @Test(arguments: [
        (199, 1, PromiseStatus.kept, nil), (198, 2, .broken, "10"), (95, 5, .broken, "10"), (94, 6, .broken, "25"),
        (90, 10, .broken, "25"), (89, 11, .broken, "100"), (0, 3, .broken, "100"),
    ])
    func `the ladder gives the largest credit and its bounds are not below themselves`(
        good: Int, bad: Int, status: PromiseStatus, credit: String?,
    ) throws {
        let judged = result(good: good, bad: bad, of: try promise())
        #expect(judged.status == status)
        #expect(judged.creditPercent?.description == credit)
    }

    @Test func `too few requests are not judged`() throws {
        #expect(result(good: 0, bad: 9, of: try promise(minimum: 10)).status == .notJudged)
        #expect(result(good: 0, bad: 10, of: try promise(minimum: 10)).status == .broken)
        #expect(result(good: 0, bad: 0, of: try promise(minimum: 0)).status == .notJudged)
    }

    @Test func `a kept promise earns nothing even where the ladder begins above it`() throws {
        let judged = result(good: 99, bad: 1, of: try promise(promised: "99", steps: [("100", "50")]))
        #expect(judged.status == .kept)
        #expect(judged.creditPercent == nil)
    }

    @Test func `other tiers do not count`() throws {
        var tally = PromiseTally(promise: try promise())
        tally.add(request(outcome: .providerError, tier: "standard"))
        #expect(tally.attainment == Attainment(good: 0, counted: 0))
    }

    @Test func `several broken promises of a tier give the largest credit, not their sum`() throws {
        let base = try Money(parsing: "12.3456", currency: .usd)
        let availability = result(good: 94, bad: 6, of: try promise())
        let latency = result(
            good: 80, bad: 20, of: try promise(.timeToFirstToken(thresholdMilliseconds: 500), steps: [("99", "10")]))
        let credit = try TierCredit(results: [latency, availability], charges: base)
        #expect(credit.exactCredit == (try Money(parsing: "3.0864", currency: .usd)))
        #expect(credit.credit == (try Money(parsing: "3.09", currency: .usd)))
        #expect(credit.decisiveIndex.map { credit.results[$0].promise.objective } == .availability)
    }

    @Test func `no charges earn no credit`() throws {
        let credit = try TierCredit(results: [result(good: 0, bad: 5, of: try promise())], charges: .zero(.usd))
        #expect(credit.decisiveIndex == nil)
        #expect(credit.credit.isZero)
    }

    @Test func `attainment is cut and never rounded up`() {
        #expect(Attainment(good: 999_999_999, counted: 1_000_000_000).percentText == "99.9999")
        #expect(Attainment(good: 2, counted: 3).percentText == "66.6666")
        #expect(Attainment(good: 199, counted: 200).percentText == "99.5")
        #expect(Attainment(good: 5, counted: 5).percentText == "100")
        #expect(Attainment(good: 0, counted: 0).percentText == "–")
    }
}

@Suite struct EvidenceTests {
    @Test(arguments: Seeds.all)
    func `counts and the worst requests do not depend on the order`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let objective = Objective.timeToFirstToken(thresholdMilliseconds: 500)
        let requests = (0..<60).map { number in
            request(
                number, outcome: RequestOutcome.allCases.randomElement(using: &generator) ?? .success,
                isStream: !generator.flip(oneIn: 5),
                firstToken: generator.flip(oneIn: 6) ? nil : Int64.random(in: 1...12, using: &generator) * 100_000)
        }
        func evidence(_ requests: [MeasuredRequest]) throws -> PromiseEvidence {
            var tally = PromiseTally(promise: try promise(objective))
            for request in requests { tally.add(request) }
            return PromiseEvidence(tally)
        }
        let first = try evidence(requests)
        let second = try evidence(requests.shuffled(using: &generator))
        #expect(first == second, "seed \(seed)")
        #expect(try first.json() == second.json(), "seed \(seed)")
        #expect(try PromiseEvidence(json: first.json()) == first, "seed \(seed)")
        #expect(first.worst.count <= PromiseTally.worstRequestsMax)
        #expect(first.counted + first.excludedTotal == 60, "seed \(seed)")
        // By hand: late are those with a first token after 500 ms, or successes without one (they end at 900 ms).
        let late = requests.filter {
            $0.isStream && ($0.firstTokenMicroseconds.map { $0 > 500_000 } ?? ($0.outcome == .success))
        }
        #expect(Int(first.bad["first_token_late"] ?? 0) == late.count, "seed \(seed)")
        let worst = late.map { $0.firstTokenMicroseconds ?? 900_000 }.max()
        #expect(first.worst.first?.measured == worst.map { "\($0 / 1000) ms" }, "seed \(seed)")
    }
}

@Suite struct PromiseScopeRuleTests {
    @Test(arguments: [
        ("priority", "priority", "priority", nil), ("priority", "standard", "priority", "standard"),
        ("flex", "standard", "flex", "standard"), ("flex", "priority", "flex", "priority"),
        ("standard", "priority", "priority", nil), ("standard", "standard", "standard", nil),
    ])
    func `a request counts for the tier asked for`(
        asked: String, served: String, tier: String, instead: String?
    ) {
        let scope = PromiseScope(asked: asked, served: served, base: "standard")
        #expect(scope.tier == tier && scope.servedInstead == instead)
        let before = PromiseScope(asked: asked, served: served, base: "standard", rule: .tierServed)
        #expect(before.tier == served && before.servedInstead == nil)
    }

    @Test func `who got another tier has no good answer, and what did not count still does not`() {
        let served = [
            request(), request(firstToken: 9_000_000), request(isStream: false), request(outcome: .clientError),
        ]
        let elsewhere = served.map { one in
            MeasuredRequest(
                id: one.id, subscriptionID: one.subscriptionID, tier: one.tier, isStream: one.isStream,
                outcome: one.outcome, httpStatus: one.httpStatus, reason: one.reason,
                firstByteMicroseconds: one.firstByteMicroseconds, firstTokenMicroseconds: one.firstTokenMicroseconds,
                endMicroseconds: one.endMicroseconds, servedInstead: "standard")
        }
        func words(_ objective: Objective) -> [String] {
            elsewhere.map {
                switch objective.judge($0) {
                case .good: "good"
                case .bad(let miss): miss.reason
                case .excluded(let reason): "-" + reason
                }
            }
        }
        #expect(words(.availability) == ["other_tier", "other_tier", "other_tier", "-client_error"])
        #expect(
            words(.timeToFirstToken(thresholdMilliseconds: 500)) == [
                "other_tier", "first_token_late", "-not_streamed", "other_tier",
            ])
    }
}
