import Accounts
import Billing
import Identity
import Invoicing
import Ledger
import Monetary
import Postgres
import Reconciliation
import Storage
import TestSupport
import Testing

@Suite(.database, .timeLimit(.minutes(10))) struct InvoiceActionsTests {
    private let now = BillingWorld.instant("2026-12-03T09:00:00Z")

    private func finalized() async throws -> (BillingWorld, Customer, InvoiceSummary) {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta", from: "2026-11-01T00:00:00Z")
        try await world.ingest(
            [world.request(beta, at: "2026-11-03T10:00:00Z", input: 1_234_567)], heartbeat: "2026-12-01T00:00:10Z")
        let report = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        return (world, beta, try #require(report.finalized.first))
    }

    @Test func `a payment turns the receivable into cash, once`() async throws {
        let (world, beta, invoice) = try await finalized()
        let actions = InvoiceActions(database: world.database, by: .clerk)
        let paid = try await actions.markPaid(invoice.id, now: now)
        #expect(paid.changed)
        #expect(paid.invoice.state == .paid)
        #expect(try await !actions.markPaid(invoice.id, now: now).changed)
        let balances = try await world.database.read { try LedgerStorage.balances(of: beta.account, in: $0) }
        #expect(balances[.cash]?.description == "0.19")
        #expect(balances[.receivables]?.isZero == true)
        await #expect(throws: InvoicingError.forbidden(.void, .paid)) { try await actions.void(invoice.id, now: now) }
    }

    @Test func `a void invoice keeps its number and its month can be invoiced again`() async throws {
        let (world, beta, invoice) = try await finalized()
        let actions = InvoiceActions(database: world.database, by: .clerk)
        let void = try await actions.void(invoice.id, now: now)
        #expect(void.invoice.number == "INV-2026-000001")
        let undone = try await world.database.read { try LedgerStorage.balances(of: beta.account, in: $0) }
        #expect(undone[.receivables]?.isZero == true)
        #expect(undone[.unbilledReceivables]?.description == "0.18518505")
        #expect(undone[.rounding]?.isZero == true)
        let again = try await world.run("2026-11", now: "2026-12-04T09:00:00Z").run()
        #expect(again.word(beta.id) == "finalized INV-2026-000002 0.19")
        #expect(again.finalized.first?.id != invoice.id)
        #expect(try await world.ledgerImbalance() == "0.00 0")
    }

    @Test func `only the last invoice can be made void`() async throws {
        let (world, beta, first) = try await finalized()
        try await world.ingest(
            [world.request(beta, at: "2026-11-04T10:00:00Z", input: 5_000_000)], heartbeat: "2027-01-01T00:00:10Z")
        let report = try await world.run("2026-12", now: "2027-01-02T09:00:00Z").run()
        #expect(report.word(beta.id) == "finalized INV-2027-000001 0.75")
        let actions = InvoiceActions(database: world.database, by: .clerk)
        await #expect {
            try await actions.void(first.id, now: now)
        } throws: {
            "\($0)".contains("INV-2027-000001 is later")
        }
    }

    @Test func `a preview of a month in progress stores nothing`() async throws {
        let (world, beta, first) = try await finalized()
        try await world.ingest(
            [world.request(beta, at: "2026-12-04T10:00:00Z", input: 1_000_000)], heartbeat: "2026-12-05T00:00:00Z")
        let before = try await world.fingerprint()
        let actions = InvoiceActions(database: world.database, by: .clerk)
        let december = try await actions.preview(account: beta.id, month: try #require(CivilMonth("2026-12")))
        #expect(december.document?.totals.total == "0.15")
        #expect(december.document?.number == nil)
        let november = try await actions.preview(account: beta.id, month: try #require(CivilMonth("2026-11")))
        #expect(november.document?.number == first.number)
        let january = try await actions.preview(account: beta.id, month: try #require(CivilMonth("2027-01")))
        #expect(january.document == nil && january.warning == nil)
        #expect(try await world.fingerprint() == before)
    }

    @Test func `a preview says which draft and which earlier month are not final beside it`() async throws {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta", from: "2026-11-01T00:00:00Z")
        try await world.ingest(
            [
                world.request(beta, at: "2026-11-03T10:00:00Z", input: 1_000_000),
                world.request(beta, at: "2026-12-03T10:00:00Z", input: 2_000_000),
            ], heartbeat: "2026-12-05T00:00:10Z")
        let draft = try #require(
            try await world.run("2026-11", now: "2026-12-06T09:00:00Z").prepareDrafts().draftIDs.first)
        let actions = InvoiceActions(database: world.database, by: .clerk)
        func preview(_ month: String) async throws -> InvoicePreview {
            try await actions.preview(account: beta.id, month: try #require(CivilMonth(month)))
        }
        #expect(try await preview("2026-11").notes.isEmpty)
        let december = try await preview("2026-12")
        #expect(december.notes.count == 1 && december.monthBefore == CivilMonth("2026-11"))
        #expect(try december.canonicalJSON().contains(#""notes":["2026-11 is not invoiced yet"#))
        try await world.ingest(
            [world.request(beta, at: "2026-11-04T10:00:00Z", input: 1_000_000)], heartbeat: "2026-12-06T00:00:10Z")
        let november = try await preview("2026-11")
        #expect(november.staleDraft == draft && november.document?.totals.total == "0.30")
        _ = try await world.run("2026-11", now: "2026-12-06T09:00:00Z").run()
        for month in ["2026-11", "2026-12"] { #expect(try await preview(month).notes.isEmpty) }
    }

    @Test func `a draft left by a crash can be made final by itself`() async throws {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta", from: "2026-11-01T00:00:00Z")
        try await world.ingest(
            [world.request(beta, at: "2026-11-03T10:00:00Z", input: 1_000_000)], heartbeat: "2026-12-01T00:00:10Z")
        let report = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").prepareDrafts()
        let draft = try #require(report.draftIDs.first)
        let actions = InvoiceActions(database: world.database, by: .clerk)
        let done = try await actions.finalize(draft, now: now)
        #expect(done.changed)
        #expect(done.invoice.number == "INV-2026-000001")
        #expect(try await !actions.finalize(draft, now: now).changed)
    }

    @Test(arguments: [
        "UPDATE invoices SET total = 0, exact_total = 0",
        "UPDATE invoices SET document = replace(document, '0.15', '0.01')",
        "UPDATE invoice_lines SET quantity = 1, exact_amount = unit_price / 1000000, amount = 0",
        "UPDATE invoice_lines SET unit_price = 0.01, exact_amount = 0.01, amount = 0.01",
        """
        WITH l AS (UPDATE invoice_lines SET quantity = 10000, exact_amount = 0.0015, amount = 0.00)
        UPDATE invoices SET total = 0.00, exact_total = 0.0015, document = replace(replace(replace(document,
            '"1000000"', '"10000"'), '"0.15","', '"0.0015","'), '"amount":"0.15"', '"amount":"0.00"')
        """,
    ])
    func `a draft that was changed in the database does not become final as it was changed`(change: String) async throws
    {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta", from: "2026-11-01T00:00:00Z")
        try await world.ingest(
            [world.request(beta, at: "2026-11-03T10:00:00Z", input: 1_000_000)], heartbeat: "2026-12-01T00:00:10Z")
        let drafts = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").prepareDrafts().draftIDs
        let draft = try #require(drafts.first)
        try await world.pool.execute(SQL(unescaped: change))
        let actions = InvoiceActions(database: world.database, by: .clerk)
        // Refused, or computed anew.
        _ = try? await actions.finalize(draft, now: now)
        _ = try? await actions.finalize(draft, now: now)
        for invoice in try await world.database.read({ try InvoiceStorage.all(of: beta.id, in: $0) }) {
            guard invoice.state != .draft else { continue }
            #expect(invoice.total.description == "0.15" && invoice.exactTotal.description == "0.15")
            #expect(try invoice.document().lines.map(\.amount) == ["0.15"])
        }
        let final = try await world.database.read { try InvoiceStorage.all(of: beta.id, in: $0) }
        #expect(final.filter { $0.state == .finalized }.count == 1, "refused once, then computed anew")
        try await world.expectSoundBooks()
    }

    @Test func `a draft that later usage overtook is shown anew before it becomes final`() async throws {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta", from: "2026-11-01T00:00:00Z")
        try await world.ingest(
            [world.request(beta, at: "2026-11-03T10:00:00Z", input: 1_000_000)], heartbeat: "2026-12-01T00:00:10Z")
        let drafts = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").prepareDrafts().draftIDs
        let draft = try #require(drafts.first)
        try await world.ingest(
            [world.request(beta, at: "2026-11-04T10:00:00Z", input: 1_000_000)], heartbeat: "2026-12-02T00:00:10Z")
        let actions = InvoiceActions(database: world.database, by: .clerk)
        await #expect {
            try await actions.finalize(draft, now: now)
        } throws: {
            "\($0)".contains("computed anew it is over 0.30 USD, and was over 0.15; look at it, then finalize it")
        }
        #expect(try await actions.finalize(draft, now: now).invoice.total.description == "0.30")
    }
}

@Suite(.database, .timeLimit(.minutes(10))) struct LedgerPosterTests {
    @Test func `usage is booked by local day, by difference, and once by two posters`() async throws {
        let world = try await BillingWorld.make()
        let tokyo = try await world.customer(1, plan: "beta", zone: "Asia/Tokyo", from: "2026-10-31T15:00:00Z")
        try await world.ingest(
            [
                world.request(tokyo, at: "2026-11-03T14:59:59Z", input: 1_000_000),
                world.request(tokyo, at: "2026-11-03T15:00:00Z", input: 2_000_000),
            ], heartbeat: "2026-11-04T00:00:00Z")
        let poster = LedgerPoster(database: world.database)
        let now = BillingWorld.instant("2026-11-04T00:00:00Z")
        async let one = poster.post(tokyo.id, now: now)
        async let two = poster.post(tokyo.id, now: now)
        #expect(try await one + two == 2)
        #expect(try await poster.post(tokyo.id, now: now) == 0)
        try await world.ingest(
            [world.request(tokyo, at: "2026-11-03T15:00:01Z", output: 1_000_000)], heartbeat: "2026-11-04T01:00:00Z")
        #expect(try await poster.postAll(now: now).transactions == 1)
        let booked = try await world.database.read { try LedgerStorage.transactions(of: tokyo.account, in: $0) }
        let lines = booked.map { "\($0.identity.day) \($0.identity.revision) \($0.postings[0].amount)" }
        #expect(lines == ["2026-11-03 1 0.15", "2026-11-04 1 0.30", "2026-11-04 2 0.60"])
        #expect(booked.allSatisfy { $0.identity.subject == .usage(model: "sim-model") })
        #expect(try await world.ledgerImbalance() == "0.00 0")
    }
}
