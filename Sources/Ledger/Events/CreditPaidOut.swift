public import Identity
public import Monetary

/// A credit that is paid out: it is no longer owed, money goes, and rounding takes the rest.
public struct CreditPaidOut: Hashable, Sendable {
    public let accountID: AccountID
    public let resultID: ServiceLevelResultID
    /// What is still owed of it, before rounding to the minor unit.
    public let exact: Money
    /// What is paid.
    public let amount: Money

    public init(accountID: AccountID, resultID: ServiceLevelResultID, exact: Money, amount: Money) {
        self.accountID = accountID
        self.resultID = resultID
        self.exact = exact
        self.amount = amount
    }

    /// The only transaction of its kind for its credit.
    public func transaction(on day: CivilDate, at instant: Timestamp) throws(LedgerError) -> LedgerTransaction {
        let rest: Money
        do throws(MonetaryError) {
            rest = try amount.subtracting(exact)
        } catch {
            throw .money(error)
        }
        return try LedgerTransaction(
            TransactionIdentity(
                accountID: accountID, kind: .serviceLevelPayout, subject: .serviceLevelResult(resultID), day: day),
            currency: exact.currency, bookedAt: instant, description: "credit \(resultID) paid out",
            postings: [
                Posting(.serviceLevelCreditsOwed, exact), Posting(.cash, try amount.opposite()),
                Posting(.rounding, rest),
            ])
    }
}
