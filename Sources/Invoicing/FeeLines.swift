import Accounts
import Identity
import Monetary
import Pricing

extension InvoiceBuilder {
    /// The lines of base fees, by the subscription that they stand under. A fee is a charge of a tenant's plan for the
    /// month: a tenant that leaves and comes back has one, and its lines are rounded together.
    func baseFees() throws(InvoicingError) -> [SubscriptionID: [InvoiceLine]] {
        var lines: [SubscriptionID: [InvoiceLine]] = [:]
        let tenants = Dictionary(grouping: input.subscriptions, by: \.subscription.tenantID)
        do throws(MonetaryError) {
            for (_, subscriptions) in tenants {
                for (_, stretches) in ServiceDays.stretches(of: subscriptions, in: input.month) {
                    for line in try baseFee(for: stretches) { lines[line.subscriptionID, default: []].append(line) }
                }
            }
        } catch {
            throw .money(error)
        }
        return lines
    }

    /// One charge: a line for each stretch of days that it has an amount for.
    private func baseFee(for stretches: [ServiceStretch]) throws(MonetaryError) -> [InvoiceLine] {
        var segments: [ChargeSegment<BaseFee>] = []
        for stretch in stretches {
            let fee = stretch.version.baseFee ?? BaseFee(amount: .zero(input.currency))
            segments.append(ChargeSegment(terms: fee, days: stretch.days, isCounted: stretch.isCounted))
        }
        // The run closes the month before it makes the invoice; a fee does not ask.
        let period = ChargePeriod(dayCount: input.month.dayCount, isClosed: true)
        let days = try BaseFee.amounts(of: segments, in: period)
        var exact: [Money] = []
        for amounts in days { exact.append(try Money.sum(amounts, currency: input.currency)) }
        let rounding = stretches.last?.version.rounding ?? .halfEven
        let amounts = try Money.roundedTogether(exact, currency: input.currency, rounding)
        return stretches.indices.compactMap { index in
            exact[index].isZero ? nil : line(for: stretches[index], exact: exact[index], amount: amounts[index])
        }
    }

    private func line(for stretch: ServiceStretch, exact: Money, amount: Money) -> InvoiceLine {
        let version = stretch.version
        let daysInMonth = input.month.dayCount
        // Beside days that are no whole month a whole fee would look like a mistake.
        let share =
            stretch.days.count == daysInMonth
            ? ""
            : exact == version.baseFee?.amount
                ? ", not prorated" : ", \(stretch.days.count) of \(daysInMonth) days"
        let charge = LineCharge.period(name: BaseFee.name, plan: version.planID, planVersion: version.version)
        return line(
            .baseFee, charge, subscription: stretch.subscriptionID, description: "\(version.title): base fee\(share)",
            period: input.month.period(ofDays: stretch.days), exact: exact, amount: amount)
    }
}
