import Identity
import Metering
import Monetary
import Pricing

extension InvoiceBuilder {
    /// A line for each charge of the month.
    mutating func addUsage(of terms: SubscriptionTerms) throws(InvoicingError) {
        for total in usage(of: terms.id) {
            try requireRolledUp(total)
            guard total.quantity != 0 || !total.amount.isZero else { continue }
            let amount: Money
            do throws(MonetaryError) {
                amount = try total.amount.roundedToMinorUnit(total.rounding)
            } catch {
                throw .money(error)
            }
            addUsageLine(
                .usage, total, period: input.month.period, quantity: total.quantity, exact: total.amount,
                amount: amount, description: total.charge.title)
        }
    }

    /// A line for each charge of an invoiced month whose rollups moved after its invoice: the charge computed again,
    /// less what invoices hold of it. Rounded is the whole, so that several late records ask for no more cents, and no
    /// fewer, than they would have in time.
    mutating func addAdjustments(of terms: SubscriptionTerms) throws(InvoicingError) {
        for earlier in earlierUsage(of: terms.id) {
            let rated = earlier.rated
            try requireRolledUp(rated)
            let (quantity, overflow) = rated.quantity.subtractingReportingOverflow(earlier.invoicedQuantity)
            if overflow { throw .money(.overflow) }
            let exact: Money
            let amount: Money
            do throws(MonetaryError) {
                exact = try rated.amount.subtracting(earlier.invoicedExact)
                let open = try rated.amount.roundedToMinorUnit(rated.rounding).subtracting(earlier.invoicedAmount)
                // Lines that were once rounded by themselves may hold a cent too much: more usage gives nothing back.
                amount = open.isNegative == exact.isNegative ? open : .zero(input.currency)
            } catch {
                throw .money(error)
            }
            guard quantity != 0 || !exact.isZero else { continue }
            let direction = exact.isNegative ? "correction" : "late usage"
            addUsageLine(
                .adjustment, rated, period: earlier.period, quantity: quantity, exact: exact, amount: amount,
                description: "\(rated.charge.title), \(direction) of \(earlier.period.monthText)")
        }
    }

    private mutating func addUsageLine(
        _ kind: InvoiceLineKind, _ total: RatedUsage, period: ServicePeriod, quantity: Int64, exact: Money,
        amount: Money, description: String,
    ) {
        lines.append(
            line(
                kind, .event(total.charge), subscription: total.charge.subscriptionID, description: description,
                period: period, exact: exact, amount: amount, measured: (quantity, total.price.unitPrice)))
    }

    /// Event prices add up exactly: a sum of events that is not the price of the sum is an error in the books, not a
    /// rounding.
    private func requireRolledUp(_ total: RatedUsage) throws(InvoicingError) {
        guard total.amount == total.rolledUp else {
            throw .amountContradictsPrice(
                charge: total.charge.title, rated: total.rolledUp, expected: total.amount)
        }
    }
}

extension UsageCharge {
    /// `llama-3.1-8b: output tokens, priority`, and behind it the conditions of the price.
    var title: String {
        (["\(model): \(meter.label)", tier] + PriceVariant.labels(of: variant)).joined(separator: ", ")
    }
}
