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

/// Invoices that are corrected after they became final.
@Suite(.database, .timeLimit(.minutes(10))) struct CreditNoteTests {
    private let now = BillingWorld.instant("2026-12-05T09:00:00Z")

    /// A fee of 30.00 and 5,000,000 tokens of input for 5.00.
    private func finalized() async throws -> (BillingWorld, Customer, StoredInvoice) {
        let world = try await BillingWorld.make()
        let alpha = try await world.customer(1, plan: "alpha", from: "2026-11-01T00:00:00Z")
        try await world.ingest(
            [world.request(alpha, at: "2026-11-03T10:00:00Z", input: 5_000_001)], heartbeat: "2026-12-01T00:00:10Z")
        let report = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        let id = try #require(report.finalized.first?.id)
        return (world, alpha, try await world.database.read { try InvoiceStorage.require(id, in: $0) })
    }

    private func issue(
        _ scope: CreditNoteScope, of invoice: StoredInvoice, _ world: BillingWorld, at now: Timestamp? = nil
    ) async throws -> StoredCreditNote {
        let now = now ?? self.now
        return try await BillingService(world.database, now: { now }).change(by: .clerk) {
            try $0.issueCreditNote(for: invoice.id, scope, reason: "a wrong price")
        }
    }

    private func part(_ kind: InvoiceLineKind, _ amount: String?, of invoice: StoredInvoice, _ world: BillingWorld)
        async throws -> CreditNoteScope
    {
        let lines = try await world.database.read { try CreditNoteStorage.creditableLines(of: invoice, in: $0) }
        let line = try #require(lines.first { $0.kind == kind })
        return .lines([line.id: try amount.map { try Money(parsing: $0, currency: .usd) }])
    }

    private func invoice(_ id: InvoiceID, _ world: BillingWorld) async throws -> StoredInvoice {
        try await world.database.read { try InvoiceStorage.require(id, in: $0) }
    }

    private func balances(_ world: BillingWorld, _ customer: Customer) async throws -> [LedgerAccount: String] {
        try await world.database.read { try LedgerStorage.balances(of: customer.account, in: $0) }
            .filter { !$0.value.isZero }.mapValues(\.description)
    }

    @Test func `of an unpaid invoice less is to be paid, and no more is`() async throws {
        let (world, alpha, before) = try await finalized()
        let note = try await issue(try await part(.baseFee, "12.50", of: before, world), of: before, world)
        #expect(note.number == "CN-2026-000001" && note.total.description == "12.50")
        let after = try await invoice(before.id, world)
        #expect(try after.amountDue().description == "22.50" && after.credited.description == "12.50")
        #expect(after.documentJSON == before.documentJSON && after.total == before.total)
        #expect(
            try await balances(world, alpha) == [
                .receivables: "22.50", .revenue: "-35.000001", .refunds: "12.50", .rounding: "0.000001",
            ])
        try await world.expectSoundBooks()
        _ = try await InvoiceActions(database: world.database, by: .clerk).markPaid(before.id, now: now)
        #expect(try await balances(world, alpha)[.cash] == "22.50")
        #expect(try await balances(world, alpha)[.receivables] == nil)
        try await world.expectSoundBooks()
    }

    @Test func `what is given back of a paid invoice is owed to the customer until it is paid back`() async throws {
        let (world, alpha, invoice) = try await finalized()
        _ = try await InvoiceActions(database: world.database, by: .clerk).markPaid(invoice.id, now: now)
        let note = try await issue(try await part(.usage, nil, of: invoice, world), of: invoice, world)
        #expect(note.total.description == "5.00" && note.exactTotal.description == "5.000001")
        #expect(try await balances(world, alpha)[.customerBalance] == "-5.00")
        try await world.expectSoundBooks()
        let service = BillingService(world.database, now: { [now] in now })
        for _ in 0..<2 {
            let refunded = try await service.change(by: .clerk) { try $0.refundCreditNote(note.id) }
            #expect(refunded.refundedAt == now)
        }
        #expect(try await balances(world, alpha)[.customerBalance] == nil)
        #expect(try await balances(world, alpha)[.cash] == "30.00")
        try await world.expectSoundBooks()
        let events = try await world.database.read { tx in
            try tx.query("SELECT name FROM outbox_events WHERE name LIKE 'credit_note.%' ORDER BY number")
                .map { try $0.decode("name", as: String.self) }
        }
        #expect(events == ["credit_note.issued", "credit_note.refunded"])
        let payload = try await world.database.read { tx in
            try tx.query("SELECT payload FROM outbox_events WHERE name = 'credit_note.issued'")
                .onlyValue(as: String.self)
        }
        for member in [
            "id", "account", "invoice", "number", "total", "currency", "settlement", "reason", "issued_on",
            "refunded_at",
        ] {
            #expect(payload.contains("\"\(member)\":"))
        }
    }

    @Test func `a full note takes all back that the invoice said, and nothing is billed again`() async throws {
        let (world, alpha, before) = try await finalized()
        _ = try await issue(try await part(.usage, "1.23", of: before, world), of: before, world)
        let note = try await issue(.full, of: before, world)
        #expect(note.total.description == "33.77" && note.number == "CN-2026-000002")
        #expect(try await balances(world, alpha) == [.revenue: "-35.000001", .refunds: "35.000001"])
        try await world.expectSoundBooks()
        for scope in [CreditNoteScope.full, try await part(.usage, nil, of: before, world)] {
            await #expect {
                try await issue(scope, of: before, world)
            } throws: {
                "\($0)".contains("nothing is left of")
            }
        }
        await #expect {
            try await InvoiceActions(database: world.database, by: .clerk).markPaid(before.id, now: now)
        } throws: {
            "\($0)".contains("nothing is left to pay")
        }
        await #expect {
            try await InvoiceActions(database: world.database, by: .clerk).void(before.id, now: now)
        } throws: {
            "\($0)".contains("corrects it: give back the rest by another credit note")
        }
        let again = try await world.run("2026-11", now: "2026-12-08T09:00:00Z").run()
        #expect(again.word(alpha.id) == "already INV-2026-000001")
        try await world.ingest([], heartbeat: "2027-01-01T00:00:10Z")
        let next = try await world.run("2026-12", now: "2027-01-02T09:00:00Z").run()
        #expect(next.word(alpha.id) == "finalized INV-2027-000001 30.00")
        try await world.expectSoundBooks()
    }

    @Test func `an earlier month is corrected behind a later one that is paid`() async throws {
        let (world, alpha, first) = try await finalized()
        try await world.ingest(
            [
                world.request(alpha, at: "2026-11-20T10:00:00Z", input: 2_000_000),
                world.request(alpha, at: "2026-12-20T10:00:00Z", input: 1_000_000),
            ], heartbeat: "2027-01-01T00:00:10Z")
        let report = try await world.run("2026-12", now: "2027-01-02T09:00:00Z").run()
        let december = try await invoice(try #require(report.finalized.first?.id), world)
        let later = BillingWorld.instant("2027-01-05T09:00:00Z")
        _ = try await InvoiceActions(database: world.database, by: .clerk).markPaid(december.id, now: later)
        // Its own part on November's invoice, and the late one as an adjustment on December's.
        let early = try await issue(.full, of: first, world, at: later)
        let adjustment = try await part(.adjustment, nil, of: december, world)
        let late = try await issue(adjustment, of: december, world, at: later)
        #expect([early.number, late.number] == ["CN-2027-000001", "CN-2027-000002"])
        #expect([early.settlement, late.settlement] == [.openInvoice, .customerBalance])
        #expect(late.total.description == "2.00")
        try await world.expectSoundBooks()
    }

    @Test func `credits that a wholly credited invoice carried are owed again`() async throws {
        let settlement = CreditSettlementTests()
        let world = try await BillingWorld.make()
        let customer = try await settlement.november(world, tokens: 333_333)
        try await world.ingest(
            [world.request(customer, at: "2026-12-03T10:00:00Z", input: 1_000_000)], heartbeat: "2027-01-01T00:00:10Z")
        let report = try await world.run("2026-12", now: "2027-01-02T09:00:00Z").run()
        let december = try await invoice(try #require(report.finalized.first?.id), world)
        let carried = try await world.document(december.id).lines.filter { $0.kind == "sla_credit" }
        #expect(carried.count == 1)
        let later = BillingWorld.instant("2027-01-05T09:00:00Z")
        let note = try await issue(.full, of: december, world, at: later)
        #expect(note.total == december.total)
        let owed = try await world.database.read { try ServiceLevelStorage.owed(in: $0).items }
        let left = try owed.map { try $0.remaining().amount }
        #expect(left.count == 1 && left == owed.map(\.result.credit))
        try await world.expectSoundBooks()
        try await world.ingest(
            [world.request(customer, at: "2027-01-03T10:00:00Z", input: 9_000_000)], heartbeat: "2027-02-01T00:00:10Z")
        let next = try await world.run("2027-01", now: "2027-02-02T09:00:00Z").run()
        let january = try await world.document(try #require(next.finalized.first?.id))
        #expect(january.lines.map(\.kind) == ["usage", "sla_credit"])
        #expect(try await world.database.read { try ServiceLevelStorage.owed(in: $0).items }.isEmpty)
        try await world.expectSoundBooks()
    }

    @Test(arguments: ["draft", "void"])
    func `what is not owed cannot be given back`(state: String) async throws {
        let world = try await BillingWorld.make()
        _ = try await world.customer(1, plan: "alpha", from: "2026-11-01T00:00:00Z")
        try await world.ingest([], heartbeat: "2026-12-01T00:00:10Z")
        let run = try world.run("2026-11", now: "2026-12-02T09:00:00Z")
        let id = try #require(try await run.prepareDrafts().draftIDs.first)
        if state == "void" {
            _ = try await run.finalizeDrafts([id])
            _ = try await InvoiceActions(database: world.database, by: .clerk).void(id, now: now)
        }
        let invoice = try await invoice(id, world)
        await #expect {
            try await issue(.full, of: invoice, world)
        } throws: {
            "\($0)".contains("an invoice that is \(state) owes nothing")
        }
    }

    @Test func `of four full notes at once one is issued, and no number is lost`() async throws {
        let (world, _, invoice) = try await finalized()
        let outcomes = await withTaskGroup(of: Result<String, any Error>.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    do {
                        return .success(try await issue(.full, of: invoice, world).number)
                    } catch {
                        return .failure(error)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.compactMap { try? $0.get() } == ["CN-2026-000001"])
        for case .failure(let error) in outcomes { #expect("\(error)".contains("nothing is left of"), "\(error)") }
        let next: Int64 = try await world.pool.query(
            "SELECT next_number FROM number_series WHERE series = 'CN-2026'"
        ).onlyValue()
        #expect(next == 2)
        try await world.expectSoundBooks()
    }

    @Test(arguments: [
        "UPDATE credit_notes SET total = 1", "UPDATE credit_notes SET reason = 'another'", "DELETE FROM credit_notes",
        "UPDATE credit_note_lines SET amount = 1",
        "DELETE FROM credit_note_lines", "TRUNCATE credit_note_lines",
        """
        INSERT INTO credit_note_lines
        SELECT account_id, gen_random_uuid(), credit_note_id, invoice_line_id, 9, kind, 1, 1 FROM credit_note_lines
        """, "TRUNCATE credit_notes CASCADE",
    ])
    func `an issued note cannot be changed in the database`(statement: String) async throws {
        let (world, _, invoice) = try await finalized()
        _ = try await issue(try await part(.usage, "2.00", of: invoice, world), of: invoice, world)
        await world.pool.expectRefused(statement)
    }

    @Test(arguments: [
        "UPDATE credit_notes SET refunded_at = now()",
        """
        INSERT INTO credit_notes SELECT account_id, gen_random_uuid(), invoice_id, 'CN-9', currency, 34, 34, settlement,
            reason, issued_by, document, issued_at, issued_on, NULL FROM credit_notes
        """,
    ])
    func `nor is more given back in the database than is left, or what was never paid`(statement: String) async throws {
        let (world, _, invoice) = try await finalized()
        _ = try await issue(try await part(.usage, "2.00", of: invoice, world), of: invoice, world)
        await world.pool.expectRefused(statement, by: ["23514"])
    }

    @Test(arguments: [
        "UPDATE credit_notes SET total = 3",
        "UPDATE credit_notes SET document = replace(document, '2.00', '2.01')",
        "UPDATE credit_note_lines SET amount = 9, exact_amount = 9",
        "UPDATE ledger_postings SET amount = amount + 1 WHERE ledger_account = 'refunds'",
    ])
    func `reconcile finds a note that was changed past the triggers`(statement: String) async throws {
        let (world, _, invoice) = try await finalized()
        _ = try await issue(try await part(.usage, "2.00", of: invoice, world), of: invoice, world)
        try await world.pool.executePastTriggers(script: statement)
        let report = try await ReconciliationTests.reconcile(world)
        let check = try #require(report.checks.first { $0.name == "credit notes = lines, documents and ledger" })
        #expect(!check.isEqual)
    }
}
