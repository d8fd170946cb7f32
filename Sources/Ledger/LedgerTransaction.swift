public import Identity
public import Monetary

/// One amount on one ledger account. Debits are positive, credits negative.
public struct Posting: Hashable, Sendable {
    public let ledgerAccount: LedgerAccount
    public let amount: Money

    /// An amount as it is: positive debits, negative credits.
    public init(_ ledgerAccount: LedgerAccount, _ amount: Money) {
        self.ledgerAccount = ledgerAccount
        self.amount = amount
    }
}

/// What a transaction records. The raw value is part of its identity and never changes.
public enum TransactionKind: String, CaseIterable, Hashable, Sendable {
    /// A local day's rated usage of one product, as the difference to what was booked before.
    case accrual
    /// A finalized invoice.
    case invoice
    /// A credit granted for a broken promise.
    case serviceLevelCredit = "sla_credit"
    /// A granted credit was paid out, because no invoice will carry it.
    case serviceLevelPayout = "sla_payout"
    /// An invoice was paid.
    case payment
    /// A finalized invoice was declared void.
    case void
    /// A credit note was issued.
    case creditNote = "credit_note"
    /// What a credit note gave back of a paid invoice was paid back.
    case refund
}

/// What makes a transaction *this* one. Booking it twice is impossible: the id is a function of these, and the database
/// holds kind, subject, day and revision unique per account.
public struct TransactionIdentity: Hashable, Sendable {
    public let accountID: AccountID
    public let kind: TransactionKind
    public let subject: LedgerSubject
    /// The local day of the account's zone that it belongs to.
    public let day: CivilDate
    /// 1 for the first; each later change of the same day has the next.
    public let revision: Int32

    public init(
        accountID: AccountID, kind: TransactionKind, subject: LedgerSubject, day: CivilDate, revision: Int32 = 1
    ) {
        self.accountID = accountID
        self.kind = kind
        self.subject = subject
        self.day = day
        self.revision = revision
    }

    /// Derived from all of the above; the same identity always has the same id.
    public var transactionID: TransactionID {
        let text = ["ledger", "\(accountID)", kind.rawValue, "\(subject)", "\(day)", "\(revision)"].joined(
            separator: "\n")
        return TransactionID(UUIDv7(derivedFrom: SHA256Digest(of: text)))
    }
}

/// Postings that belong together and sum to zero. There is no way to build one that does not.
public struct LedgerTransaction: Hashable, Sendable {
    public let identity: TransactionIdentity
    public let currency: Currency
    /// Billing time.
    public let bookedAt: Timestamp
    /// The local day on which it is booked: the one that it belongs to, unless that one's period is closed.
    public let bookedOn: CivilDate
    public let invoiceID: InvoiceID?
    /// For people who read the books.
    public let description: String
    /// In the order of their ledger accounts, each account once, none of zero.
    public let postings: [Posting]

    /// The most postings one transaction can be given.
    public static let postingsMax = 10_000

    public var id: TransactionID { identity.transactionID }

    /// Joins `postings`: those of one ledger account are summed, zeros are dropped. Throws where the sum is not zero,
    /// nothing is left, or an amount has another currency. It is booked on the day that it belongs to unless told
    /// otherwise.
    public init(
        _ identity: TransactionIdentity, currency: Currency, bookedAt: Timestamp, bookedOn: CivilDate? = nil,
        invoiceID: InvoiceID? = nil, description: String, postings: [Posting],
    ) throws(LedgerError) {
        guard identity.revision >= 1 else { throw .revisionBelowOne(identity.revision) }
        guard postings.count <= LedgerTransaction.postingsMax else { throw .tooManyPostings(postings.count) }
        let sums = try LedgerTransaction.sums(of: postings, currency: currency)
        let total = try LedgerTransaction.total(of: postings, currency: currency)
        guard total.isZero else { throw .unbalanced(total) }
        guard !sums.isEmpty else { throw .empty }
        self.identity = identity
        self.currency = currency
        self.bookedAt = bookedAt
        self.bookedOn = bookedOn ?? identity.day
        self.invoiceID = invoiceID
        self.description = description
        self.postings = sums
    }

    private static func total(of postings: [Posting], currency: Currency) throws(LedgerError) -> Money {
        do throws(MonetaryError) {
            return try Money.sum(postings.map(\.amount), currency: currency)
        } catch {
            throw .money(error)
        }
    }

    private static func sums(of postings: [Posting], currency: Currency) throws(LedgerError) -> [Posting] {
        var sums: [LedgerAccount: Money] = [:]
        for posting in postings {
            do throws(MonetaryError) {
                let before = sums[posting.ledgerAccount] ?? .zero(currency)
                sums[posting.ledgerAccount] = try before.adding(posting.amount)
            } catch {
                throw .money(error)
            }
        }
        return sums.filter { !$0.value.isZero }.sorted { $0.key < $1.key }.map { Posting($0.key, $0.value) }
    }
}
