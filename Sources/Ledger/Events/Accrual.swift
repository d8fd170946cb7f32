public import Identity
public import Monetary

/// A local day's rated usage of one product, and what the ledger holds of it.
public struct Accrual: Hashable, Sendable {
    public let accountID: AccountID
    /// The public name of what was used.
    public let model: String
    /// Local day of the account's zone.
    public let day: CivilDate
    /// The exact sum of the rollups.
    public let rated: Money
    /// The sum of the revisions booked.
    public let booked: Money
    /// How many revisions there are.
    public let revisions: Int32

    public init(
        accountID: AccountID, model: String, day: CivilDate, rated: Money, booked: Money, revisions: Int32,
    ) {
        self.accountID = accountID
        self.model = model
        self.day = day
        self.rated = rated
        self.booked = booked
        self.revisions = revisions
    }

    /// The next revision: books what is missing. Nil where rated and booked are equal.
    public func transaction(bookedAt: Timestamp, on days: BookingDays) throws(LedgerError) -> LedgerTransaction? {
        let subject = LedgerSubject.usage(model: model)
        guard let missing = try Revision(of: rated, booked: booked) else { return nil }
        return try LedgerTransaction(
            TransactionIdentity(
                accountID: accountID, kind: .accrual, subject: subject, day: day, revision: revisions + 1),
            currency: rated.currency, bookedAt: bookedAt, bookedOn: days.bookedOn(for: day),
            description: "\(subject) on \(day)",
            postings: [Posting(.unbilledReceivables, missing.amount), Posting(.revenue, missing.opposite)])
    }
}
