public import Identity
public import Monetary

/// A credit granted for a broken promise, and what the ledger holds of it: lessens income at once, and is owed until an
/// invoice carries it.
public struct CreditGranted: Hashable, Sendable {
    public let accountID: AccountID
    public let resultID: ServiceLevelResultID
    /// The last local day of the month in which the promise was broken.
    public let day: CivilDate
    /// Before rounding to the minor unit.
    public let granted: Money
    /// The sum of the revisions booked.
    public let booked: Money
    /// How many revisions there are.
    public let revisions: Int32

    public init(
        accountID: AccountID, resultID: ServiceLevelResultID, day: CivilDate, granted: Money, booked: Money,
        revisions: Int32
    ) {
        self.accountID = accountID
        self.resultID = resultID
        self.day = day
        self.granted = granted
        self.booked = booked
        self.revisions = revisions
    }

    /// The next revision: books what is missing. Nil where granted and booked are equal.
    public func transaction(bookedAt: Timestamp, on days: BookingDays) throws(LedgerError) -> LedgerTransaction? {
        guard let missing = try Revision(of: granted, booked: booked) else { return nil }
        return try LedgerTransaction(
            TransactionIdentity(
                accountID: accountID, kind: .serviceLevelCredit, subject: .serviceLevelResult(resultID), day: day,
                revision: revisions + 1),
            currency: granted.currency, bookedAt: bookedAt, bookedOn: days.bookedOn(for: day),
            description: "credit \(resultID)",
            postings: [
                Posting(.serviceLevelCredits, missing.amount), Posting(.serviceLevelCreditsOwed, missing.opposite),
            ])
    }
}
