import Identity
import Metering
import Monetary
import Pricing
import StrictYAML

/// Turns the YAML of a plan into a `PlanDocument`: shapes, values and keys. What the values mean together is checked by
/// `PlanRules`.
struct PlanReader {
    var reader = DocumentReader()

    /// The document, unless something in it could not be read; what was wrong; and where each path stands.
    static func read(
        _ yaml: String,
    ) -> (document: PlanDocument?, findings: [PlanFinding], lines: [String: Int]) {
        var reader = PlanReader()
        let document = reader.readDocument(yaml)
        let findings = reader.reader.findings
        return (findings.isEmpty ? document : nil, findings, reader.reader.lines)
    }

    private mutating func readDocument(_ yaml: String) -> PlanDocument? {
        guard yaml.utf8.count <= PlanDocument.textBytesMax else {
            reader.report("the document is larger than \(PlanDocument.textBytesMax) bytes", path: "", line: nil)
            return nil
        }
        do throws(YAMLProblem) {
            guard let root = try YAMLNode.parse(yaml) else {
                reader.report("the document is empty", path: "", line: nil)
                return nil
            }
            return readPlan(DocumentField(node: root, path: ""))
        } catch {
            reader.report(error.message, path: "", line: error.line)
            return nil
        }
    }

    private mutating func readPlan(_ root: DocumentField) -> PlanDocument? {
        guard let fields = reader.fields(root, known: PlanKeys.plan) else { return nil }
        if let language = fields["language"] { readLanguage(language) }
        let slug = required("plan", in: fields, of: root, example: "pay-as-you-go") { $0.text($1) }
        let version = required("version", in: fields, of: root, example: "1") {
            $0.integer($1, in: 1...Int64(PlanDocument.versionMax))
        }
        let title = required("title", in: fields, of: root, example: "Pay as you go") { $0.text($1) }
        let currency = required("currency", in: fields, of: root, example: "USD") { $0.currency($1) }
        let effectiveFrom = required("effective_from", in: fields, of: root, example: "2026-01-01T00:00:00Z") {
            $0.timestamp($1)
        }
        let rounding = fields["rounding"].map { reader.choice($0, of: Rounding.self) } ?? .halfEven
        let roundsPrices = fields["round_prices"].map { reader.choice($0, of: PriceRounding.self) != nil } ?? false
        let unpriced = fields["unpriced"].map { reader.choice($0, of: UnpricedRule.self) } ?? .refuse
        let fee = fields["base_fee"].flatMap { readBaseFee($0, currency: currency) }
        let policies = fields["policies"].map { readPolicies($0) } ?? PlanPolicies()
        let models = required("models", in: fields, of: root, example: "{}") { $0.prices($1) }
        let tiers = fields["tiers"].map { readTiers($0) } ?? [:]
        let batch = fields["batch"].flatMap { readTier($0) }
        let regions = fields["regions"].map { readRegions($0) } ?? []
        let times = fields["times"].map { readTimes($0) } ?? []
        let holidays = fields["holidays"].map { readHolidays($0) } ?? [:]
        let promises = fields["promises"].map { readPromises($0) } ?? [:]
        guard let slug, let version, let title, let currency, let effectiveFrom, let rounding, let unpriced,
            let models
        else {
            return nil
        }
        return PlanDocument(
            plan: slug, version: Int(version), title: title, currency: currency, effectiveFrom: effectiveFrom,
            rounding: rounding, roundsPrices: roundsPrices, unpriced: unpriced, baseFee: fee, policies: policies,
            models: models, tiers: tiers, batch: batch, regions: regions, times: times, holidays: holidays,
            promises: promises)
    }

    /// The language that the document is written in; without a word, the first.
    private mutating func readLanguage(_ field: DocumentField) {
        guard let language = reader.integer(field, in: 1...1_000_000), language != PlanDocument.language else { return }
        reader.report(
            "language \(language) is newer than this program, which reads \(PlanDocument.language): use a newer one",
            at: field)
    }

    mutating func required<Value>(
        _ key: String, in fields: [String: DocumentField], of parent: DocumentField, example: String,
        _ read: (inout DocumentReader, DocumentField) -> Value?,
    ) -> Value? {
        reader.require(key, in: fields, of: parent, example: example).flatMap { read(&reader, $0) }
    }
}

/// The only rounding that prices may ask for.
private enum PriceRounding: String, CaseIterable { case halfEven = "half_even" }

// MARK: - Fee and policies

extension PlanReader {
    /// Either the amount itself, or an amount and how it is prorated.
    private mutating func readBaseFee(_ field: DocumentField, currency: Currency?) -> BaseFee? {
        // Without a currency nothing can be read, and that is already reported.
        guard let currency else { return nil }
        guard field.node.mapping != nil else {
            return reader.fee(field, currency: currency).map { BaseFee(amount: $0) }
        }
        guard let fields = reader.fields(field, known: PlanKeys.baseFee) else { return nil }
        let amount = required("amount", in: fields, of: field, example: "\"49.00\"") {
            $0.fee($1, currency: currency)
        }
        let proration = fields["prorate"].map { reader.choice($0, of: BaseFee.Proration.self) } ?? .days
        guard let amount, let proration else { return nil }
        return BaseFee(amount: amount, proration: proration)
    }

    private mutating func readPolicies(_ field: DocumentField) -> PlanPolicies {
        var policies = PlanPolicies()
        guard let fields = reader.fields(field, known: PlanKeys.policies) else { return policies }
        if let value = fields["on_client_abort"] {
            policies.onClientAbort = reader.choice(value, of: ClientAbortPolicy.self) ?? .drain
        }
        if let value = fields["on_gateway_loss"] {
            policies.onGatewayLoss = reader.choice(value, of: PlanPolicies.Counted.self) ?? .waive
        }
        if let value = fields["usage_missing"] {
            policies.usageMissing = reader.choice(value, of: PlanPolicies.Counted.self) ?? .billCounted
        }
        return policies
    }
}

// MARK: - Prices

extension PlanReader {
    private mutating func readTiers(_ field: DocumentField) -> [String: TierPricing] {
        var tiers: [String: TierPricing] = [:]
        for (name, tierField) in reader.entries(field) ?? [] {
            tiers[name] = readTier(tierField)
        }
        return tiers
    }

    private mutating func readTier(_ field: DocumentField) -> TierPricing? {
        guard let fields = reader.fields(field, known: PlanKeys.tier) else { return nil }
        var tier = TierPricing(factors: reader.factors(in: fields))
        if let value = fields["prices"] { tier.prices = reader.prices(value) ?? [:] }
        return tier
    }

    private mutating func readPromises(_ field: DocumentField) -> [String: [ServicePromise]] {
        var promises: [String: [ServicePromise]] = [:]
        for (tier, list) in reader.entries(field) ?? [] {
            let elements = reader.elements(list, countMax: PlanDocument.promisesPerTierMax) ?? []
            promises[tier] = elements.compactMap { readPromise($0) }
        }
        return promises
    }

    private mutating func readPromise(_ field: DocumentField) -> ServicePromise? {
        guard let fields = reader.fields(field, known: PlanKeys.promise) else { return nil }
        let objective = required("objective", in: fields, of: field, example: "availability") {
            $0.choice($1, of: ObjectiveName.self)
        }
        let percent = required("percent", in: fields, of: field, example: "\"99.5\"") { $0.percentage($1) }
        let threshold = fields["threshold_ms"].map {
            reader.integer($0, in: 1...ServicePromise.thresholdMillisecondsMax)
        }
        let minimum = fields["minimum_requests"].map { reader.integer($0, in: 1...1_000_000_000) } ?? 1
        let credits = fields["credits"].map { readCredits($0) } ?? []
        guard let objective, let percent, let minimum else { return nil }
        switch (objective, threshold) {
        case (.availability, nil):
            return ServicePromise(
                objective: .availability, percent: percent, minimumRequests: minimum, credits: credits)
        case (.availability, .some):
            reader.report("availability has no threshold; remove threshold_ms", at: fields["threshold_ms"] ?? field)
            return nil
        case (.timeToFirstToken, .some(let threshold)):
            guard let threshold else { return nil }
            return ServicePromise(
                objective: .timeToFirstToken(thresholdMilliseconds: threshold), percent: percent,
                minimumRequests: minimum, credits: credits)
        case (.timeToFirstToken, nil):
            _ = reader.require("threshold_ms", in: fields, of: field, example: "500")
            return nil
        }
    }

    private mutating func readCredits(_ field: DocumentField) -> [ServicePromise.CreditStep] {
        let elements = reader.elements(field, countMax: PlanDocument.creditStepsMax) ?? []
        return elements.compactMap { element in
            guard let fields = reader.fields(element, known: PlanKeys.credit) else { return nil }
            let below = required("below", in: fields, of: element, example: "\"99.5\"") { $0.percentage($1) }
            let credit = required("credit_percent", in: fields, of: element, example: "\"10\"") {
                $0.percentage($1)
            }
            guard let below, let credit else { return nil }
            return ServicePromise.CreditStep(below: below, credit: credit)
        }
    }
}

private enum ObjectiveName: String, CaseIterable {
    case availability
    case timeToFirstToken = "time_to_first_token"
}
