public import Identity

/// What a transaction is about. Its text is stored and part of the transaction's identity, so it never changes.
public enum LedgerSubject: Hashable, Sendable {
    /// Usage of a model, by its public name.
    case usage(model: String)
    case invoice(InvoiceID)
    case creditNote(CreditNoteID)
    /// The judged promise that a credit is granted for.
    case serviceLevelResult(ServiceLevelResultID)

    /// Before a model's name.
    public static let usagePrefix = "usage:"
}

extension LedgerSubject: CustomStringConvertible {
    public var description: String {
        switch self {
        case .usage(let model): LedgerSubject.usagePrefix + model
        case .invoice(let id): "\(id)"
        case .creditNote(let id): "\(id)"
        case .serviceLevelResult(let id): "\(id)"
        }
    }

    /// Reads what was stored; nil for what is no subject.
    public init?(_ text: String) {
        if text.hasPrefix(LedgerSubject.usagePrefix) {
            self = .usage(model: String(text.dropFirst(LedgerSubject.usagePrefix.count)))
        } else if let id = InvoiceID(text) {
            self = .invoice(id)
        } else if let id = CreditNoteID(text) {
            self = .creditNote(id)
        } else if let id = ServiceLevelResultID(text) {
            self = .serviceLevelResult(id)
        } else {
            return nil
        }
    }
}
