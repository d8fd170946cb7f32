public import Invoicing

/// What has become of an invoice since its document was frozen. It is shown beside the document and is no part of it.
public struct InvoiceStatus: Hashable, Sendable {
    public var state: InvoiceState
    /// The local day on which it was paid or made void, such as `2026-12-05`; nil where it is not known.
    public var since: String?
    /// What credit notes gave back, in the order in which they were issued.
    public var creditNotes: [Credited] = []
    /// What is to be paid, or was, of an invoice that credit notes correct: the total less what they gave back before
    /// the payment, as decimal text. Nil where none does.
    public var payable: String?

    /// What one credit note gave back.
    public struct Credited: Hashable, Sendable {
        /// `CN-2026-000001`
        public var number: String
        /// Decimal text.
        public var amount: String

        public init(number: String, amount: String) {
            self.number = number
            self.amount = amount
        }
    }

    public init(_ state: InvoiceState, since: String? = nil) {
        self.state = state
        self.since = since
    }

    /// What the document alone tells: one without a number is a draft, any other waits for payment.
    public init(of document: InvoiceDocument) {
        self.init(document.number == nil ? .draft : .finalized)
    }
}
