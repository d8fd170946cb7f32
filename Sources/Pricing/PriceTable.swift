import Metering
import Monetary

/// Multiplies a document out: base prices times the factors of tiers, long prompts, places and times. The factors are
/// multiplied with each other first, so that a price is rounded once, if at all.
struct PriceTable {
    let document: PlanDocument

    /// The rows that are stored when the version is published: each combination of model, tier and meter without
    /// further conditions. All other products are checked, and made when they are first used.
    static func rows(of document: PlanDocument, lines: [String: Int]) throws(PlanRejection) -> [EffectivePrice] {
        let table = PriceTable(document)
        try table.checkCounts(lines: lines)
        var rows: [EffectivePrice] = []
        var products = ProductCheck(table: table, lines: lines)
        for priceKey in document.models.keys.sorted() {
            for tier in table.tiers where table.sells(priceKey, in: tier) {
                rows += products.rows(of: priceKey, in: tier)
            }
        }
        let findings = products.findings
        guard findings.isEmpty else { throw PlanRejection(findings: Array(findings.prefix(PlanFinding.countMax))) }
        return rows
    }

    init(_ document: PlanDocument) {
        self.document = document
    }

    /// Names of tiers in the order of rows: the base tier, the others, batches.
    var tiers: [String] {
        [ServiceTier.standard] + document.tiers.keys.sorted() + (document.batch == nil ? [] : [ServiceTier.batch])
    }

    func sells(_ entry: String, in tier: String) -> Bool {
        guard document.models[entry] != nil else { return false }
        guard let pricing = document.pricing(of: tier) else { return tier == ServiceTier.standard }
        return pricing.prices[entry] != nil || !pricing.factors.isEmpty
    }

    /// What makes the prices of an entry in a tier under some conditions: base prices, and factors in their order.
    struct Terms {
        /// What a factor is for, or where base prices stand that are not the model's.
        enum Source {
            case tier
            case band
            case region
            case time
        }

        var prices: TokenPrices
        /// Nil: the model's own.
        var source: Source?
        var factors: [(of: Source, factors: PriceFactors)] = []

        /// All factors on the meter's price as one.
        func factor(of meter: Meter) throws(MonetaryError) -> Multiplier {
            var product = Multiplier.one
            for (_, factors) in factors {
                let factor = factors.factor(of: meter)
                if factor != .one { product = try product.multiplied(by: factor) }
            }
            return product
        }
    }

    /// Nil where the plan has no such entry.
    func terms(of entry: String, in tier: String, under conditions: PriceConditions) -> Terms? {
        let pricing = document.pricing(of: tier)
        let own = pricing?.prices[entry]
        guard let prices = own ?? document.models[entry] else { return nil }
        var terms = Terms(prices: prices, source: own == nil ? nil : .tier)
        if own == nil, let pricing { terms.factors.append((.tier, pricing.factors)) }
        if let band = conditions.band {
            switch prices.context[band].change {
            case .factors(let change): terms.factors.append((.band, change))
            case .prices(let long): (terms.prices, terms.source) = (long, .band)
            }
        }
        if let region = conditions.region { terms.factors.append((.region, document.regions[region].factors)) }
        if let time = conditions.time { terms.factors.append((.time, document.times[time].factors)) }
        return terms
    }

    /// The name of what a factor is for, as ids of rows have it.
    func name(of source: Terms.Source, _ entry: String, in tier: String, under conditions: PriceConditions) -> String {
        switch source {
        case .tier: tier
        case .band: PriceConditions(band: conditions.band).variant(of: document, entry: entry, tier: tier)
        case .region: PriceConditions(region: conditions.region).variant(of: document, entry: entry, tier: tier)
        case .time: PriceConditions(time: conditions.time).variant(of: document, entry: entry, tier: tier)
        }
    }

    /// The price of a row; nil where the model has none for the meter.
    func price(
        of meter: Meter, _ entry: String, in tier: String, under conditions: PriceConditions
    ) throws(MonetaryError) -> UnitPrice? {
        guard let terms = terms(of: entry, in: tier, under: conditions) else { return nil }
        return try price(of: meter, by: terms)
    }

    func price(of meter: Meter, by terms: Terms) throws(MonetaryError) -> UnitPrice? {
        guard let base = terms.prices.unitPrice(of: meter) else { return nil }
        let factor = try terms.factor(of: meter)
        if factor == .one { return base }
        return document.roundsPrices ? try factor.applied(to: base, rounding: .halfEven) : try factor.applied(to: base)
    }

    /// Rows of a document in the order in which `rows` makes them.
    static func sorted(_ rows: [EffectivePrice], of document: PlanDocument) -> [EffectivePrice] {
        func place(_ row: EffectivePrice) -> (String, Int, String, Meter) {
            let isBatch = document.batch != nil && row.tier == ServiceTier.batch
            return (row.priceKey, row.tier == ServiceTier.standard ? 0 : isBatch ? 2 : 1, row.tier, row.meter)
        }
        return rows.sorted { place($0) < place($1) }
    }

    private func checkCounts(lines: [String: Int]) throws(PlanRejection) {
        var (stored, products) = (0, 0)
        for priceKey in document.models.keys {
            for tier in tiers where sells(priceKey, in: tier) {
                let count = document.prices(of: priceKey, tier: tier)?.rowMeters.count ?? 0
                stored += count
                products += count * conditions(of: priceKey, in: tier).count
            }
        }
        let tooMany: String? =
            stored > PlanDocument.pricesMax
            ? "\(stored) rows of prices are too many; a version has at most \(PlanDocument.pricesMax)"
            : products > PlanDocument.productsMax
                ? "\(products) products of prices and factors are too many; a version has at most "
                    + "\(PlanDocument.productsMax)" : nil
        if let tooMany {
            throw PlanRejection(findings: [PlanFinding(.error, path: "models", line: lines["models"], tooMany)])
        }
    }

    /// Every combination of conditions that can hold for an entry of `models` in a tier; the first is that none does.
    func conditions(of entry: String, in tier: String) -> [PriceConditions] {
        let bands = document.prices(of: entry, tier: tier)?.context.count ?? 0
        let regions = document.regions.indices.filter { document.regions[$0].scope.mayCover(entry, tier: tier) }
        let times = document.times.indices.filter { document.times[$0].scope.mayCover(entry, tier: tier) }
        var all: [PriceConditions] = []
        for band in [nil] + (0..<bands).map(Optional.some) {
            for region in [nil] + regions.map(Optional.some) {
                for time in [nil] + times.map(Optional.some) {
                    all.append(PriceConditions(band: band, region: region, time: time))
                }
            }
        }
        return all
    }
}

/// Makes rows and looks at every product on the way.
private struct ProductCheck {
    let table: PriceTable
    let lines: [String: Int]
    var findings: [PlanFinding] = []

    init(table: PriceTable, lines: [String: Int]) {
        self.table = table
        self.lines = lines
    }

    mutating func rows(of priceKey: String, in tier: String) -> [EffectivePrice] {
        let document = table.document
        let meters = document.prices(of: priceKey, tier: tier)?.rowMeters ?? []
        var rows: [EffectivePrice] = []
        for conditions in table.conditions(of: priceKey, in: tier) {
            guard let terms = table.terms(of: priceKey, in: tier, under: conditions) else { continue }
            for meter in meters where findings.count < PlanFinding.countMax {
                do throws(MonetaryError) {
                    guard let price = try table.price(of: meter, by: terms), conditions.isNone else { continue }
                    rows.append(
                        EffectivePrice(
                            planID: document.plan, version: document.version, priceKey: priceKey, tier: tier,
                            meter: meter, model: .perUnit(PerUnitPrice(unitPrice: price))))
                } catch {
                    report(error, priceKey, tier, conditions)
                }
            }
        }
        return rows
    }

    private mutating func report(
        _ error: MonetaryError, _ priceKey: String, _ tier: String, _ conditions: PriceConditions
    ) {
        let path = table.document.factorPath(priceKey: priceKey, tier: tier, conditions: conditions)
        let variant = conditions.variant(of: table.document, entry: priceKey, tier: tier)
        let subject = [priceKey, tier == ServiceTier.standard ? nil : tier, variant.isEmpty ? nil : variant]
            .compactMap(\.self).joined(separator: ", ")
        let message =
            switch error {
            case .inexact(let product):
                "\(product) for \(subject) has more than \(UnitPrice.fractionDigits) decimals; "
                    + "shorten a factor, or add round_prices: half_even"
            default: "\(subject): \(error)"
            }
        // Prices that are equal are wrong by the same words.
        let finding = PlanFinding(.error, path: path, line: lines[path], message)
        if !findings.contains(finding) { findings.append(finding) }
    }
}

extension PlanDocument {
    /// Where the factor stands that a product is wrong by: the last of its conditions, else its tier.
    func factorPath(priceKey: String, tier: String, conditions: PriceConditions) -> String {
        if let time = conditions.time { return "times[\(time)]" }
        if let region = conditions.region { return "regions[\(region)]" }
        if let band = conditions.band { return "\(pricesPath(priceKey: priceKey, tier: tier)).context[\(band)]" }
        return tier == ServiceTier.batch && batch != nil ? "batch.multiplier" : "tiers.\(tier).multiplier"
    }

    /// Where the prices of a model in a tier stand.
    func pricesPath(priceKey: String, tier: String) -> String {
        guard pricing(of: tier)?.prices[priceKey] != nil else { return "models.\(priceKey)" }
        return (tier == ServiceTier.batch && batch != nil ? "batch" : "tiers.\(tier)") + ".prices.\(priceKey)"
    }
}
