import Accounts
import Identity
import Invoicing
import Monetary
public import Storage

extension StoredInvoice {
    /// As audit entries and events say it. Of the document its digest, which reconcile holds the stored one against; a
    /// draft's is computed anew by each run, and has none.
    public var facts: Facts {
        [
            "id": "\(id)", "account": "\(accountID)", "number": .optional(number), "state": .text(state.rawValue),
            "period_start": "\(period.start)", "period_end": "\(period.end)", "total": "\(total)",
            "credited": "\(credited)", "currency": "\(currency)", "issued_on": .optional(issuedOn),
            "due_on": .optional(dueOn),
            "paid_at": .optional(paidAt), "voided_at": .optional(voidedAt),
            "document_sha256": state == .draft ? .null : .text(SHA256Digest(of: documentJSON).hexadecimal),
        ]
    }
}

extension StoredCreditNote {
    /// As audit entries and events say it, with its document's digest.
    public var facts: Facts {
        [
            "id": "\(id)", "account": "\(accountID)", "invoice": "\(invoiceID)", "number": .text(number),
            "total": "\(total)", "currency": "\(currency)", "settlement": .text(settlement.rawValue),
            "reason": .text(reason), "issued_on": "\(issuedOn)", "refunded_at": .optional(refundedAt),
            "document_sha256": .text(SHA256Digest(of: documentJSON).hexadecimal),
        ]
    }
}
