import Identity
import Metering
import Monetary
public import Pricing

extension PlanDocument {
    /// The language that documents are written in; a meaning that readers must know of gets the next number.
    public static let language: Int64 = 1

    /// The document as text that is the same for the same content, whatever the file looked like: fixed order, every
    /// default written out, decimals without needless zeros. It is YAML that reads back to an equal document, so it is
    /// also the form in which a published version is kept and hashed.
    public var canonicalText: String {
        var text = CanonicalText()
        text.line("language: \(PlanDocument.language)")
        text.line("plan: \(plan)")
        text.line("version: \(version)")
        text.line("title: \(text.quoted(title))")
        text.line("currency: \(currency.code)")
        text.line("effective_from: \(effectiveFrom)")
        text.line("rounding: \(rounding.rawValue)")
        if roundsPrices { text.line("round_prices: half_even") }
        if unpriced != .refuse { text.line("unpriced: \(unpriced.rawValue)") }
        if let baseFee {
            text.line("base_fee:")
            text.line("  amount: \"\(baseFee.amount)\"")
            text.line("  prorate: \(baseFee.proration.rawValue)")
        }
        text.line("policies:")
        text.line("  on_client_abort: \(policies.onClientAbort.rawValue)")
        text.line("  on_gateway_loss: \(policies.onGatewayLoss.rawValue)")
        text.line("  usage_missing: \(policies.usageMissing.rawValue)")
        text.line("models:")
        for (key, prices) in sorted(models) { text.prices(prices, key: key, indent: "  ") }
        if !tiers.isEmpty { text.line("tiers:") }
        for (name, tier) in sorted(tiers) {
            text.line("  \(text.quoted(name)):")
            text.tier(tier, indent: "    ")
        }
        if let batch {
            text.line("batch:")
            text.tier(batch, indent: "  ")
        }
        if !regions.isEmpty { text.line("regions:") }
        for region in regions { text.region(region) }
        if !times.isEmpty { text.line("times:") }
        for time in times { text.time(time) }
        if !holidays.isEmpty { text.line("holidays:") }
        for (name, calendar) in sorted(holidays) { text.holidays(calendar, name: name) }
        if !promises.isEmpty { text.line("promises:") }
        for (tier, list) in sorted(promises) {
            text.line("  \(text.quoted(tier)):\(list.isEmpty ? " []" : "")")
            for promise in list { text.promise(promise) }
        }
        return text.text
    }

    private func sorted<Value>(_ values: [String: Value]) -> [(key: String, value: Value)] {
        values.sorted { $0.key < $1.key }
    }
}

/// Writes the lines of a canonical document.
struct CanonicalText {
    private(set) var text = ""

    mutating func line(_ line: String) { text += line + "\n" }

    mutating func prices(_ prices: TokenPrices, key: String, indent: String) {
        line("\(indent)\(quoted(key)):")
        self.prices(prices, indent: indent)
        if !prices.context.isEmpty { line("\(indent)  context:") }
        for band in prices.context {
            line("\(indent)    - above: \(band.above)")
            switch band.change {
            case .factors(let factors): self.factors(factors, indent: indent + "      ")
            case .prices(let long):
                line("\(indent)      prices:")
                self.prices(long, indent: indent + "      ")
            }
        }
    }

    private mutating func prices(_ prices: TokenPrices, indent: String) {
        line("\(indent)  input: \(prices.input.map { "\"\($0)\"" } ?? "none")")
        line("\(indent)  output: \(prices.output.map { "\"\($0)\"" } ?? "none")")
        if let price = prices.cacheRead { line("\(indent)  cache_read: \"\(price)\"") }
        if let price = prices.cacheWrite { line("\(indent)  cache_write: \"\(price)\"") }
        for meter in TokenPrices.furtherMeters {
            if let price = prices.further[meter] { line("\(indent)  \(meter.planKey): \"\(price)\"") }
            if prices.unsold.contains(meter) { line("\(indent)  \(meter.planKey): none") }
        }
    }

    mutating func tier(_ tier: TierPricing, indent: String) {
        factors(tier.factors, indent: indent)
        if !tier.prices.isEmpty { line("\(indent)prices:") }
        for (key, prices) in tier.prices.sorted(by: { $0.key < $1.key }) {
            self.prices(prices, key: key, indent: indent + "  ")
        }
    }

    private mutating func factors(_ factors: PriceFactors, indent: String) {
        if let multiplier = factors.common { line("\(indent)multiplier: \"\(multiplier)\"") }
        if !factors.byMeter.isEmpty { line("\(indent)multipliers:") }
        for (meter, factor) in factors.byMeter.sorted(by: { $0.key < $1.key }) {
            line("\(indent)  \(meter.planKey): \"\(factor)\"")
        }
    }

    mutating func region(_ region: RegionPricing) {
        line("  - region: \(quoted(region.region))")
        scope(region.scope)
        factors(region.factors, indent: "    ")
    }

    mutating func time(_ time: TimePricing) {
        line("  - name: \(quoted(time.name))")
        line("    zone: \(quoted(time.zone.name))")
        if let holidays = time.holidays { line("    holidays: \(quoted(holidays))") }
        line("    when:")
        for span in time.spans {
            line("      - from: \"\(clock(span.from))\"")
            line("        to: \"\(clock(span.to))\"")
            let days = WeeklySpan.Day.allCases.filter { span.days.contains($0) }
            if !days.isEmpty { line("        days: [\(days.map(\.rawValue).joined(separator: ", "))]") }
        }
        scope(time.scope)
        factors(time.factors, indent: "    ")
    }

    private mutating func scope(_ scope: PricingScope) {
        if !scope.models.isEmpty { line("    models: [\(scope.models.map(quoted).joined(separator: ", "))]") }
        if !scope.tiers.isEmpty { line("    tiers: [\(scope.tiers.map(quoted).joined(separator: ", "))]") }
    }

    private func clock(_ minute: Int64) -> String {
        [minute / 60, minute % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: ":")
    }

    mutating func holidays(_ calendar: HolidayCalendar, name: String) {
        line("  \(quoted(name)):")
        line("    until: \"\(calendar.until)\"")
        line("    days: [\(calendar.days.map { "\"\($0)\"" }.joined(separator: ", "))]")
    }

    mutating func promise(_ promise: ServicePromise) {
        line("    - objective: \(promise.objective.name)")
        if let threshold = promise.objective.thresholdMilliseconds { line("      threshold_ms: \(threshold)") }
        line("      percent: \"\(promise.percent)\"")
        line("      minimum_requests: \(promise.minimumRequests)")
        if !promise.credits.isEmpty { line("      credits:") }
        for step in promise.credits {
            line("        - below: \"\(step.below)\"")
            line("          credit_percent: \"\(step.credit)\"")
        }
    }

    /// Text in double quotes. Names are quoted too, so that none reads as a number or a truth value.
    func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
