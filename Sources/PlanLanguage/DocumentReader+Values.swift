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

    mutating func unitPrice(_ field: DocumentField) -> UnitPrice? {
        decimal(field) { text throws(MonetaryError) in try UnitPrice(parsing: text) }
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

    private mutating func tokenPrices(_ field: DocumentField) -> TokenPrices? {
        let keys = Dictionary(uniqueKeysWithValues: TokenPrices.furtherMeters.map { ($0.planKey, $0) })
        let known = ["input", "output", "cache_read", "cache_write"] + TokenPrices.furtherMeters.map(\.planKey)
        guard let fields = fields(field, known: known) else { return nil }
        let inputField = require("input", in: fields, of: field, example: "\"0.15\" (or none, for models without)")
        let outputField = require("output", in: fields, of: field, example: "\"0.60\" (or none, for embeddings)")
        var prices = TokenPrices(
            input: priceOrNone(inputField), output: priceOrNone(outputField),
            cacheRead: fields["cache_read"].flatMap { unitPrice($0) },
            cacheWrite: fields["cache_write"].flatMap { unitPrice($0) })
        for (key, value) in fields {
            guard let meter = keys[key] else { continue }
            // Units have no parent: without a price they are not sold anyway.
            if value.isWord("none") {
                if meter.parent != nil { prices.unsold.insert(meter) }
            } else {
                prices.further[meter] = unitPrice(value)
            }
        }
        return prices
    }

    private mutating func priceOrNone(_ field: DocumentField?) -> UnitPrice? {
        guard let field, !field.isWord("none") else { return nil }
        return unitPrice(field)
    }
}
