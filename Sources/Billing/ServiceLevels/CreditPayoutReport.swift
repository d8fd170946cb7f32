public import Monetary

/// What was paid out to an account.
public struct CreditPayoutReport: Hashable, Sendable {
    public let amount: Money
    /// How many credits it settles.
    public let credits: Int

    public init(amount: Money, credits: Int) {
        self.amount = amount
        self.credits = credits
    }
}
