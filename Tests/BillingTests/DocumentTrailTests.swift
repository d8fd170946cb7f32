import Accounts
import Billing
import Identity
import Invoicing
import Postgres
import Reconciliation
import Storage
import TestSupport
import Testing

/// What was issued is what the audit trail says was issued, whoever owns the database.
@Suite(.database, .timeLimit(.minutes(10))) struct DocumentTrailTests {
    private static let documents = "invoices and credit notes = audit trail"
    private static let chains = "audit trail = its chains of digests"

    /// Four invoices of two months, one paid, and a credit note.
    private func history() async throws -> BillingWorld {
        let world = try await ReconciliationTests.history()
        let now = BillingWorld.instant("2027-01-04T09:00:00Z")
        let invoices = try await world.database.read {
            try InvoiceStorage.all(of: BillingWorld.id(2), in: $0)
        }
        let newest = try #require(invoices.last)
        _ = try await BillingService(world.database, now: { now }).change(by: .clerk) {
            try $0.issueCreditNote(for: newest.id, .full, reason: "never delivered")
        }
        return world
    }

    private func check(
        _ name: String, _ world: BillingWorld, month: String? = nil
    ) async throws -> ReconciliationCheck {
        let report = try await ReconciliationTests.reconcile(world, month: month)
        return try #require(report.checks.first { $0.name == name })
    }

    @Test func `what the program issued is what the trail says`() async throws {
        let world = try await history()
        try await world.expectSoundBooks()
        let documents = try await check(Self.documents, world)
        #expect(documents.leftText == "5 documents" && documents.notes.isEmpty)
        #expect(try await check(Self.chains, world).leftText.hasSuffix("entries"))
    }

    /// Words that stand nowhere but in the document, and columns that nothing else is computed from.
    static let changed = [
        "UPDATE invoices SET document = replace(document, 'Tokens Ltd', 'Others Ltd')",
        "UPDATE invoices SET document = replace(document, '1 Quay', '2 Quay') WHERE number = 'INV-2026-000001'",
        "UPDATE invoices SET document = replace(document, 'Customer 1', 'Customer 7')",
        "UPDATE invoices SET document = replace(document, '\"counted\":40', '\"counted\":41')",
        """
        UPDATE invoices
        SET document = replace(document, '"credits_carried_over":"', '"credits_carried_over":"1')
        """,
        "UPDATE invoices SET document = document || ' '",
        "UPDATE invoices SET due_on = due_on + 1, document = replace(document, '2026-12-16', '2026-12-17')",
        "UPDATE invoices SET number = 'INV-2026-000009' WHERE number = 'INV-2026-000002'",
        "UPDATE credit_notes SET document = replace(document, 'Customer 2', 'Customer 3')",
        "UPDATE credit_notes SET document = replace(document, 'never delivered', 'a gift'), reason = 'a gift'",
        "UPDATE credit_notes SET settlement = 'customer_balance'",
    ]

    @Test(arguments: changed)
    func `a document that was changed is a difference`(statement: String) async throws {
        let world = try await history()
        try await world.pool.executePastTriggers(script: statement)
        let found = try await check(Self.documents, world)
        #expect(!found.isEqual && !found.differences.isEmpty, "\(statement)")
    }

    @Test func `the newest invoice of a series that was taken out whole is reported`() async throws {
        let world = try await history()
        let before = try await check(Self.documents, world)
        #expect(before.isEqual)
        let (id, number) = try await world.database.read { tx in
            let row = try tx.query(
                """
                SELECT invoice_id, number FROM invoices
                WHERE account_id = \(BillingWorld.id(1, as: IDKinds.Account.self)) ORDER BY number DESC LIMIT 1
                """
            ).only()
            return (try row.decode("invoice_id", as: InvoiceID.self), try row.decode("number", as: String.self))
        }
        try await world.pool.executePastTriggers(
            script: """
                DELETE FROM invoice_lines WHERE invoice_id = '\(id.uuid)';
                DELETE FROM invoices WHERE invoice_id = '\(id.uuid)';
                DELETE FROM ledger_postings WHERE transaction_id IN (
                    SELECT transaction_id FROM ledger_transactions WHERE invoice_id = '\(id.uuid)'
                );
                DELETE FROM ledger_transactions WHERE invoice_id = '\(id.uuid)'
                """)
        for month in [nil, "2026-12"] {
            let found = try await check(Self.documents, world, month: month)
            #expect(found.differences == ["\(number) is in the audit trail and gone: it was taken out of the database"])
        }
        #expect(try await check(Self.documents, world, month: "2026-11").isEqual)
    }

    @Test func `a credit note that was taken out whole is reported`() async throws {
        let world = try await history()
        try await world.pool.executePastTriggers(
            script: """
                DELETE FROM credit_note_lines; DELETE FROM credit_notes;
                DELETE FROM number_series WHERE series LIKE 'CN%'
                """)
        for month in [nil, "2026-12"] {
            let found = try await check(Self.documents, world, month: month)
            #expect(found.differences.first?.hasPrefix("CN-2027-000001 is in the audit trail and gone") == true)
        }
    }

    @Test func `an invoice that nobody issued is no invoice`() async throws {
        let world = try await history()
        try await world.pool.executePastTriggers(
            """
            INSERT INTO invoices
            SELECT (jsonb_populate_record(i, jsonb_build_object(
                'invoice_id', gen_random_uuid(), 'number', 'INV-2027-000077', 'state', 'void',
                'voided_at', i.issued_at))).*
            FROM invoices i WHERE number = 'INV-2026-000001'
            """)
        let found = try await check(Self.documents, world)
        #expect(found.differences == ["INV-2027-000077: the audit trail does not know it: nobody issued it"])
    }

    @Test func `what is older than digests or than the trail itself is a note`() async throws {
        let world = try await history()
        try await world.pool.executePastTriggers(
            "UPDATE audit_entries SET after = (after::jsonb - 'document_sha256')::json")
        let withoutDigests = try await check(Self.documents, world)
        #expect(withoutDigests.isEqual)
        #expect(
            withoutDigests.notes == [
                "5 documents are older than the digests in the audit trail: of their text it says nothing"
            ])
        try await world.pool.executePastTriggers(script: "DELETE FROM outbox_events; DELETE FROM audit_entries")
        let withoutEntries = try await check(Self.documents, world)
        #expect(withoutEntries.isEqual)
        #expect(withoutEntries.notes == ["5 documents are older than the audit trail: it says nothing of them"])
        #expect(try await !check(Self.chains, world).isEqual)
    }

    @Test(arguments: [
        "UPDATE audit_entries SET reason = 'another' WHERE number = 1",
        "UPDATE audit_entries SET after = (replace(after::text, 'finalized', 'void'))::json",
        "DELETE FROM audit_entries WHERE (account_id, number) IN (SELECT account_id, number FROM audit_heads)",
        "DELETE FROM audit_heads WHERE number > 0",
    ])
    func `a trail that was changed is a difference`(statement: String) async throws {
        let world = try await history()
        try await world.pool.executePastTriggers(script: "DELETE FROM outbox_events; \(statement)")
        #expect(try await !check(Self.chains, world).isEqual)
    }

    @Test func `the trail of other accounts is not read where some are named`() async throws {
        let world = try await history()
        let other = BillingWorld.id(2, as: IDKinds.Account.self).uuid
        try await world.pool.executePastTriggers(
            script: "UPDATE audit_entries SET reason = 'x' WHERE account_id = '\(other)'")
        var options = ReconciliationRun.Options(now: BillingWorld.instant("2027-01-06T12:00:00Z"))
        options.accounts = [BillingWorld.id(1)]
        options.postsLedgerFirst = true
        #expect(try await ReconciliationRun(database: world.database, options: options).run().isEqual)
    }
}
