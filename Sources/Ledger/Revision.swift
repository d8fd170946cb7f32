import Monetary

/// What a revision books: the difference between what should be booked and what is.
struct Revision {
    let amount: Money
    /// For the posting on the other side.
    let opposite: Money

    /// Nil where nothing is missing.
    init?(of wanted: Money, booked: Money) throws(LedgerError) {
        do throws(MonetaryError) {
            amount = try wanted.subtracting(booked)
            opposite = try amount.negated()
        } catch {
            throw .money(error)
        }
        if amount.isZero { return nil }
    }
}
