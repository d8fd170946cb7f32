import Accounts
import PlanLanguage
import Pricing
import TestSupport
import Testing

@testable import AdminAPI

@Suite(.database, .timeLimit(.minutes(10)))
struct PlanTests {
    @Test func `a plan is published once, as YAML or in JSON, and never changes`() async throws {
        try await RunningAPI.run { api in
            let text = PlanFixture.text()
            let first = try await api.send(text, to: "/v1/plans", as: .billing)
            #expect(first.status == 201 && first["outcome"] == "published", "\(first)")
            let again = try await api.call("POST", "/v1/plans", ["document": .string(text)], as: .billing)
            #expect(again.status == 200 && again["outcome"] == "unchanged")
            let other = try await api.send(PlanFixture.text(input: "0.20"), to: "/v1/plans", as: .billing)
            #expect(other.status == 409 && other["detail"]?.contains("version: 2") == true, "\(other)")
            let soon = PlanFixture.text(version: 2, effectiveFrom: "\(RunningAPI.now)")
            #expect(try await api.send(soon, to: "/v1/plans").status == 409)
        }
    }

    @Test func `a plan is listed and shown with versions, prices and document`() async throws {
        try await RunningAPI.run { api in
            _ = try await api.send(PlanFixture.text(), to: "/v1/plans")
            let second = PlanFixture.text(version: 2, effectiveFrom: "2027-01-01T00:00:00Z", input: "0.18")
            #expect(try await api.send(second, to: "/v1/plans").status == 201)
            let list = try await api.call("GET", "/v1/plans", as: .viewer)
            #expect(list.data.first?["plan"] == "pay-as-you-go" && list.data.first?["latest_version"] == 2)
            let plan = try await api.call("GET", "/v1/plans/pay-as-you-go", as: .viewer)
            #expect(plan.json["versions"]?.elements?.count == 2)
            let version = try await api.call("GET", "/v1/plans/pay-as-you-go/versions/2", as: .viewer)
            #expect(
                version["document"] == (try PlanVersion(yaml: second).document.canonicalText)
                    && version.json["tiers"] == ["standard", "priority"])
            let price = version.json["prices"]?.elements?.first
            #expect(price?["id"] == "pay-as-you-go@2/sim-small/standard/input_tokens")
            #expect(price?["per_million"] == "0.18")
            for path in ["/v1/plans/none", "/v1/plans/pay-as-you-go/versions/3", "/v1/plans/pay-as-you-go/versions/x"] {
                #expect(try await api.call("GET", path).status == 404, "\(path)")
            }
            let diff = try await api.call("GET", "/v1/plans/pay-as-you-go/diff?from=1&to=2", as: .viewer)
            let change = diff.json["changes"]?.elements?.first
            #expect(change?["before"] == "0.15" && change?["after"] == "0.18" && change?["percent"] == "+20.00")
            #expect(try await api.call("GET", "/v1/plans/pay-as-you-go/diff?from=1").wrong == ["to"])
        }
    }

    @Test func `a document with errors is refused with each of them at its line`() async throws {
        try await RunningAPI.run { api in
            let wrong = PlanFixture.text(input: "cheap").replacing("currency: USD", with: "curency: USD")
            let lint = try await api.send(wrong, to: "/v1/plan_lints", as: .viewer)
            #expect(lint.status == 200 && lint.json["publishable"] == false)
            let findings = try #require(lint.json["findings"]?.elements)
            #expect(findings.count >= 2 && findings.contains { $0["line"]?.number != nil })
            let applied = try await api.send(wrong, to: "/v1/plans")
            #expect(applied.status == 422 && applied["code"] == "rejected_document")
            #expect(!applied.wrong.isEmpty)
            let right = try await api.send(PlanFixture.text(), to: "/v1/plan_lints", as: .viewer)
            #expect(right.json["publishable"] == true)
        }
    }

    @Test func `a document is compared with what is published before it is`() async throws {
        try await RunningAPI.run { api in
            let next = PlanFixture.text(version: 2, effectiveFrom: "2027-01-01T00:00:00Z", input: "0.30")
            #expect(try await api.send(next, to: "/v1/plan_diffs", as: .viewer).status == 404)
            _ = try await api.send(PlanFixture.text(), to: "/v1/plans")
            let diff = try await api.send(next, to: "/v1/plan_diffs", as: .viewer)
            #expect(diff.json["from"] == 1 && diff.json["to"] == 2)
            // Input and both cache prices, which follow it, in two tiers.
            #expect(diff.json["changes"]?.elements?.count == 6, "\(diff)")
            #expect(try await api.call("GET", "/v1/plans/pay-as-you-go").json["versions"]?.elements?.count == 1)
        }
    }
}
