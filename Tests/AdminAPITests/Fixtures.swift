@testable import AdminAPI

/// Catalogue documents as operators write them.
enum CatalogueFixture {
    /// One backend, and one model of this name.
    static func serving(_ name: String) -> String {
        """
        backends:
          - {name: engine-1, url: "http://127.0.0.1:8000", api_key: secret-of-the-engine}
        models:
          - {name: \(name), aliases: [alias-of-\(name)], backend: engine-1, context_tokens: 8192, output_tokens: 4096}
        """
    }

    /// A backend there that names the secret.
    static func naming(_ secret: String, at host: String) -> String {
        """
        backends:
          - {name: engine, url: "https://\(host)", secret: \(secret)}
        models: []
        """
    }
}

/// Plan documents.
enum PlanFixture {
    static func text(version: Int = 1, effectiveFrom: String = "2026-01-01T00:00:00Z", input: String = "0.15") -> String
    {
        """
        plan: pay-as-you-go
        version: \(version)
        title: Pay as you go
        currency: USD
        effective_from: \(effectiveFrom)
        models:
          sim-small:
            input: "\(input)"
            output: "0.60"
        tiers:
          priority:
            multiplier: "1.75"
        """
    }
}

/// The API's own, of all the types of that name that a test can see.
typealias JSONValue = AdminAPI.JSONValue
