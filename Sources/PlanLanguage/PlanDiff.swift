import Metering
import Monetary
public import Pricing

/// One difference between two versions.
public struct PlanChange: Hashable, Sendable {
    /// Which part of a plan changes.
    public enum Kind: String, CaseIterable, Sendable {
        case terms
        case fee
        case policy
        case tier
        case price
        case condition
        case promise
    }

    /// Which part of the plan changes.
    public let kind: Kind
    /// What changes, such as `sim-small/standard/input_tokens`.
    public let subject: String
    /// Nil where the newer version adds it.
    public let before: String?
    /// Nil where the newer version no longer has it.
    public let after: String?
    /// By how many percent an amount changes, with sign and two decimals; nil for all that is not an amount, and from
    /// zero.
    public let percent: String?
}

extension PlanChange: CustomStringConvertible {
    /// `~ price sim-small/standard/input_tokens: 0.15 → 0.18 (+20.00 %)`; `+` and `-` where one side is missing.
    public var description: String {
        let head = "\(kind.rawValue) \(subject): "
        switch (before, after) {
        case (let before?, let after?): return "~ \(head)\(before) → \(after)" + (percent.map { " (\($0) %)" } ?? "")
        case (nil, let after?): return "+ \(head)\(after)"
        case (let before?, nil): return "- \(head)\(before)"
        case (nil, nil): return "~ \(head)"
        }
    }
}

/// What a newer version changes for those on the plan. Prices are compared as they are billed, tiers multiplied out.
public struct PlanDiff: Hashable, Sendable {
    /// The version that is compared with.
    public let older: PlanVersion
    /// The version that is compared.
    public let newer: PlanVersion
    /// In the order of kinds, then of subjects as the documents list them.
    public let changes: [PlanChange]

    public init(from older: PlanVersion, to newer: PlanVersion) {
        self.older = older
        self.newer = newer
        changes =
            PlanDiff.terms(older.document, newer.document) + PlanDiff.fees(older, newer)
            + PlanDiff.policies(older.policies, newer.policies) + PlanDiff.tiers(older, newer)
            + PlanDiff.prices(older, newer) + PlanDiff.conditions(older.document, newer.document)
            + PlanDiff.promises(older, newer)
    }

    /// Whether nothing changes but number and date.
    public var isEmpty: Bool { changes.isEmpty }
}

extension PlanDiff: CustomStringConvertible {
    /// A headline and a line for each change.
    public var description: String {
        let headline = "\(newer.planID): version \(older.version) → \(newer.version), from \(newer.effectiveFrom)"
        let lines = changes.isEmpty ? ["nothing changes"] : changes.map(\.description)
        return ([headline] + lines.map { "  " + $0 }).joined(separator: "\n")
    }
}

extension PlanDiff {
    private static func terms(_ older: PlanDocument, _ newer: PlanDocument) -> [PlanChange] {
        [
            change(.terms, "title", older.title, newer.title),
            change(.terms, "currency", older.currency.code, newer.currency.code),
            change(.terms, "rounding", older.rounding.rawValue, newer.rounding.rawValue),
            change(.terms, "unpriced", older.unpriced.rawValue, newer.unpriced.rawValue),
        ].compactMap(\.self)
    }

    private static func fees(_ older: PlanVersion, _ newer: PlanVersion) -> [PlanChange] {
        let percent = older.baseFee.flatMap { before in
            newer.baseFee.flatMap { percentage(from: before.amount.picounits, to: $0.amount.picounits) }
        }
        return [
            change(
                .fee, "base_fee", older.baseFee.map { "\($0.amount) \($0.amount.currency)" },
                newer.baseFee.map { "\($0.amount) \($0.amount.currency)" }, percent: percent),
            change(
                .fee, "base_fee.prorate", older.baseFee?.proration.rawValue, newer.baseFee?.proration.rawValue),
        ].compactMap(\.self)
    }

    private static func policies(_ older: PlanPolicies, _ newer: PlanPolicies) -> [PlanChange] {
        [
            change(.policy, "on_client_abort", older.onClientAbort.rawValue, newer.onClientAbort.rawValue),
            change(.policy, "on_gateway_loss", older.onGatewayLoss.rawValue, newer.onGatewayLoss.rawValue),
            change(.policy, "usage_missing", older.usageMissing.rawValue, newer.usageMissing.rawValue),
        ].compactMap(\.self)
    }

    private static func tiers(_ older: PlanVersion, _ newer: PlanVersion) -> [PlanChange] {
        let batch = change(.tier, "batch", older.document.batch.map(describe), newer.document.batch.map(describe))
        return union(older.document.tiers, newer.document.tiers).compactMap { name in
            change(
                .tier, name, older.document.tiers[name].map(describe), newer.document.tiers[name].map(describe))
        } + [batch].compactMap(\.self)
    }

    private static func describe(_ tier: TierPricing) -> String {
        let own = tier.prices.isEmpty ? nil : "own prices for \(tier.prices.keys.sorted().joined(separator: ", "))"
        return [tier.factors.isEmpty ? nil : describe(tier.factors), own].compactMap(\.self).joined(separator: ", ")
    }

    private static func prices(_ older: PlanVersion, _ newer: PlanVersion) -> [PlanChange] {
        let added = newer.prices.filter {
            older.price(priceKey: $0.priceKey, tier: $0.tier, meter: $0.meter) == nil
        }
        let kept = older.prices.compactMap { before -> PlanChange? in
            let after = newer.price(priceKey: before.priceKey, tier: before.tier, meter: before.meter)?.unitPrice
            let percent = after.flatMap {
                percentage(from: Int128(before.unitPrice.picounits), to: Int128($0.picounits))
            }
            return change(
                .price, subject(of: before), before.unitPrice.description, after?.description, percent: percent)
        }
        return kept
            + added.map {
                PlanChange(
                    kind: .price, subject: subject(of: $0), before: nil, after: $0.unitPrice.description, percent: nil)
            }
    }

    private static func subject(of price: EffectivePrice) -> String {
        "\(price.priceKey)/\(price.tier)/\(price.meter.rawValue)"
    }

    private static func promises(_ older: PlanVersion, _ newer: PlanVersion) -> [PlanChange] {
        union(older.document.promises, newer.document.promises).flatMap { tier in
            let (before, after) = (older.promises(of: tier), newer.promises(of: tier))
            let kept = before.compactMap { promise in
                change(
                    .promise, "\(tier)/\(promise.objective.name)", promise.description,
                    after.first { $0.objective == promise.objective }?.description)
            }
            let added = after.filter { promise in !before.contains { $0.objective == promise.objective } }
            return kept
                + added.compactMap { change(.promise, "\(tier)/\($0.objective.name)", nil, $0.description) }
        }
    }

    // MARK: - Helpers

    static func union<Value>(_ left: [String: Value], _ right: [String: Value]) -> [String] {
        Set(left.keys).union(right.keys).sorted()
    }

    static func change(
        _ kind: PlanChange.Kind, _ subject: String, _ before: String?, _ after: String?, percent: String? = nil,
    ) -> PlanChange? {
        guard before != after else { return nil }
        return PlanChange(kind: kind, subject: subject, before: before, after: after, percent: percent)
    }

    /// The relative change with two decimals; nil from zero, where it has none.
    private static func percentage(from before: Int128, to after: Int128) -> String? {
        guard before != 0, before != after,
            let hundredths = try? Rounding.halfEven.multiply(after - before, by: 10_000, dividedBy: before)
        else { return nil }
        let fraction = hundredths.magnitude % 100
        let sign = after > before ? "+" : "-"
        return "\(sign)\(hundredths.magnitude / 100).\(fraction < 10 ? "0" : "")\(fraction)"
    }
}
