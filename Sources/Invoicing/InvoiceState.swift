/// Where an invoice stands.
public enum InvoiceState: String, CaseIterable, Hashable, Sendable {
    /// Can be computed again; has no number.
    case draft
    /// Has a number and never changes; waits for payment.
    case finalized
    case paid
    /// Declared not to be owed; keeps its number. Its period can be invoiced again.
    case void
}

/// What can be done to an invoice.
public enum InvoiceAction: String, CaseIterable, Hashable, Sendable {
    case finalize
    case pay
    case void

    /// For messages.
    public var participle: String {
        switch self {
        case .finalize: "finalized"
        case .pay: "marked as paid"
        case .void: "made void"
        }
    }
}

extension InvoiceState {
    /// The state after `action`; nil where the invoice is in that state already, so that doing it twice is harmless.
    ///
    /// A paid invoice cannot be made void: money has moved, so the correction is a credit note.
    public func applying(_ action: InvoiceAction) throws(InvoicingError) -> InvoiceState? {
        switch (self, action) {
        case (.draft, .finalize): return .finalized
        case (.finalized, .pay): return .paid
        case (.finalized, .void): return .void
        case (.finalized, .finalize), (.paid, .finalize), (.paid, .pay), (.void, .void): return nil
        case (.draft, .pay), (.draft, .void), (.paid, .void), (.void, .finalize), (.void, .pay):
            throw .forbidden(action, self)
        }
    }
}
