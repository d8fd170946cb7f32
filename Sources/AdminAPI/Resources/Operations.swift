import Accounts
import Billing

/// What machines ask.
enum OperationEndpoints {
    private static let status: Schema = .object(
        [.required("status", .choice(["ok"]))], named: "Status")

    static func all(_ services: AdminServices) -> [Endpoint] {
        [health, readiness(services), metrics(services)]
    }

    private static let health = Endpoint(
        .get, "/healthz", "getHealth", tag: "Operations", "Whether the process answers", access: .everyone,
        successes: [.json(200, "It does.", status)], work: .job { _ in .ok(["status": "ok"]) })

    private static func readiness(_ services: AdminServices) -> Endpoint {
        Endpoint(
            .get, "/readyz", "getReadiness", tag: "Operations", "Whether the database answers", access: .everyone,
            successes: [.json(200, "It does.", status)], problems: [503],
            work: .job { _ in
                try await services.billing.requireDatabase()
                return .ok(["status": "ok"])
            })
    }

    private static func metrics(_ services: AdminServices) -> Endpoint {
        Endpoint(
            .get, "/metrics", "getMetrics", tag: "Operations", "Metrics as Prometheus text", access: .everyone,
            successes: [.other("text/plain", "Prometheus text, version 0.0.4.")],
            work: .job { _ in
                Answer(
                    status: 200,
                    body: .bytes(Array(services.metrics().utf8), mediaType: "text/plain; version=0.0.4; charset=utf-8"))
            })
    }

    /// The endpoint that serves the OpenAPI document.
    static func document(_ text: @escaping @Sendable () -> String) -> Endpoint {
        Endpoint(
            .get, "/openapi.json", "getOpenAPIDocument", tag: "Operations", "This document", access: .everyone,
            successes: [.json(200, "OpenAPI 3.1.", .map(.text(), "See spec.openapis.org/oas/v3.1.0."))],
            work: .job { _ in Answer(status: 200, body: .jsonText(text())) })
    }
}
