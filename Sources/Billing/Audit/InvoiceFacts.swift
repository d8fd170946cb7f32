import Accounts
import Identity
import Invoicing
import Monetary
public import Storage

extension StoredInvoice {
    /// As audit entries and events say it; the document is in the invoice.
    public var facts: Facts {
        [
            "id": "\(id)", "account": "\(accountID)", "number": .optional(number), "state": .text(state.rawValue),
            "period_start": "\(period.start)", "period_end": "\(period.end)", "total": "\(total)",
            "credited": "\(credited)", "currency": "\(currency)", "issued_on": .optional(issuedOn),
            "due_on": .optional(dueOn),
            "paid_at": .optional(paidAt), "voided_at": .optional(voidedAt),
        ]
    }
}

extension StoredCreditNote {
    /// As audit entries and events say it; its lines are in the document.
    public var facts: Facts {
        [
            "id": "\(id)", "account": "\(accountID)", "invoice": "\(invoiceID)", "number": .text(number),
            "total": "\(total)", "currency": "\(currency)", "settlement": .text(settlement.rawValue),
            "reason": .text(reason), "issued_on": "\(issuedOn)", "refunded_at": .optional(refundedAt),
        ]
    }
}
