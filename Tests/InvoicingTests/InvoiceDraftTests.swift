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
            charge: good.charge, price: good.price, rounding: .halfEven, quantity: 11, rolledUp: good.amount)
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
            period: october, rated: rated, invoicedQuantity: 400_000, invoicedExact: try Fixture.usd("0.06"),
            invoicedAmount: try Fixture.usd("0.06"))
        let settled = EarlierUsage(
            period: october, rated: try Fixture.usage(10, meter: .outputTokens), invoicedQuantity: 10,
            invoicedExact: try Fixture.usd("0.0000015"), invoicedAmount: try Fixture.usd("0.00"))
        let draft = try Fixture.draft(terms(), earlier: [earlier, settled])
        let line = try #require(draft.lines.first)
        #expect(draft.lines.count == 1)
        #expect(line.kind == .adjustment)
        #expect(line.quantity == 600_000)
        #expect(line.exactAmount.description == "0.09")
        #expect(line.description == "sim-small: input tokens, standard, late usage of 2026-10")
    }

    @Test(arguments: [
        // quantity now, quantity, exact and rounded so far, amount of the adjustment
        (90_000, 60_000, "0.009", "0.01", "0.00"), (100_000, 60_000, "0.009", "0.01", "0.01"),
        (66_666, 33_333, "0.00499995", "0.00", "0.01"),
        (99_999, 66_666, "0.0099999", "0.01", "0.00"), (300_000, 100_000, "0.015", "0.02", "0.02"),
        (0, 60_000, "0.009", "0.01", "-0.01"),
        // Two lines that were once rounded up on their own hold a cent too much: more usage gives none back.
        (70_000, 66_666, "0.0099999", "0.02", "0.00"),
    ])
    func `an adjustment is the whole rounded now, less what was asked for`(
        now: Int64, before: Int64, exact: String, rounded: String, amount: String
    ) throws {
        let earlier = EarlierUsage(
            period: try Fixture.month("2026-10").period, rated: try Fixture.usage(now), invoicedQuantity: before,
            invoicedExact: try Fixture.usd(exact), invoicedAmount: try Fixture.usd(rounded))
        let draft = try Fixture.draft(
            terms(), usage: [Fixture.usage(1_000_000, meter: .outputTokens)], earlier: [earlier])
        let line = try #require(draft.lines.last)
        #expect(line.amount == (try Fixture.usd(amount)))
        #expect(line.exactAmount == (try Fixture.usage(now).amount.subtracting(Fixture.usd(exact))))
    }

    @Test func `a line says its charge, and its unit and label are its meter's`() throws {
        let usage = try [
            Fixture.usage(3, price: "40000", meter: .images), Fixture.usage(61_700, meter: .audioMilliseconds),
            Fixture.usage(12, meter: .searches), Fixture.usage(99, meter: .characters), Fixture.usage(10),
        ]
        let account = Account(
            id: Fixture.accountID, name: "Acme", currency: .usd, calendar: try Fixture.calendar(), createdAt: early)
        let document = try InvoiceDocument(
            Fixture.draft(terms(fee: "10.00"), usage: usage), seller: Seller(name: "Tokens Ltd"), account: account)
        #expect(document.version == 2)
        #expect(
            document.lines.map { "\($0.charge ?? "") \($0.quantity ?? "-") \($0.unit ?? "-") (\($0.label ?? "-"))" }
                == [
                    "team@1/base_fee - - (-)", "team@1/sim/standard/input_tokens 10 tokens (input tokens)",
                    "team@1/sim/standard/images 3 images (images)",
                    "team@1/sim/standard/audio_milliseconds 61700 milliseconds (milliseconds of audio)",
                    "team@1/sim/standard/characters 99 characters (characters)",
                    "team@1/sim/standard/searches 12 searches (searches)",
                ])
    }

    @Test func `charges below zero need a credit note and no invoice is made`() throws {
        let earlier = EarlierUsage(
            period: try Fixture.month("2026-10").period, rated: try Fixture.usage(0), invoicedQuantity: 1_000_000,
            invoicedExact: try Fixture.usd("0.15"), invoicedAmount: try Fixture.usd("0.15"))
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
            let charge = try #require(line.charge.usage)
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
