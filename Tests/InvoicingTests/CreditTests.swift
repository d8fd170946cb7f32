import Identity
import Invoicing
import Monetary
import NaiveArithmetic
import Testing

@Suite struct CreditTests {
    private func terms() throws -> [SubscriptionTerms] {
        [try Fixture.terms([Fixture.version(1, from: Fixture.instant("2025-01-01T00:00:00Z"))])]
    }

    @Test func `a credit of an earlier month is a negative line with its exact amount`() throws {
        let credit = try Fixture.credit("0.123456", month: Fixture.month("2026-10"))
        let draft = try Fixture.draft(terms(), usage: [Fixture.usage(10_000_000)], credits: [credit])
        let line = try #require(draft.lines.last)
        #expect(line.kind == .serviceLevelCredit)
        #expect(line.exactAmount.description == "-0.123456")
        #expect(line.amount.description == "-0.12")
        #expect(draft.total.description == "1.38")
        #expect(draft.carriedOver.isZero)
        #expect(
            line.description == "SLA credit for 2026-10, tier priority: available for 90 % of requests, 99 % promised; "
                + "10 % of 1.23456 USD")
    }

    @Test func `a credit of the invoiced month itself waits for the next invoice`() throws {
        let credit = try Fixture.credit("1", month: Fixture.month("2026-11"))
        let draft = try Fixture.draft(terms(), usage: [Fixture.usage(10_000_000)], credits: [credit])
        #expect(draft.lines.map(\.kind) == [.usage])
    }

    @Test func `what an invoice cannot carry waits for the next one`() throws {
        let month = try Fixture.month("2026-09")
        let usage = [try Fixture.usage(10_000_000)]
        let first = try Fixture.draft(terms(), usage: usage, credits: [Fixture.credit("2.004", month: month)])
        #expect(first.total.isZero)
        #expect(first.lines.last?.amount.description == "-1.50")
        #expect(first.lines.last?.exactAmount.description == "-1.50")
        #expect(first.carriedOver.description == "0.50")

        let rest = try Fixture.credit("2.004", month: month, applied: "1.50", appliedExact: "1.50")
        let second = try Fixture.draft(
            month: Fixture.month("2026-12"), terms(), usage: usage, credits: [rest])
        #expect(second.lines.last?.amount.description == "-0.50")
        #expect(second.lines.last?.exactAmount.description == "-0.504")
        #expect(second.total.description == "1.00")
    }

    @Test func `credits alone make no invoice`() throws {
        let draft = try Fixture.draft(terms(), credits: [Fixture.credit("5", month: Fixture.month("2026-10"))])
        #expect(draft.isEmpty)
        #expect(draft.carriedOver.description == "5.00")
    }

    @Test(arguments: Seeds.all)
    func `credits spread over invoices add up exactly, whatever the order`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        struct Due {
            var exact: String, cents: NaiveInteger, applied = NaiveInteger(0),
                exactText = NaiveFraction(NaiveInteger(0))
        }
        var dues: [Due] = (0..<Int.random(in: 1...5, using: &generator)).map { _ in
            let text =
                "\(Int.random(in: 0...4, using: &generator)).\(Int.random(in: 100_000...999_999, using: &generator))"
            return Due(exact: text, cents: OnPaper.rounded(NaiveFraction(decimal: text), decimals: 2))
        }
        for index in 1...40 {
            let month = try Fixture.month("2026-12")
            let tokens = Int64.random(in: 0...5, using: &generator) * 1_000_000
            var credits: [CreditDue] = []
            for (number, due) in dues.enumerated() {
                credits.append(
                    try Fixture.credit(
                        due.exact, month: Fixture.month("2026-0\(number + 1)"), applied: cents(due.applied),
                        appliedExact: cents(due.applied), number: UInt64(number)))
            }
            let draft = try Fixture.draft(
                month: month, terms(), usage: tokens > 0 ? [Fixture.usage(tokens)] : [],
                credits: credits.shuffled(using: &generator), generation: index)
            #expect(!draft.total.isNegative, "seed \(seed)")
            var available = NaiveInteger(tokens) * NaiveInteger(15)
            available = OnPaper.rounded(NaiveFraction(available, over: NaiveInteger(1_000_000)), decimals: 0)
            for (number, due) in dues.enumerated() {
                let left = due.cents - due.applied
                let expected = left < available ? left : available
                let id = ServiceLevelResultID(UUIDv7(high: 7, low: UInt64(number)))
                let line = draft.lines.first { $0.charge.credit?.resultID == id }
                let amount = line.map { OnPaper.value(of: $0.amount) } ?? NaiveFraction(NaiveInteger(0))
                #expect(amount == OnPaper.text(-expected, decimals: 2), "seed \(seed) invoice \(index)")
                available = available - expected
                dues[number].applied = due.applied + expected
                if let line { dues[number].exactText = dues[number].exactText + OnPaper.value(of: line.exactAmount) }
            }
            if dues.allSatisfy({ $0.applied == $0.cents }) { break }
        }
        for due in dues where due.applied == due.cents && !due.cents.isZero {
            #expect(due.exactText == NaiveFraction(decimal: "-" + due.exact), "seed \(seed)")
        }
    }

    private func cents(_ value: NaiveInteger) -> String {
        let text = "\(value)"
        let padded = String(repeating: "0", count: max(0, 3 - text.count)) + text
        return "\(padded.dropLast(2)).\(padded.suffix(2))"
    }
}
