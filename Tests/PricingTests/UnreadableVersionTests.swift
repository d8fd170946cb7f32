import Identity
import PlanLanguage
import Pricing
import Testing

struct UnreadableVersionTests {
    private func version(_ number: Int, from day: Int) throws -> PlanVersion {
        try PlanVersion(
            yaml: """
                plan: p
                version: \(number)
                title: P
                currency: EUR
                effective_from: 2026-01-\(day < 10 ? "0" : "")\(day)T00:00:00Z
                models:
                  m:
                    input: "1"
                    output: "1"
                """)
    }

    private func instant(_ day: Int) throws -> Timestamp {
        try #require(Timestamp("2026-01-\(day < 10 ? "0" : "")\(day)T12:00:00Z"))
    }

    @Test func `nothing is priced while a version that does not read would be in force`() throws {
        let bad = UnreadableVersion(
            number: 2, effectiveFrom: try version(2, from: 10).effectiveFrom, reason: "nonsense")
        let history = PlanHistory(reading: [
            .success(try version(1, from: 1)), .failure(bad), .success(try version(3, from: 20)),
        ])
        #expect(history.version(at: try instant(5), under: nil)?.version == 1)
        #expect(history.version(at: try instant(15), under: nil) == nil)
        #expect(history.unreadableVersion(at: try instant(15), under: nil) == bad)
        #expect(history.version(at: try instant(25), under: nil)?.version == 3)
        #expect(history.unreadableVersion(at: try instant(25), under: nil) == nil)
        #expect(history.unreadableVersion(at: try instant(5), under: nil) == nil)
    }

    @Test func `versions that do not follow do not read`() throws {
        let twice = PlanHistory(reading: [.success(try version(1, from: 1)), .success(try version(1, from: 2))])
        #expect(twice.versions.count == 1 && twice.unreadable.map(\.number) == [1])
        let back = PlanHistory(reading: [.success(try version(1, from: 9)), .success(try version(2, from: 3))])
        #expect(back.versions.count == 1 && back.unreadable.map(\.number) == [2])
        let gap = PlanHistory(reading: [.success(try version(3, from: 1))])
        let after = try instant(5)
        #expect(gap.versions.isEmpty && gap.version(at: after, under: nil) == nil)
    }

    @Test func `the next version mends a plan whose last one does not read`() throws {
        let bad = UnreadableVersion(
            number: 2, effectiveFrom: try version(2, from: 10).effectiveFrom, reason: "nonsense")
        let history = PlanHistory(reading: [.success(try version(1, from: 1)), .failure(bad)])
        #expect(throws: PlanHistoryError.self) {
            try history.publishing(try version(2, from: 20), now: try instant(11))
        }
        #expect(throws: PlanHistoryError.self) {
            try history.publishing(try version(3, from: 10), now: try instant(1))
        }
        guard case .new(let mended) = try history.publishing(try version(3, from: 20), now: try instant(11)) else {
            Issue.record("version 3 is new")
            return
        }
        #expect(mended.version(at: try instant(21), under: nil)?.version == 3 && mended.unreadable == [bad])
    }
}
