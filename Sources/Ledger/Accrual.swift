public import Identity
public import Monetary

/// A local day's rated usage of one product, and what the ledger holds of it.
public struct Accrual: Hashable, Sendable {
    public let accountID: AccountID
    /// What was sold; see `Accrual.product(model:)`.
    public let product: String
    /// Local day of the account's zone.
    public let day: CivilDate
    /// The exact sum of the rollups.
    public let rated: Money
    /// The sum of the revisions booked.
    public let booked: Money
    /// How many revisions there are.
    public let revisions: Int32

    public init(
        accountID: AccountID, product: String, day: CivilDate, rated: Money, booked: Money, revisions: Int32,
    ) {
        self.accountID = accountID
        self.product = product
        self.day = day
        self.rated = rated
        self.booked = booked
        self.revisions = revisions
    }

    /// The product under which usage of a model is booked.
    public static func product(model: String) -> String { "usage:\(model)" }

    /// The next revision: books what is missing. Nil where rated and booked are equal.
    public func posting(bookedAt: Timestamp, on days: BookingDays) throws(LedgerError) -> LedgerTransaction? {
        guard let missing = try Revision(of: rated, booked: booked) else { return nil }
        return try LedgerTransaction(
            TransactionIdentity(
                accountID: accountID, kind: .accrual, product: product, day: day, revision: revisions + 1),
            currency: rated.currency, bookedAt: bookedAt, bookedOn: days.bookedOn(for: day),
            description: "\(product) on \(day)",
            postings: [Posting(.unbilledReceivables, missing.amount), Posting(.revenue, missing.opposite)])
    }
}
