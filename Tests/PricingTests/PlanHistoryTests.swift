import Identity
import Pricing
import TestSupport
import Testing

@Suite struct PlanHistoryTests {
    private let now = PlanSamples.instant

    @Test func `a request is priced by the version in force when it was accepted`() throws {
        let history = try PlanHistory(published: [
            version(2, "2026-02-01T00:00:00Z"), version(1, "2026-01-01T00:00:00Z"),
        ])
        let at = { (text: String) in history.version(at: Timestamp(text) ?? self.now, under: nil)?.version }
        #expect(at("2025-12-31T23:59:59.999Z") == nil)
        #expect(at("2026-01-01T00:00:00Z") == 1)
        #expect(at("2026-01-31T23:59:59.999Z") == 1)
        #expect(at("2026-02-01T00:00:00Z") == 2)
        #expect(at("2030-01-01T00:00:00Z") == 2)
        #expect(history.version(numbered: 2)?.version == 2)
        #expect(history.version(numbered: 3) == nil)
    }

    @Test func `the first version may take effect in the past`() throws {
        guard case .new(let history) = try PlanHistory().publishing(version(1, "2020-01-01T00:00:00Z"), now: now) else {
            Issue.record("the first version was not new")
            return
        }
        #expect(history.versions.map(\.version) == [1])
    }

    @Test func `a later version takes effect at least a minute ahead`() throws {
        let history = try PlanHistory(published: [version(1, "2025-01-01T00:00:00Z")])
        let inTime = try version(2, "2026-01-01T00:01:00Z")
        guard case .new(let longer) = try history.publishing(inTime, now: now) else {
            Issue.record("the second version was not new")
            return
        }
        #expect(longer.versions == history.versions + [inTime])
        let late = try version(2, "2026-01-01T00:00:59.999Z")
        #expect(
            throws: PlanHistoryError.tooSoon(
                effectiveFrom: late.effectiveFrom, earliest: now.advanced(byMilliseconds: 60_000))
        ) { try history.publishing(late, now: now) }
    }

    @Test func `publishing the same content again changes nothing`() throws {
        let published = try version(1, "2025-01-01T00:00:00Z")
        let history = try PlanHistory(published: [published])
        #expect(try history.publishing(published, now: now) == .unchanged)
        let changed = try PlanSamples.version(("0.60", "0.61"), ("2026-01-01", "2025-01-01"))
        #expect(throws: PlanHistoryError.differsFromPublished(version: 1, next: 2)) {
            try history.publishing(changed, now: now)
        }
    }

    @Test func `versions have no gaps, one plan, one currency and ascending dates`() throws {
        let history = try PlanHistory(published: [version(1, "2026-06-01T00:00:00Z")])
        #expect(throws: PlanHistoryError.wrongNumber(version: 3, expected: 2)) {
            try history.publishing(version(3, "2026-07-01T00:00:00Z"), now: now)
        }
        let earlier = try version(2, "2026-06-01T00:00:00Z")
        #expect(
            throws: PlanHistoryError.notAfterPrevious(
                effectiveFrom: earlier.effectiveFrom, previous: earlier.effectiveFrom)
        ) { try history.publishing(earlier, now: now) }
        let euro = try PlanSamples.version(("USD", "EUR"), ("version: 1", "version: 2"), ("2026-01-01", "2026-07-01"))
        #expect(throws: PlanHistoryError.currencyChanged(from: "USD", to: "EUR")) {
            try history.publishing(euro, now: now)
        }
        let other = try PlanSamples.version(
            ("plan: sample", "plan: other"), ("version: 1", "version: 2"), ("2026-01-01", "2026-07-01"))
        #expect(throws: PlanHistoryError.otherPlan("other", expected: "sample")) {
            try history.publishing(other, now: now)
        }
        #expect(throws: PlanHistoryError.wrongNumber(version: 2, expected: 1)) {
            try PlanHistory(published: [version(2, "2026-06-01T00:00:00Z")])
        }
    }

    private func version(_ number: Int, _ effectiveFrom: String) throws -> PlanVersion {
        try PlanSamples.version(("version: 1", "version: \(number)"), ("2026-01-01T00:00:00Z", effectiveFrom))
    }
}
