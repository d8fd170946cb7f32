import Identity
import Metering
import Monetary

/// What must hold between the values of a document, however it came to be. Lines are known for documents read from
/// text.
public struct PlanRules {
    let document: PlanDocument
    private let lines: [String: Int]
    private(set) var findings: [PlanFinding] = []

    /// What is wrong or looks wrong; `lines` says where each path stands.
    public static func findings(in document: PlanDocument, lines: [String: Int]) -> [PlanFinding] {
        var rules = PlanRules(document: document, lines: lines)
        rules.checkNames()
        rules.checkPrices()
        rules.checkFee()
        rules.checkTiers()
        rules.checkBatch()
        rules.checkConditions()
        for tier in document.promises.keys.sorted() { rules.checkPromises(of: tier) }
        return rules.findings
    }

    /// Throws the errors; warnings stop nothing.
    static func require(of document: PlanDocument, lines: [String: Int]) throws(PlanRejection) {
        let errors = findings(in: document, lines: lines).filter { $0.severity == .error }
        guard errors.isEmpty else { throw PlanRejection(findings: errors) }
    }

    private init(document: PlanDocument, lines: [String: Int]) {
        self.document = document
        self.lines = lines
    }

    mutating func report(_ path: String, _ message: String, severity: PlanFinding.Severity = .error) {
        guard findings.count < PlanFinding.countMax else { return }
        findings.append(PlanFinding(severity, path: path, line: lines[path], message))
    }

    private mutating func checkNames() {
        if !Names.isSlug(document.plan) {
            report("plan", "use lower-case letters, digits and dashes, beginning with a letter, as in pay-as-you-go")
        }
        if !(1...PlanDocument.versionMax).contains(document.version) {
            report("version", "versions count from 1 to \(PlanDocument.versionMax)")
        }
        if !Names.isTitle(document.title) {
            report("title", "a title is one line of 1 to \(PlanDocument.titleLengthMax) printable characters")
        }
        if document.models.isEmpty { report("models", "a plan sells at least one model; add one") }
        for key in document.models.keys.sorted() where !Names.isPattern(key) {
            report("models.\(key)", Names.ruleForNames + "; an asterisk may stand at the end")
        }
    }

    private mutating func checkPrices() {
        for (key, prices) in document.models.sorted(by: { $0.key < $1.key }) {
            checkPrices(prices, path: "models.\(key)")
        }
        for (tier, pricing) in document.tiers.sorted(by: { $0.key < $1.key }) {
            for (key, prices) in pricing.prices.sorted(by: { $0.key < $1.key }) {
                checkPrices(prices, path: "tiers.\(tier).prices.\(key)")
            }
        }
        for (key, prices) in document.batch?.prices.sorted(by: { $0.key < $1.key }) ?? [] {
            checkPrices(prices, path: "batch.prices.\(key)")
        }
    }

    private mutating func checkPrices(_ prices: TokenPrices, path: String) {
        if prices.rowMeters.isEmpty { report(path, "nothing of this model has a price; name one") }
        if let cacheRead = prices.cacheRead, let input = prices.input, cacheRead > input {
            report("\(path).cache_read", "reading from a cache costs more than plain input here", severity: .warning)
        }
        checkBands(of: prices, path: path)
        // Pictures and searches are sold by the piece: such a price was meant for one, not for a million.
        for meter in [Meter.images, .searches] {
            guard let price = prices.further[meter], price != .free, price.picounits < 10 * 1_000_000 else { continue }
            report(
                "\(path).\(meter.planKey)",
                "prices are for 1 000 000, so one costs a millionth of this: for \(price) each, "
                    + "write it times a million",
                severity: .warning)
        }
    }

    private mutating func checkBatch() {
        guard let batch = document.batch else { return }
        if document.tiers[ServiceTier.batch] != nil {
            report("batch", "the plan has a tier of this name too; batches are priced here, so remove the tier")
        }
        checkPricing(batch, path: "batch", advice: "give batches a multiplier, prices of their own, or both")
    }

    private mutating func checkPricing(_ pricing: TierPricing, path: String, advice: String) {
        if pricing.factors.isEmpty && pricing.prices.isEmpty { report(path, advice) }
        for (key, prices) in document.models.sorted(by: { $0.key < $1.key }) where pricing.prices[key] == nil {
            let named = Set(prices.namedMeters)
            for meter in pricing.factors.byMeter.keys.sorted() where !named.contains(meter) {
                report(
                    "\(path).multipliers.\(meter.planKey)",
                    "\(key) has no price of its own for this; name its price, or give the tier prices for the model")
            }
        }
        for key in pricing.prices.keys.sorted() where document.models[key] == nil {
            report("\(path).prices.\(key)", "unknown model; add it under models first")
        }
    }

    private mutating func checkFee() {
        guard let fee = document.baseFee else { return }
        if fee.amount.isNegative { report("base_fee", "a fee is zero or more") }
        if fee.amount.currency != document.currency { report("base_fee", "the fee must be in the plan's currency") }
    }

    private mutating func checkTiers() {
        if document.tiers.count > PlanDocument.tiersMax {
            report("tiers", "at most \(PlanDocument.tiersMax) tiers are allowed")
        }
        for (name, tier) in document.tiers.sorted(by: { $0.key < $1.key }) {
            let path = "tiers.\(name)"
            if name == ServiceTier.standard {
                report(path, "the base tier is always there; its prices stand under models")
            } else if ServiceTier.canonical(name) != name {
                report(path, "clients write \"\(name)\" for the base tier; choose another name")
            } else if !Names.isName(name) {
                report(path, Names.ruleForNames)
            }
            checkPricing(tier, path: path, advice: "give the tier a multiplier, prices of its own, or both")
        }
    }

    private mutating func checkPromises(of tier: String) {
        let path = "promises.\(tier)"
        let promises = document.promises[tier] ?? []
        if tier != ServiceTier.standard && document.tiers[tier] == nil {
            report(path, "the plan has no tier of this name; add it under tiers, or correct the name")
        }
        if promises.count > PlanDocument.promisesPerTierMax {
            report(path, "at most \(PlanDocument.promisesPerTierMax) promises a tier are allowed")
        }
        var objectives: Set<ServicePromise.Objective> = []
        for (index, promise) in promises.enumerated() {
            if !objectives.insert(promise.objective).inserted {
                report("\(path)[\(index)]", "the same objective is promised twice; remove one")
            }
            checkPromise(promise, path: "\(path)[\(index)]")
        }
    }

    private mutating func checkPromise(_ promise: ServicePromise, path: String) {
        if promise.percent.millionths == 0 {
            report("\(path).percent", "a promise of 0 % promises nothing; raise it or remove the promise")
        }
        if promise.minimumRequests < 1 { report("\(path).minimum_requests", "a month is judged from 1 request on") }
        if let threshold = promise.objective.thresholdMilliseconds,
            !(1...ServicePromise.thresholdMillisecondsMax).contains(threshold)
        {
            report("\(path).threshold_ms", "a threshold is 1 to \(ServicePromise.thresholdMillisecondsMax) ms")
        }
        if promise.credits.count > PlanDocument.creditStepsMax {
            report("\(path).credits", "at most \(PlanDocument.creditStepsMax) steps are allowed")
        }
        if let first = promise.credits.first, first.below < promise.percent {
            report(
                "\(path).credits[0].below",
                "from \(first.below) % to the promised \(promise.percent) % the promise is broken without a credit",
                severity: .warning)
        }
        var previous: ServicePromise.CreditStep?
        for (index, step) in promise.credits.enumerated() {
            let stepPath = "\(path).credits[\(index)]"
            if step.below > promise.percent {
                report("\(stepPath).below", "above the promised \(promise.percent) %, where nothing is broken")
            }
            if step.below.millionths == 0 { report("\(stepPath).below", "nothing lies below 0 %; remove the step") }
            if step.credit.millionths == 0 {
                report("\(stepPath).credit_percent", "a credit of 0 % is none; remove the step or raise it")
            }
            if let previous, step.below >= previous.below {
                report("\(stepPath).below", "each step must lie below the one before it (\(previous.below) %)")
            }
            if let previous, step.credit <= previous.credit {
                report("\(stepPath).credit_percent", "a worse month must give back more than \(previous.credit) %")
            }
            previous = step
        }
    }
}

/// What slugs, price keys and tiers may be called. None contains `@` or `/`, which separate the parts of a price's id.
enum Names {
    static let ruleForNames =
        "use lower-case letters, digits, dots, dashes and underscores, at most \(PlanDocument.nameLengthMax)"

    static func isSlug(_ text: String) -> Bool {
        isMade(text, of: "abcdefghijklmnopqrstuvwxyz0123456789-")
            && text.utf8.first.map { $0 >= UInt8(ascii: "a") } == true && text.utf8.last != UInt8(ascii: "-")
    }

    static func isName(_ text: String) -> Bool { isMade(text, of: "abcdefghijklmnopqrstuvwxyz0123456789-._") }

    static func isTitle(_ text: String) -> Bool {
        let unprintable: Set<Unicode.GeneralCategory> = [
            .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned,
        ]
        let scalars = text.unicodeScalars
        return (1...PlanDocument.titleLengthMax).contains(scalars.count)
            && !scalars.contains { unprintable.contains($0.properties.generalCategory) }
    }

    private static func isMade(_ text: String, of letters: String) -> Bool {
        !text.isEmpty && text.utf8.count <= PlanDocument.nameLengthMax && text.utf8.allSatisfy(letters.utf8.contains)
    }
}
