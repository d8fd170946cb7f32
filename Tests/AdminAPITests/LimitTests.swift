import Accounts
import TestSupport
import Testing

@testable import AdminAPI

@Suite(.database, .timeLimit(.minutes(10)))
struct LimitTests {
    @Test func `a limit is made, changed, listed and deleted`() async throws {
        try await RunningAPI.run { api in
            let tenant = try #require(try await api.call("POST", "/v1/tenants", ["name": "Research"])["id"])
            let input: JSONValue = ["scope": .string(tenant), "kind": "requests_per_minute", "value": 600]
            let made = try await api.call("POST", "/v1/limits", input)
            #expect(made.status == 201, "\(made)")
            let id = try #require(made["id"])
            #expect(id.hasPrefix("lim_") && made["scope"] == tenant && made["mode"] == "enforced")
            #expect(made.json["value"] == 600 && made.json["model"] == .null)
            #expect(try await api.call("POST", "/v1/limits", input).status == 409)
            let changed = try await api.call("PATCH", "/v1/limits/\(id)", ["value": 60, "mode": "shadow"])
            #expect(changed.json["value"] == 60 && changed["mode"] == "shadow")
            #expect(try await api.call("GET", "/v1/limits/\(id)", as: .viewer).json == changed.json)
            #expect(try await api.call("GET", "/v1/limits?scope=\(tenant)", as: .viewer).data == [changed.json])
            #expect(try await api.call("POST", "/v1/limits", input).status == 201)
            let deleted = try await api.call("POST", "/v1/limits/\(id)/delete")
            #expect(deleted.status == 200 && deleted.json == changed.json)
            #expect(try await api.call("GET", "/v1/limits/\(id)").status == 404)
        }
    }

    @Test func `what a limit cannot be is said in words`() async throws {
        try await RunningAPI.run { api in
            let wrong: JSONValue = ["scope": "someone", "kind": "requests_per_year", "value": -1]
            let refused = try await api.call("POST", "/v1/limits", wrong)
            #expect(refused.status == 400 && Set(refused.wrong) == ["kind", "value"], "\(refused)")
            let scope: JSONValue = ["scope": "someone", "kind": "concurrent_requests", "value": 1]
            #expect(try await api.call("POST", "/v1/limits", scope).wrong == ["scope"])
            let unknown: JSONValue = [
                "scope": "ten_00000000000000000000000000000001", "kind": "concurrent_requests", "value": 1,
            ]
            #expect(try await api.call("POST", "/v1/limits", unknown).status == 404)
            #expect(try await api.call("POST", "/v1/limits", unknown, as: .viewer).status == 403)
            let tenant = try #require(try await api.call("POST", "/v1/tenants", ["name": "Research"])["id"])
            let model: JSONValue = [
                "scope": .string(tenant), "kind": "tokens_per_minute", "value": 1, "model": "no-such-model",
            ]
            let refusal = try await api.call("POST", "/v1/limits", model)
            #expect(refusal.status == 400 && refusal.wrong == ["model"], "\(refusal)")
        }
    }
}
