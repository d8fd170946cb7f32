import Metering
import Monetary
import Pricing

/// The JSON Schema (draft 2020-12) of plan documents, for editors and other programs: shapes, keys and words. What the
/// values mean together only the lint knows.
public enum PlanSchema {
    /// The schema as text.
    public static var json: String {
        let root = object(
            PlanKeys.plan,
            [
                "language": #"{"const": 1}"#,
                "plan": text(pattern: "^[a-z][a-z0-9-]*$", most: PlanDocument.nameLengthMax),
                "version": integer(1, PlanDocument.versionMax),
                "title": text(pattern: "^[^\\\\n]+$", most: PlanDocument.titleLengthMax),
                "currency": text(pattern: "^[A-Z]{3}$", most: 3), "effective_from": instant,
                "rounding": words(Rounding.allCases.map(\.rawValue)), "round_prices": words(["half_even"]),
                "unpriced": words(UnpricedRule.allCases.map(\.rawValue)), "base_fee": fee, "policies": policies,
                "models": map(of: ref("prices")), "tiers": map(of: ref("tier")), "batch": ref("tier"),
                "regions": list(of: ref("region"), most: PlanDocument.regionsMax),
                "times": list(of: ref("time"), most: PlanDocument.timesMax), "holidays": map(of: ref("holidays")),
                "promises": map(of: list(of: ref("promise"), most: PlanDocument.promisesPerTierMax)),
            ], required: ["plan", "version", "title", "currency", "effective_from", "models"])
        let head = [
            #""$schema": "https://json-schema.org/draft/2020-12/schema""#, #""title": "Tollgate plan, language 1""#,
            #""$defs": {"# + definitions.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}",
        ]
        return "{" + head.joined(separator: ", ") + ", " + root.dropFirst() + "\n"
    }

    // MARK: - The parts of a document

    private static let definitions: [(String, String)] = [
        ("price", price), ("factor", decimal),
        ("factors", object(PlanKeys.factors, all(PlanKeys.factors, ref("factor")))),
        ("prices", prices), ("band", band), ("tier", tier), ("region", region), ("time", time), ("span", span),
        ("holidays", holidays), ("promise", promise),
    ]

    private static let decimal = #"{"type": "string", "pattern": "^(0|[1-9][0-9]*)([.][0-9]+)?$"}"#
    private static let price =
        #"{"type": "string", "pattern": "^(0|[1-9][0-9]*)([.][0-9]+)?( per ([1-9][0-9]*[KM]? )?[a-z]+)?$"}"#
    private static let instant =
        #"{"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"}"#
    private static let day = #"{"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}"#
    private static let clock = #"{"type": "string", "pattern": "^([01][0-9]|2[0-4]):[0-5][0-9]$"}"#
    private static let fee = "{\"oneOf\": [\(decimal), \(feeObject)]}"
    private static let feeObject = object(
        PlanKeys.baseFee, ["amount": decimal, "prorate": words(BaseFee.Proration.allCases.map(\.rawValue))],
        required: ["amount"])
    private static let policies = object(
        PlanKeys.policies,
        [
            "on_client_abort": words(ClientAbortPolicy.allCases.map(\.rawValue)),
            "on_gateway_loss": words(PlanPolicies.Counted.allCases.map(\.rawValue)),
            "usage_missing": words(PlanPolicies.Counted.allCases.map(\.rawValue)),
        ])
    private static let priceOrNone = "{\"oneOf\": [{\"const\": \"none\"}, \(ref("price"))]}"
    private static let prices = object(
        PlanKeys.prices,
        all(PlanKeys.prices, priceOrNone).merging(
            [
                "context": list(of: ref("band"), most: PlanDocument.bandsMax), "cache_read": ref("price"),
                "cache_write": ref("price"),
            ]
        ) { $1 }, required: ["input", "output"])
    private static let factorFields = ["multiplier": ref("factor"), "multipliers": ref("factors")]
    private static let band = object(
        PlanKeys.band,
        ["above": integer(0, nil), "from": integer(1, nil), "prices": ref("prices")].merging(factorFields) { $1 })
    private static let tier = object(
        PlanKeys.tier, ["prices": map(of: ref("prices"))].merging(factorFields) { $1 })
    private static let names = list(of: text(pattern: "^[a-z0-9._*-]+$", most: 65), most: PlanDocument.regionsMax)
    private static let region = object(
        PlanKeys.region,
        ["region": text(pattern: "^[a-z0-9._*-]+$", most: 65), "models": names, "tiers": names]
            .merging(factorFields) { $1 }, required: ["region"])
    private static let time = object(
        PlanKeys.time,
        [
            "name": text(pattern: "^[a-z0-9._-]+$", most: PlanDocument.nameLengthMax),
            "zone": text(pattern: "^[A-Za-z0-9/_+-]+$", most: 64),
            "holidays": text(pattern: "^[a-z0-9._-]+$", most: 64),
            "when": list(of: ref("span"), most: PlanDocument.timesMax), "models": names, "tiers": names,
        ].merging(factorFields) { $1 }, required: ["name", "zone", "when"])
    private static let span = object(
        PlanKeys.span,
        [
            "days": list(of: words(WeeklySpan.Day.allCases.map(\.rawValue)), most: WeeklySpan.Day.allCases.count),
            "from": clock, "to": clock,
        ])
    private static let holidays = object(
        PlanKeys.holidays, ["until": day, "days": list(of: day, most: PlanDocument.holidaysMax)],
        required: ["until", "days"])
    private static let promise = object(
        PlanKeys.promise,
        [
            "objective": words(["availability", "time_to_first_token"]), "percent": decimal,
            "threshold_ms": integer(1, nil), "minimum_requests": integer(1, nil),
            "credits": list(
                of: object(
                    PlanKeys.credit, ["below": decimal, "credit_percent": decimal], required: PlanKeys.credit),
                most: PlanDocument.creditStepsMax),
        ], required: ["objective", "percent"])

    // MARK: - Writing

    private static func object(
        _ keys: [String], _ properties: [String: String], required: [String] = []
    ) -> String {
        assert(Set(keys) == Set(properties.keys), "the schema says something about each key that the reader knows")
        let fields = keys.map { "\"\($0)\": \(properties[$0] ?? "true")" }.joined(separator: ", ")
        let needed = required.map { "\"\($0)\"" }.joined(separator: ", ")
        return "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\(needed)], "
            + "\"properties\": {\(fields)}}"
    }

    private static func all(_ keys: [String], _ schema: String) -> [String: String] {
        Dictionary(uniqueKeysWithValues: keys.map { ($0, schema) })
    }

    private static func map(of schema: String) -> String {
        "{\"type\": \"object\", \"additionalProperties\": \(schema)}"
    }

    private static func list(of schema: String, most: Int) -> String {
        "{\"type\": \"array\", \"items\": \(schema), \"maxItems\": \(most)}"
    }

    private static func words(_ words: [String]) -> String {
        "{\"enum\": [\(words.map { "\"\($0)\"" }.joined(separator: ", "))]}"
    }

    private static func text(pattern: String, most: Int) -> String {
        "{\"type\": \"string\", \"pattern\": \"\(pattern)\", \"maxLength\": \(most)}"
    }

    private static func integer(_ least: Int, _ most: Int?) -> String {
        "{\"type\": \"integer\", \"minimum\": \(least)" + (most.map { ", \"maximum\": \($0)" } ?? "") + "}"
    }

    private static func ref(_ name: String) -> String { "{\"$ref\": \"#/$defs/\(name)\"}" }
}
