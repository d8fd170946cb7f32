import Identity
import Metering
import Monetary

extension InvoiceBuilder {
    /// A line for each charge of the month.
    mutating func addUsage(of terms: SubscriptionTerms) throws(InvoicingError) {
        for total in usage(of: terms.id) where total.quantity != 0 || !total.amount.isZero {
            try requireProduct(total, quantity: total.quantity, amount: total.amount)
            try addUsageLine(
                .usage, total, terms: terms, period: input.month.period, quantity: total.quantity,
                exact: total.amount, description: total.charge.title)
        }
    }

    /// A line for each charge of an invoiced month whose rollups moved after its invoice: by the difference.
    mutating func addAdjustments(of terms: SubscriptionTerms) throws(InvoicingError) {
        for earlier in earlierUsage(of: terms.id) {
            let rated = earlier.rated
            let (quantity, overflow) = rated.quantity.subtractingReportingOverflow(earlier.invoicedQuantity)
            if overflow { throw .money(.overflow) }
            let exact: Money
            do throws(MonetaryError) {
                exact = try rated.amount.subtracting(earlier.invoicedAmount)
            } catch {
                throw .money(error)
            }
            guard quantity != 0 || !exact.isZero else { continue }
            try requireProduct(rated, quantity: quantity, amount: exact)
            let direction = exact.isNegative ? "correction" : "late usage"
            try addUsageLine(
                .adjustment, rated, terms: terms, period: earlier.period, quantity: quantity, exact: exact,
                description: "\(rated.charge.title), \(direction) of \(earlier.period.monthText)")
        }
    }

    private mutating func addUsageLine(
        _ kind: InvoiceLineKind, _ total: RatedUsage, terms: SubscriptionTerms, period: ServicePeriod,
        quantity: Int64, exact: Money, description: String,
    ) throws(InvoicingError) {
        try add(
            kind: kind, terms: terms, plan: total.charge.plan, planVersion: total.charge.planVersion,
            charge: total.charge.identityText, description: description, period: period, exact: exact,
            rounding: total.rounding, usage: (total.charge, quantity, total.unitPrice))
    }

    /// Linear charges add up exactly: a sum that is not quantity × price is an error in the books, not a rounding.
    private func requireProduct(_ total: RatedUsage, quantity: Int64, amount: Money) throws(InvoicingError) {
        let expected = total.unitPrice.cost(of: quantity, currency: input.currency)
        guard amount == expected else {
            throw .amountContradictsPrice(charge: total.charge.title, rated: amount, expected: expected)
        }
    }
}

extension UsageCharge {
    /// `llama-3.1-8b: output tokens, priority`
    var title: String { "\(model): \(meter.words), \(tier)" }
}

extension Meter {
    /// For invoices.
    var words: String {
        switch self {
        case .inputTokens: "input tokens"
        case .inputAudioTokens: "audio input tokens"
        case .inputImageTokens: "image input tokens"
        case .inputVideoTokens: "video input tokens"
        case .cacheReadTokens: "cached input tokens"
        case .cacheReadAudioTokens: "cached audio input tokens"
        case .cacheReadImageTokens: "cached image input tokens"
        case .cacheReadVideoTokens: "cached video input tokens"
        case .cacheWriteTokens: "input tokens written to cache"
        case .cacheWriteHourTokens: "input tokens written to cache for an hour"
        case .cacheWriteLongTokens: "input tokens written to cache for 12 hours or longer"
        case .outputTokens: "output tokens"
        case .outputAudioTokens: "audio output tokens"
        case .outputImageTokens: "image output tokens"
        case .reasoningTokens: "reasoning tokens"
        case .images: "images"
        case .audioMilliseconds: "milliseconds of audio"
        case .characters: "characters"
        case .searches: "searches"
        case .computeMilliseconds: "milliseconds of compute time"
        }
    }
}
