import Identity
import Metering
import Monetary
import Pricing

/// The values that plans are made of.
extension DocumentReader {
    mutating func currency(_ field: DocumentField) -> Currency? {
        guard let code = text(field) else { return nil }
        do {
            return try Currency(code: code)
        } catch {
            report("\(error)", at: field)
            return nil
        }
    }

    mutating func timestamp(_ field: DocumentField) -> Timestamp? {
        guard let text = text(field) else { return nil }
        if let timestamp = Timestamp(text) { return timestamp }
        report("\"\(text)\" is not an RFC 3339 time; write one such as 2026-01-01T00:00:00Z", at: field)
        return nil
    }

    mutating func percentage(_ field: DocumentField) -> Percentage? {
        decimal(field) { text throws(MonetaryError) in try Percentage(parsing: text) }
    }

    mutating func multiplier(_ field: DocumentField) -> Multiplier? {
        decimal(field) { text throws(MonetaryError) in try Multiplier(parsing: text) }
    }

    /// A price of what the meter counts, for 1 000 000 or as it is sold.
    mutating func unitPrice(_ field: DocumentField, of meter: Meter) -> UnitPrice? {
        guard let text = quoted(field) else { return nil }
        do throws(SoldPrice.Mistake) {
            return try SoldPrice.read(text, of: meter)
        } catch {
            report(error.message, at: field)
            return nil
        }
    }

    /// An amount of zero or more.
    mutating func fee(_ field: DocumentField, currency: Currency) -> Money? {
        decimal(field) { text throws(MonetaryError) in
            let amount = try Money(parsing: text, currency: currency)
            if amount.isNegative { throw .negative(text) }
            return amount
        }
    }

    /// Models and their prices, of the base tier or a tier's own.
    mutating func prices(_ field: DocumentField) -> [String: TokenPrices]? {
        guard let entries = entries(field) else { return nil }
        var prices: [String: TokenPrices] = [:]
        for (priceKey, modelField) in entries { prices[priceKey] = tokenPrices(modelField) }
        return prices
    }

    /// `multiplier` for all meters, `multipliers` by meter.
    mutating func factors(in fields: [String: DocumentField]) -> PriceFactors {
        var factors = PriceFactors()
        if let value = fields["multiplier"] { factors.common = multiplier(value) }
        guard let value = fields["multipliers"] else { return factors }
        let meters = Dictionary(uniqueKeysWithValues: Meter.allCases.map { ($0.planKey, $0) })
        for (key, field) in self.fields(value, known: PlanKeys.factors) ?? [:] {
            if let meter = meters[key] { factors.byMeter[meter] = multiplier(field) }
        }
        return factors
    }

    private mutating func tokenPrices(_ field: DocumentField) -> TokenPrices? {
        let keys = Dictionary(uniqueKeysWithValues: TokenPrices.furtherMeters.map { ($0.planKey, $0) })
        guard let fields = fields(field, known: PlanKeys.prices) else { return nil }
        let inputField = require("input", in: fields, of: field, example: "\"0.15\" (or none, for models without)")
        let outputField = require("output", in: fields, of: field, example: "\"0.60\" (or none, for embeddings)")
        var prices = TokenPrices(
            input: priceOrNone(inputField, of: .inputTokens), output: priceOrNone(outputField, of: .outputTokens),
            cacheRead: fields["cache_read"].flatMap { unitPrice($0, of: .cacheReadTokens) },
            cacheWrite: fields["cache_write"].flatMap { unitPrice($0, of: .cacheWriteTokens) })
        if let value = fields["context"] { prices.context = bands(value) }
        for (key, value) in fields {
            guard let meter = keys[key] else { continue }
            // Units have no parent: without a price they are not sold anyway.
            if value.isWord("none") {
                if meter.parent != nil { prices.unsold.insert(meter) }
            } else {
                prices.further[meter] = unitPrice(value, of: meter)
            }
        }
        return prices
    }

    private mutating func bands(_ field: DocumentField) -> [ContextBand] {
        (elements(field, countMax: PlanDocument.bandsMax) ?? []).compactMap { band($0) }
    }

    private mutating func band(_ field: DocumentField) -> ContextBand? {
        guard let fields = fields(field, known: PlanKeys.band) else { return nil }
        let tokens = 0...Int64(1_000_000_000_000)
        let above: Int64?
        switch (fields["above"], fields["from"]) {
        case (let value?, nil): above = integer(value, in: tokens)
        case (nil, let value?): above = integer(value, in: 1...tokens.upperBound).map { $0 - 1 }
        case (.some, let value?):
            report("above and from say the same in two ways; remove one", at: value)
            return nil
        case (nil, nil):
            report(
                "missing; add it, as in above: 200000 (or from: 200001)", path: field.path(of: "above"),
                line: field.line)
            return nil
        }
        guard let value = fields["prices"] else {
            return above.map { ContextBand(above: $0, change: .factors(factors(in: fields))) }
        }
        if let other = fields["multiplier"] ?? fields["multipliers"] {
            report("a band has prices or multipliers, not both", at: other)
        }
        guard let above, let prices = tokenPrices(value) else { return nil }
        return ContextBand(above: above, change: .prices(prices))
    }

    private mutating func priceOrNone(_ field: DocumentField?, of meter: Meter) -> UnitPrice? {
        guard let field, !field.isWord("none") else { return nil }
        return unitPrice(field, of: meter)
    }
}
