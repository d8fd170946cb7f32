public import Accounts
import FoundationEssentials
public import Identity
import Monetary

/// Everything that a credit note shows, frozen with it, as an invoice's document is. Amounts are decimal text; what is
/// given back is positive.
public struct CreditNoteDocument: Hashable, Sendable, Codable {
    /// The shape of the documents that are made now.
    public static let currentSchema = "tollgate.credit_note/1"

    public var schema: String
    /// `test` of a test account; nil where it is meant.
    public var mode: String?
    /// `cn_…`
    public var creditNoteID: String
    /// `CN-2026-000001`
    public var number: String
    /// `2026-12-05`, the local day of the account's zone.
    public var issuedOn: String
    /// ISO 4217.
    public var currency: String
    public var seller: InvoiceDocument.Party
    public var customer: InvoiceDocument.Party
    public var invoice: Reference
    /// Why, as whoever issued it said.
    public var reason: String
    /// In the order of the invoice.
    public var lines: [Line]
    public var totals: Totals

    enum CodingKeys: String, CodingKey {
        case schema, mode, number, currency, seller, customer, invoice, reason, lines, totals
        case creditNoteID = "credit_note_id"
        case issuedOn = "issued_on"
    }

    /// The invoice that it corrects.
    public struct Reference: Hashable, Sendable, Codable {
        /// `inv_…`
        public var id: String
        /// `INV-2026-000001`
        public var number: String
        public var issuedOn: String
        public var period: InvoiceDocument.Period
        /// What was to be paid.
        public var total: String

        enum CodingKeys: String, CodingKey {
            case id, number, period, total
            case issuedOn = "issued_on"
        }
    }

    public struct Line: Hashable, Sendable, Codable {
        /// `cnl_…`
        public var id: String
        /// `il_…`
        public var invoiceLineID: String
        /// Of `InvoiceLineKind`.
        public var kind: String
        public var description: String
        public var tenant: String
        /// Local days, both inside.
        public var from: String
        public var through: String
        /// Of the invoice's line.
        public var invoiced: String
        public var exactAmount: String
        public var amount: String

        enum CodingKeys: String, CodingKey {
            case id, kind, description, tenant, from, through, invoiced, amount
            case invoiceLineID = "invoice_line_id"
            case exactAmount = "exact_amount"
        }
    }

    public struct Totals: Hashable, Sendable, Codable {
        /// What the customer is given back.
        public var total: String
        public var exactTotal: String

        enum CodingKeys: String, CodingKey {
            case total
            case exactTotal = "exact_total"
        }
    }
}

extension CreditNoteDocument {
    /// The document of a note with its number. It shows the seller and the customer as they are now: the document is of
    /// its own date.
    public init(
        _ draft: CreditNoteDraft, number: InvoiceNumber, issuedOn: CivilDate, of invoice: InvoiceDocument,
        reason: String, seller: Seller, account: Account
    ) {
        schema = Self.currentSchema
        mode = account.mode == .live ? nil : account.mode.rawValue
        creditNoteID = "\(draft.id)"
        self.number = "\(number)"
        self.issuedOn = "\(issuedOn)"
        currency = draft.total.currency.code
        self.seller = InvoiceDocument.Party(seller)
        customer = InvoiceDocument.Party(account)
        self.invoice = Reference(
            id: invoice.invoiceID, number: invoice.number ?? "", issuedOn: invoice.issuedOn ?? "",
            period: invoice.period, total: invoice.totals.total)
        self.reason = reason
        lines = draft.lines.map { line in
            Line(
                id: "\(line.id)", invoiceLineID: "\(line.of.id)", kind: line.of.kind.rawValue,
                description: line.of.description, tenant: line.of.tenantName, from: line.of.from,
                through: line.of.through, invoiced: "\(line.of.amount)", exactAmount: "\(line.exactAmount)",
                amount: "\(line.amount)")
        }
        totals = Totals(total: "\(draft.total)", exactTotal: "\(draft.exactTotal)")
    }

    /// Whether it is of a test account: nobody is given anything.
    public var isTest: Bool { mode == AccountMode.test.rawValue }

    /// The document as it is stored and served: UTF-8, keys sorted, no spaces, money as strings.
    public func canonicalJSON() throws -> String { try CanonicalJSON.text(of: self) }

    /// Reads a stored document.
    public init(json: String) throws {
        self = try JSONDecoder().decode(CreditNoteDocument.self, from: Data(json.utf8))
    }
}
