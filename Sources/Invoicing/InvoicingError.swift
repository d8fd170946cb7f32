public import Identity
public import Monetary

/// Why an invoice cannot be made or changed. The account is put on hold with it; the batch goes on.
public enum InvoicingError: Error, Equatable, Sendable {
    /// An amount does not fit, or two currencies meet.
    case money(MonetaryError)
    /// A plan in another currency than the account's.
    case currency(plan: String, planCurrency: Currency, accountCurrency: Currency)
    /// A sum of rated usage that is not quantity × price.
    case amountContradictsPrice(charge: String, rated: Money, expected: Money)
    /// Rated usage or a credit of a subscription that the account does not have.
    case unknownSubscription(SubscriptionID)
    /// What is charged, before credits, is below zero.
    case negativeTotal(Money)
    /// More lines than `InvoiceDraft.linesMax`.
    case tooManyLines(Int)
    /// The state does not allow it.
    case forbidden(InvoiceAction, InvoiceState)
    /// A credit note that cannot be: what of it, and why.
    case notCreditable(String)
}

extension InvoicingError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .money(let error): error.description
        case .currency(let plan, let planCurrency, let accountCurrency):
            "plan \(plan) is in \(planCurrency), the account in \(accountCurrency): subscribe to a plan of its currency"
        case .amountContradictsPrice(let charge, let rated, let expected):
            "\(charge): the rollups sum to \(rated), quantity × price is \(expected); run `tollgate reconcile`"
        case .unknownSubscription(let id): "there is usage of \(id), which the account does not have"
        case .negativeTotal(let total): "the charges sum to \(total): a correction this large needs a credit note"
        case .tooManyLines(let count):
            "\(count) lines are more than the \(InvoiceDraft.linesMax) that an invoice can have"
        case .forbidden(let action, let state): "an invoice that is \(state.rawValue) cannot be \(action.participle)"
        case .notCreditable(let reason): reason
        }
    }
}
