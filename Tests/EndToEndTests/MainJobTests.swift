import NaiveArithmetic
import Postgres
import TestSupport
import Testing

extension EndToEndTests {
    /// The whole job once, each amount held against one worked out by hand from the engine's own book.
    @Suite struct MainJobTests {
        @Test func `two customers' months end in invoices that are right to the last digit`() async throws {
            let job = try await MainJob.make()
            let installation = job.installation
            let months = job.months
            try await job.moveClocks(to: months[0].day(10))
            let program = try await installation.served("all")

            var first = try await job.traffic("normal", requests: 160, seed: 1, failures: 4)
            first += try await job.traffic("slow", requests: 40, seed: 2)
            try await job.moveClocks(to: months[1].day(5))
            let second = try await job.traffic("normal", requests: 100, seed: 3)
            try await job.invoice(months[0])
            try await job.moveClocks(to: months[2].day(3))
            try await job.invoice(months[1])
            try await job.moveClocks(to: months[2].next.day(2))
            try await job.invoice(months[2])

            let book = try await installation.engine.book()
            let records = try await installation.records()
            let traffic = [
                try MonthOfTraffic(first, book: book, records: records),
                try MonthOfTraffic(second, book: book, records: records), try MonthOfTraffic([], book: [], records: []),
            ]
            #expect(book.count == first.count + second.count)
            #expect(first.contains { $0.outcome == "left" } && first.contains { $0.outcome == "error" })
            try await checkInvoices(job, traffic)
            try await checkThatRunningAgainChangesNothing(job)
            try await checkReconcile(job)
            try await installation.stop(program)
            try await installation.remove()
        }

        private func checkInvoices(_ job: MainJob, _ traffic: [MonthOfTraffic]) async throws {
            let installation = job.installation
            for (customer, plan) in [(job.team, job.teamPlan), (job.single, job.singlePlan)] {
                var creditsBefore: [CreditKey: NaiveFraction] = [:]
                for (index, month) in job.months.enumerated() {
                    let name = "\(customer.name) \(month.text)"
                    let expected = try ExpectedInvoice(
                        traffic[index], customer, plan, month,
                        feeDays: index == 0 ? month.days - 5 : month.days, credits: creditsBefore)
                    let invoice = try await IssuedInvoice.find(installation, customer, month: month.text)
                    guard let invoice else {
                        #expect(expected.isEmpty, "\(name) has an invoice")
                        continue
                    }
                    try expected.compare(with: invoice, name)
                    creditsBefore = try expected.creditsEarned(traffic[index], customer, plan, month)
                    let shouldBreak = customer.name == "team" && index == 0
                    #expect(creditsBefore.keys.contains { $0.tier == "priority" } == shouldBreak, "\(name)")
                    if index > 0 { #expect(creditsBefore.isEmpty, "\(name): no promise was broken") }
                }
            }
        }

        private func checkThatRunningAgainChangesNothing(_ job: MainJob) async throws {
            func state() async throws -> [String] {
                try await job.installation.query(
                    """
                    SELECT invoice_id::text || number || state || total || document FROM invoices
                    UNION ALL SELECT transaction_id::text || line || ledger_account || amount FROM ledger_postings
                    UNION ALL SELECT result_id::text || status || exact_credit || evidence FROM service_level_results
                    ORDER BY 1
                    """
                ).decodeAll(as: String.self)
            }
            let before = try await state()
            #expect(before.count > 10)
            for month in job.months { try await job.invoice(month) }
            #expect(try await state() == before)
        }

        private func checkReconcile(_ job: MainJob) async throws {
            let installation = job.installation
            let run = try await installation.reconcile()
            #expect(run.isSuccess, "\(run.output) \(run.errors)")
            let plants: [(SQL, SQL)] = [
                (
                    "UPDATE usage_rollups SET amount = amount + 0.000000000001",
                    "UPDATE usage_rollups SET amount = amount - 0.000000000001"
                ),
                (
                    "UPDATE attempt_records SET output_visible = output_visible + 1 WHERE rating = 'rated'",
                    "UPDATE attempt_records SET output_visible = output_visible - 1 WHERE rating = 'rated'"
                ),
            ]
            for (plant, takeBack) in plants {
                #expect(try await installation.database.pool.execute(plant) > 0)
                let planted = try await installation.tollgate("reconcile", "--period", job.months[0].text)
                #expect(planted.end == .exited(1), "a planted difference is found: \(planted.output)")
                try await installation.database.pool.execute(takeBack)
            }
            let mended = try await installation.reconcile()
            #expect(mended.isSuccess, "\(mended.output) \(mended.errors)")
        }
    }
}

/// An invoice worked out from the engine's counts and the plan's text.
struct ExpectedInvoice {
    let usage: [ChargeByHand: (quantity: Int64, price: NaiveFraction, exact: NaiveFraction)]
    let fee: NaiveFraction
    let credits: [CreditKey: NaiveFraction]

    init(
        _ traffic: MonthOfTraffic, _ customer: Customer, _ plan: PlanByHand, _ month: MainJob.Month, feeDays: Int,
        credits: [CreditKey: NaiveFraction]
    ) throws {
        let million = NaiveFraction(NaiveInteger(1), over: NaiveInteger.powerOfTen(6))
        var usage: [ChargeByHand: (quantity: Int64, price: NaiveFraction, exact: NaiveFraction)] = [:]
        for (charge, quantity) in try traffic.quantities(of: customer) {
            guard let price = plan.price(charge) else { throw ProgramFailure("the plan has no price for \(charge)") }
            usage[charge] = (quantity, price, price * NaiveFraction(NaiveInteger(quantity)) * million)
        }
        self.usage = usage
        fee = (plan.baseFee * NaiveFraction(NaiveInteger(feeDays), over: NaiveInteger(month.days))).rounded(digits: 12)
        self.credits = credits
    }

    var isEmpty: Bool { usage.isEmpty && fee == .zero && credits.isEmpty }

    /// What the month's broken promises give back, by tier.
    func creditsEarned(
        _ traffic: MonthOfTraffic, _ customer: Customer, _ plan: PlanByHand, _ month: MainJob.Month
    ) throws -> [CreditKey: NaiveFraction] {
        var credits: [CreditKey: NaiveFraction] = [:]
        for tier in plan.promisedTiers {
            let lines = traffic.lines(of: customer, tier: tier)
            guard let percent = plan.promises(of: tier).compactMap({ $0.credit(lines) }).max() else { continue }
            let charges = usage.filter { $0.key.tier == tier }.values.map(\.exact).reduce(.zero, +)
            let hundredth = NaiveFraction(NaiveInteger(1), over: NaiveInteger(100))
            let credit = (charges * percent * hundredth).rounded(digits: 12)
            if !(credit == .zero) { credits[CreditKey(month: month.text, tier: tier)] = credit }
        }
        return credits
    }

    /// Each line exactly, then to the cent; and nothing else on the invoice.
    func compare(with invoice: IssuedInvoice, _ name: String) throws {
        let lines = try invoice.usage()
        #expect(Set(lines.keys) == Set(usage.keys), "\(name)")
        for (charge, line) in lines {
            guard let expected = usage[charge] else { continue }
            #expect(line.quantity == expected.quantity, "\(name) \(charge)")
            #expect(line.unitPrice == expected.price, "\(name) \(charge)")
            #expect(line.exact == expected.exact, "\(name) \(charge)")
            #expect(line.amount == expected.exact.rounded(digits: 2), "\(name) \(charge)")
        }
        let fees = try invoice.lines("base_fee")
        #expect(fees.map(\.exact) == (fee == .zero ? [] : [fee]), "\(name)")
        #expect(fees.map(\.amount) == (fee == .zero ? [] : [fee.rounded(digits: 2)]), "\(name)")
        #expect(try invoice.lines("adjustment").isEmpty, "\(name)")

        let given = try invoice.credits()
        #expect(Set(given.keys) == Set(credits.keys), "\(name)")
        for (key, line) in given {
            guard let credit = credits[key] else { continue }
            #expect(line.exact == credit.negated, "\(name) \(key)")
            #expect(line.amount == credit.rounded(digits: 2).negated, "\(name) \(key)")
        }
        let all = lines.values + fees + given.values
        let totals = try invoice.totals()
        #expect(totals.total == all.map(\.amount).reduce(.zero, +), "\(name)")
        #expect(totals.exact == all.map(\.exact).reduce(.zero, +), "\(name)")
    }
}
