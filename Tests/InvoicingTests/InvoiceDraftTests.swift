import Accounts
import Identity
import Invoicing
import Metering
import Monetary
import NaiveArithmetic
import Pricing
import Testing

@Suite struct InvoiceDraftTests {
    private let early = Fixture.instant("2025-01-01T00:00:00Z")

    private func terms(fee: String? = nil) throws -> [SubscriptionTerms] {
        [try Fixture.terms([Fixture.version(1, from: early, fee: fee)])]
    }

    @Test func `lines are rounded once each and the total is their sum`() throws {
        // 0.15 a million: 3 333 333 tokens are 0.49999995 and 33 333 are 0.00499995.
        let draft = try Fixture.draft(
            terms(),
            usage: [Fixture.usage(3_333_333), Fixture.usage(33_333, meter: .outputTokens)])
        #expect(draft.lines.map(\.exactAmount.description) == ["0.49999995", "0.00499995"])
        #expect(draft.lines.map(\.amount.description) == ["0.50", "0.00"])
        #expect(draft.total.description == "0.50")
        #expect(draft.exactTotal.description == "0.5049999")
    }

    @Test func `a plan may round its lines another way`() throws {
        let draft = try Fixture.draft(terms(), usage: [Fixture.usage(100_000, price: "0.05", rounding: .halfUp)])
        #expect(draft.lines.map(\.amount.description) == ["0.01"])
        let even = try Fixture.draft(terms(), usage: [Fixture.usage(100_000, price: "0.05")])
        #expect(even.lines.map(\.amount.description) == ["0.00"])
    }

    @Test func `nothing used and no fee is no invoice`() throws {
        #expect(try Fixture.draft(terms()).isEmpty)
    }

    @Test func `a sum that is not quantity times price stops the invoice`() throws {
        let good = try Fixture.usage(10)
        let bad = RatedUsage(
            charge: good.charge, unitPrice: good.unitPrice, rounding: .halfEven, quantity: 11, amount: good.amount)
        #expect {
            try Fixture.draft(terms(), usage: [bad])
        } throws: {
            if case .amountContradictsPrice = $0 as? InvoicingError { true } else { false }
        }
    }

    @Test func `usage of a subscription that is not there stops the invoice`() throws {
        #expect(throws: InvoicingError.unknownSubscription(Fixture.subscriptionID)) {
            try Fixture.draft([], usage: [Fixture.usage(10)])
        }
    }

    @Test func `a plan of another currency stops the invoice`() throws {
        let euro = try Fixture.terms([Fixture.version(1, from: early, currency: .eur)])
        #expect(throws: InvoicingError.currency(plan: "team", planCurrency: .eur, accountCurrency: .usd)) {
            try Fixture.draft([euro])
        }
    }

    @Test func `usage that came late is a line by difference`() throws {
        let october = try Fixture.month("2026-10").period
        let rated = try Fixture.usage(1_000_000)
        let earlier = EarlierUsage(
            period: october, rated: rated, invoicedQuantity: 400_000, invoicedAmount: try Fixture.usd("0.06"))
        let settled = EarlierUsage(
            period: october, rated: try Fixture.usage(10, meter: .outputTokens), invoicedQuantity: 10,
            invoicedAmount: try Fixture.usd("0.0000015"))
        let draft = try Fixture.draft(terms(), earlier: [earlier, settled])
        let line = try #require(draft.lines.first)
        #expect(draft.lines.count == 1)
        #expect(line.kind == .adjustment)
        #expect(line.quantity == 600_000)
        #expect(line.exactAmount.description == "0.09")
        #expect(line.description == "sim-small: input tokens, standard, late usage of 2026-10")
    }

    @Test func `charges below zero need a credit note and no invoice is made`() throws {
        let earlier = EarlierUsage(
            period: try Fixture.month("2026-10").period, rated: try Fixture.usage(0), invoicedQuantity: 1_000_000,
            invoicedAmount: try Fixture.usd("0.15"))
        #expect(throws: InvoicingError.negativeTotal(try Fixture.usd("-0.15"))) {
            try Fixture.draft(terms(), earlier: [earlier])
        }
    }

    @Test func `the next generation of a void invoice has ids of its own`() throws {
        let first = try Fixture.draft(terms(), usage: [Fixture.usage(10)])
        let second = try Fixture.draft(terms(), usage: [Fixture.usage(10)], generation: 1)
        #expect(first.id != second.id)
        #expect(first.lines.map(\.id) != second.lines.map(\.id))
    }

    @Test(arguments: Seeds.all)
    func `lines, rounding and totals equal the computation on paper`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var usage: [RatedUsage] = []
        var prices: [String: String] = [:]
        for model in ["a", "b", "c"] {
            for tier in ["standard", "priority"] {
                for meter in Meter.allCases where !generator.flip(oneIn: 3) {
                    let price =
                        "\(Int.random(in: 0...99, using: &generator))."
                        + String(String(Int.random(in: 1_000_000...1_999_999, using: &generator)).dropFirst())
                    let quantity = Int64.random(in: 1...10_000_000_000, using: &generator)
                    usage.append(
                        try Fixture.usage(quantity, price: price, meter: meter, model: model, tier: tier))
                    prices["\(model)/\(tier)/\(meter.rawValue)"] = price
                }
            }
        }
        let draft = try Fixture.draft(terms(), usage: usage)
        var total = NaiveInteger(0)
        for line in draft.lines {
            let charge = try #require(line.charge)
            let price = try #require(prices["\(charge.model)/\(charge.tier)/\(charge.meter.rawValue)"])
            let exact =
                NaiveFraction(decimal: price) * NaiveFraction(NaiveInteger(try #require(line.quantity)))
                * NaiveFraction(NaiveInteger(1), over: NaiveInteger.powerOfTen(6))
            #expect(OnPaper.value(of: line.exactAmount) == exact, "seed \(seed)")
            let cents = OnPaper.rounded(exact, decimals: 2)
            #expect(OnPaper.value(of: line.amount) == OnPaper.text(cents, decimals: 2), "seed \(seed)")
            total = total + cents
        }
        #expect(draft.lines.count == usage.count)
        #expect(OnPaper.value(of: draft.total) == OnPaper.text(total, decimals: 2), "seed \(seed)")

        let shuffled = try Fixture.draft(terms(), usage: usage.shuffled(using: &generator))
        #expect(shuffled == draft, "seed \(seed)")
    }
}
