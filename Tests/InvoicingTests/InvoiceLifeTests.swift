import Accounts
import Identity
import Invoicing
import Ledger
import Monetary
import NaiveArithmetic
import Testing

@Suite struct InvoiceStateTests {
    @Test func `the states follow each other one way`() throws {
        #expect(try InvoiceState.draft.applying(.finalize) == .finalized)
        #expect(try InvoiceState.finalized.applying(.pay) == .paid)
        #expect(try InvoiceState.finalized.applying(.void) == .void)
    }

    @Test func `doing it twice changes nothing`() throws {
        #expect(try InvoiceState.finalized.applying(.finalize) == nil)
        #expect(try InvoiceState.paid.applying(.pay) == nil)
        #expect(try InvoiceState.void.applying(.void) == nil)
    }

    @Test func `a paid invoice is not made void and a draft not paid`() {
        #expect(throws: InvoicingError.forbidden(.void, .paid)) { try InvoiceState.paid.applying(.void) }
        #expect(throws: InvoicingError.forbidden(.pay, .draft)) { try InvoiceState.draft.applying(.pay) }
    }
}

@Suite struct InvoiceNumberTests {
    @Test func `numbers are filled up and grow beyond their width`() {
        let date = CivilDate("2026-12-01") ?? CivilDate(daysSince1970: 0)
        let series = InvoiceNumber.series(of: .live, on: date)
        #expect(InvoiceNumber.series(of: .test, on: date) == "INV-TEST-2026")
        #expect("\(InvoiceNumber(series: series, value: 1))" == "INV-2026-000001")
        #expect("\(InvoiceNumber(series: series, value: 1_234_567))" == "INV-2026-1234567")
    }
}

@Suite struct InvoiceAmountsTests {
    private func booked(usage: String, fees: String, credits: String, total: String) throws -> BookedInvoice {
        BookedInvoice(
            accountID: Fixture.accountID, invoiceID: InvoiceID(UUIDv7(high: 1, low: 1)), number: "INV-2026-000001",
            amounts: try InvoiceAmounts(
                exact: [
                    .usage: Fixture.usd(usage), .baseFee: Fixture.usd(fees),
                    .serviceLevelCredit: Fixture.usd(credits),
                ], total: Fixture.usd(total)))
    }

    @Test func `finalizing moves each kind of charge and books what rounding gained`() throws {
        let made = try booked(usage: "1.234", fees: "10", credits: "-0.5", total: "10.73")
        let day = CivilDate(daysSince1970: 20_000)
        let final = try #require(
            try InvoiceFinalized(made).transaction(on: day, at: Timestamp(milliseconds: 0)))
        let amounts = Dictionary(
            uniqueKeysWithValues: final.postings.map { ($0.ledgerAccount, $0.amount.description) })
        #expect(
            amounts == [
                .receivables: "10.73", .unbilledReceivables: "-1.234", .revenue: "-10.00",
                .serviceLevelCreditsOwed: "0.50", .rounding: "0.004",
            ])
        let undone = try #require(try InvoiceVoided(made).transaction(on: day, at: Timestamp(milliseconds: 0)))
        #expect(undone.id != final.id)
        #expect(throws: LedgerError.empty) {
            try LedgerTransaction(
                final.identity, currency: .usd, bookedAt: final.bookedAt, description: "",
                postings: final.postings + undone.postings)
        }
    }

    @Test func `an invoice of nothing at all books nothing`() throws {
        let made = try booked(usage: "0", fees: "0", credits: "0", total: "0")
        let day = CivilDate(daysSince1970: 0)
        #expect(try InvoiceFinalized(made).transaction(on: day, at: Timestamp(milliseconds: 0)) == nil)
        #expect(
            try InvoicePaid(made, owed: .zero(.usd)).transaction(on: day, at: Timestamp(milliseconds: 0)) == nil)
    }
}

@Suite struct InvoiceDocumentTests {
    private func document() throws -> InvoiceDocument {
        let terms = try Fixture.terms([
            Fixture.version(1, from: Fixture.instant("2025-01-01T00:00:00Z"), fee: "49.00")
        ])
        let credit = try Fixture.credit("0.123456", month: Fixture.month("2026-10"))
        let draft = try Fixture.draft([terms], usage: [Fixture.usage(1_234_567)], credits: [credit])
        let account = Account(
            id: Fixture.accountID, name: "acme", currency: .usd, calendar: try Fixture.calendar(),
            billing: BillingDetails(legalName: "Acme \"Übung\" GmbH", address: ["Weg 1", "10115 Berlin"]),
            createdAt: Timestamp(milliseconds: 0))
        let seller = Seller(name: "Tokens & Co.", paymentInstructions: "IBAN/…")
        return try InvoiceDocument(draft, seller: seller, account: account)
    }

    @Test func `equal documents are equal bytes and are read back`() throws {
        let document = try document()
        let json = try document.canonicalJSON()
        #expect(json == (try self.document().canonicalJSON()))
        #expect(try InvoiceDocument(json: json) == document)
        #expect(json.contains(#""amount":"0.19""#))
        #expect(json.contains(#""exact_amount":"0.18518505""#))
        #expect(json.contains(#""unit_price_per_million":"0.15""#))
        #expect(json.contains("IBAN/…"))
    }

    @Test func `finalizing adds number and dates and changes nothing else`() throws {
        let draft = try document()
        let date = try #require(CivilDate("2026-12-20"))
        var issued = draft.issued(as: InvoiceNumber(series: "INV-2026", value: 7), on: date, paymentTermsDays: 14)
        #expect(issued.number == "INV-2026-000007")
        #expect(issued.issuedOn == "2026-12-20")
        #expect(issued.dueOn == "2027-01-03")
        (issued.number, issued.issuedOn, issued.dueOn) = (nil, nil, nil)
        #expect(issued == draft)
    }

    @Test func `totals separate charges from credits`() throws {
        let document = try document()
        #expect(document.totals.charges == "49.19")
        #expect(document.totals.credits == "-0.12")
        #expect(document.totals.total == "49.07")
        #expect(document.totals.exactTotal == "49.06172905")
        #expect(document.serviceLevels.map(\.applied) == ["0.12"])
        #expect(document.serviceLevels.map(\.lineID) == [document.lines.last?.id])
    }
}
