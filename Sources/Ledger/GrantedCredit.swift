public import Identity
public import Monetary

/// A credit granted for a broken promise: lessens income at once, and is owed until an invoice carries it.
public struct GrantedCredit: Hashable, Sendable {
    public let accountID: AccountID
    public let resultID: ServiceLevelResultID
    /// The last local day of the month in which the promise was broken.
    public let day: CivilDate
    /// Before rounding to the minor unit; above zero.
    public let exactAmount: Money

    /// A credit as it was computed.
    public init(accountID: AccountID, resultID: ServiceLevelResultID, day: CivilDate, exactAmount: Money) {
        self.accountID = accountID
        self.resultID = resultID
        self.day = day
        self.exactAmount = exactAmount
    }

    /// Income lessened against what is owed.
    public func posting(bookedAt: Timestamp) throws(LedgerError) -> LedgerTransaction {
        let opposite: Money
        do throws(MonetaryError) {
            opposite = try exactAmount.negated()
        } catch {
            throw .money(error)
        }
        return try LedgerTransaction(
            TransactionIdentity(
                accountID: accountID, kind: .serviceLevelCredit, product: "\(resultID)", day: day),
            currency: exactAmount.currency, bookedAt: bookedAt, description: "credit \(resultID)",
            postings: [Posting(.serviceLevelCredits, exactAmount), Posting(.serviceLevelCreditsOwed, opposite)])
    }
}
