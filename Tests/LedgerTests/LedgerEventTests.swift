import Foundation
import Identity
import Ledger
import Monetary
import NaiveArithmetic
import Testing

private let account = AccountID(UUIDv7(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0001))
private let invoiceID = InvoiceID(UUIDv7(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0002))
private let noteID = CreditNoteID(UUIDv7(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0003))
private let resultID = ServiceLevelResultID(UUIDv7(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0004))
private let day = CivilDate(daysSince1970: 20_000)
private let noon = Timestamp(milliseconds: 20_000 * 86_400_000 + 43_200_000)

@Suite struct LedgerSubjectTests {
    @Test(arguments: [
        LedgerSubject.usage(model: "sim"), .usage(model: ""), .usage(model: "usage:usage:"), .usage(model: "inv_x\n"),
        .invoice(invoiceID), .creditNote(noteID), .serviceLevelResult(resultID),
    ])
    func `a subject is read back from its text`(subject: LedgerSubject) {
        #expect(LedgerSubject(subject.description) == subject)
    }

    @Test(arguments: ["", "sim", "Usage:sim", "inv_", "acc_00000000000000000000000000", "usage"])
    func `other text is no subject`(text: String) {
        #expect(LedgerSubject(text) == nil)
    }

    /// As they were stored before subjects had a type: whoever books one again must come to the same id.
    @Test func `ids of transactions are those of the text`() {
        let texts: [(TransactionKind, LedgerSubject, String)] = [
            (.accrual, .usage(model: "sim/large"), "usage:sim/large"), (.invoice, .invoice(invoiceID), "\(invoiceID)"),
            (.serviceLevelCredit, .serviceLevelResult(resultID), "\(resultID)"),
            (.refund, .creditNote(noteID), "\(noteID)"),
        ]
        for (kind, subject, text) in texts {
            let identity = TransactionIdentity(accountID: account, kind: kind, subject: subject, day: day, revision: 3)
            let parts = ["ledger", "\(account)", kind.rawValue, text, "\(day)", "3"].joined(separator: "\n")
            #expect(identity.transactionID == TransactionID(UUIDv7(derivedFrom: SHA256Digest(of: parts))))
        }
    }
}

@Suite struct ChartOfAccountsTests {
    @Test func `the documented chart is the one of the program`() throws {
        let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: repository.appending(path: "docs/invoicing.md"), encoding: .utf8)
        let chart = try #require(text.components(separatedBy: "<!-- chart-of-accounts -->").dropFirst().first)
        let rows = chart.split(separator: "\n").prefix { $0.hasPrefix("|") }.dropFirst(2).map { row in
            row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        #expect(rows.map { $0[0] } == LedgerAccount.allCases.map { "`\($0.rawValue)`" })
        for row in rows { #expect(row.count == 4 && row.allSatisfy { !$0.isEmpty }, "\(row)") }
    }
}

/// The life of an invoice in numbers of the test's own: after each event the balances are what its words say.
@Suite struct LedgerEventTests {
    private struct Books {
        private var balances: [LedgerAccount: NaiveInteger] = [:]
        mutating func book(_ transaction: LedgerTransaction?) {
            for posting in transaction?.postings ?? [] {
                balances[posting.ledgerAccount] =
                    (balances[posting.ledgerAccount] ?? NaiveInteger(0)) + NaiveInteger(posting.amount.picounits)
            }
        }
        func isEqual(_ expected: [LedgerAccount: Int128]) -> Bool {
            LedgerAccount.allCases.allSatisfy { account in
                ((balances[account] ?? NaiveInteger(0)) + NaiveInteger(-(expected[account] ?? 0))).isZero
            }
        }
    }

    private func money(_ picounits: Int128) -> Money { Money(picounits: picounits, currency: .usd) }

    @Test(arguments: Seeds.all)
    func `each event moves what it says`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        func random(_ bound: Int64) -> Int128 { Int128(Int64.random(in: 0...bound, using: &generator)) }
        let (usage, fees, credits) = (random(1 << 60), random(1 << 60), random(1 << 40))
        let cent: Int128 = 10_000_000_000
        let total = (usage + fees - credits) / cent * cent + random(1) * cent
        let invoice = BookedInvoice(
            accountID: account, invoiceID: invoiceID, number: "INV-2026-000001",
            amounts: InvoiceAmounts(
                leaving: [
                    .unbilledReceivables: money(usage), .revenue: money(fees),
                    .serviceLevelCreditsOwed: money(-credits),
                ], total: money(total)))
        var books = Books()
        let open = BookingDays(closedThrough: nil, today: day)
        books.book(
            try Accrual(
                accountID: account, model: "sim", day: day, rated: money(usage), booked: money(0), revisions: 0
            ).transaction(bookedAt: noon, on: open))
        books.book(
            try CreditGranted(
                accountID: account, resultID: resultID, day: day, granted: money(credits), booked: money(0),
                revisions: 0
            ).transaction(bookedAt: noon, on: open))
        let before: [LedgerAccount: Int128] = [
            .unbilledReceivables: usage, .revenue: -usage, .serviceLevelCredits: credits,
            .serviceLevelCreditsOwed: -credits,
        ]
        #expect(books.isEqual(before), "seed \(seed)")
        books.book(try InvoiceFinalized(invoice).transaction(on: day, at: noon))
        let rounding = usage + fees - credits - total
        var after: [LedgerAccount: Int128] = [
            .receivables: total, .revenue: -usage - fees, .serviceLevelCredits: credits, .rounding: rounding,
        ]
        #expect(books.isEqual(after), "seed \(seed)")
        var voided = books
        voided.book(try InvoiceVoided(invoice).transaction(on: day, at: noon))
        #expect(voided.isEqual(before), "seed \(seed)")
        books.book(try InvoicePaid(invoice, owed: money(total)).transaction(on: day, at: noon))
        after[.receivables] = nil
        after[.cash] = total
        #expect(books.isEqual(after), "seed \(seed)")
        // All of it is given back, and paid back.
        let note = BookedCreditNote(
            accountID: account, invoiceID: invoiceID, creditNoteID: noteID, number: "CN-2026-000001",
            amounts: invoice.amounts)
        books.book(try CreditNoteIssued(note, settledBy: .customerBalance).transaction(on: day, at: noon))
        after[.customerBalance] = -total
        after[.refunds] = usage + fees
        after[.serviceLevelCreditsOwed] = -credits
        after[.rounding] = nil
        #expect(books.isEqual(after), "seed \(seed)")
        books.book(try CreditNoteRefunded(note).transaction(on: day, at: noon))
        after[.customerBalance] = nil
        after[.cash] = nil
        #expect(books.isEqual(after), "seed \(seed)")
        // The credit that is owed again is paid out.
        let paid = credits / cent * cent
        books.book(
            try CreditPaidOut(accountID: account, resultID: resultID, exact: money(credits), amount: money(paid))
                .transactionIfAny(credits))
        after[.serviceLevelCreditsOwed] = nil
        after[.cash] = -paid
        after[.rounding] = paid - credits
        #expect(books.isEqual(after), "seed \(seed)")
    }
}

extension CreditPaidOut {
    fileprivate func transactionIfAny(_ credits: Int128) throws -> LedgerTransaction? {
        credits == 0 ? nil : try transaction(on: day, at: noon)
    }
}
