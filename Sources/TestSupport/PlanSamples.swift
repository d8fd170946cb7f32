public import Identity
import PlanLanguage
public import Pricing
public import Testing

/// Plans that tests begin with.
public enum PlanSamples {
    /// A whole document, line by line known to the lint tests.
    public static let yaml = """
        plan: sample
        version: 1
        title: Sample
        currency: USD
        effective_from: 2026-01-01T00:00:00Z
        base_fee: "49.00"
        models:
          small: {input: "0.15", output: "0.60", cache_read: "0.075"}
          embed: {input: "0.02", output: none}
        tiers:
          priority:
            multiplier: "1.75"
          dedicated:
            prices:
              small: {input: "0.3", output: "1.2"}
        promises:
          priority:
            - objective: time_to_first_token
              percent: "95"
              threshold_ms: 500
              credits:
                - {below: "95", credit_percent: "10"}
                - {below: "90", credit_percent: "25"}
        """

    public static func version(
        _ changes: (String, String)..., sourceLocation: SourceLocation = #_sourceLocation,
    ) throws -> PlanVersion {
        var text = yaml
        for (old, new) in changes {
            try #require(text.contains(old), sourceLocation: sourceLocation)
            text.replace(old, with: new)
        }
        return try PlanVersion(yaml: text)
    }

    public static let instant = Timestamp("2026-01-01T00:00:00Z") ?? Timestamp(milliseconds: 0)
}
