import Identity
import Monetary
import ServiceLevels

extension InvoiceBuilder {
    /// A negative line for each credit of an earlier month, oldest first, as long as the invoice has something to take
    /// it from. What does not fit waits for the next invoice: an invoice is never below zero.
    mutating func addCredits() throws(InvoicingError) {
        do throws(MonetaryError) {
            var available = try Money.sum(lines.map(\.amount), currency: input.currency)
            for due in input.credits.sorted(by: { $0.isBefore($1) }) where due.period.end <= input.month.start {
                let remaining = try due.credit.subtracting(due.applied)
                if due.credit.isZero, due.appliedExact != due.exactCredit, !lines.isEmpty {
                    // It rounds to nothing: a line of 0.00 with the exact amount settles it, or it is owed for ever.
                    try addCredit(due, applied: remaining, remaining: remaining)
                }
                guard remaining.picounits > 0 else { continue }
                let applied = try available.isLess(than: remaining) ? available : remaining
                if applied.picounits > 0 {
                    try addCredit(due, applied: applied, remaining: remaining)
                    available = try available.subtracting(applied)
                }
                carriedOver = try carriedOver.adding(remaining).subtracting(applied)
            }
        } catch {
            throw .money(error)
        }
    }

    /// The part that uses a credit up also carries its exact rest, so that the exact amounts of all its parts sum to
    /// the exact credit.
    private mutating func addCredit(_ due: CreditDue, applied: Money, remaining: Money) throws(MonetaryError) {
        let isLast = applied == remaining
        let exact = isLast ? try due.exactCredit.subtracting(due.appliedExact) : applied
        lines.append(
            line(
                .serviceLevelCredit, .credit(due), subscription: due.subscriptionID, description: due.description,
                period: due.period, exact: try exact.negated(), amount: try applied.negated()))
    }
}

extension CreditDue {
    /// Oldest first; then by subscription, tier and objective.
    func isBefore(_ other: CreditDue) -> Bool {
        if period.start != other.period.start { return period.start < other.period.start }
        if subscriptionID != other.subscriptionID { return subscriptionID < other.subscriptionID }
        return (tier, objective.name, resultID.uuid) < (other.tier, other.objective.name, other.resultID.uuid)
    }

    /// `SLA credit for 2026-11, tier priority: time to first token within 500 ms for 95.1 % of requests, 99 % promised;
    /// 10 % of 12.34 USD`
    var description: String {
        let measure =
            switch objective {
            case .availability: "available for"
            case .timeToFirstToken(let threshold): "first token within \(threshold) ms for"
            }
        return "SLA credit for \(period.monthText), tier \(tier): \(measure) \(attainment.percentText) % of requests, "
            + "\(promised) % promised; \(creditPercent) % of \(base) \(base.currency)"
    }
}
