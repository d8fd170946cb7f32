public import Monetary

/// Why a transaction cannot be built. Nothing here can be booked around: the sums are wrong.
public enum LedgerError: Error, Equatable, Sendable {
    /// The postings sum to this instead of zero.
    case unbalanced(Money)
    /// No posting is left once those of zero are dropped.
    case empty
    /// More postings than `LedgerTransaction.postingsMax`.
    case tooManyPostings(Int)
    /// Revisions are counted from 1.
    case revisionBelowOne(Int32)
    /// Amounts of another currency than the transaction's, or sums too large to hold.
    case money(MonetaryError)
}

extension LedgerError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unbalanced(let sum): "the postings sum to \(sum) \(sum.currency), not to zero"
        case .empty: "a transaction needs postings other than zero"
        case .tooManyPostings(let count):
            "\(count) postings are more than the \(LedgerTransaction.postingsMax) that a transaction can have"
        case .revisionBelowOne(let revision): "revision \(revision) does not exist: they are counted from 1"
        case .money(let error): error.description
        }
    }
}
