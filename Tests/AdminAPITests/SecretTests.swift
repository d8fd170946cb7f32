import Accounts
import Engines
import Identity
import Storage
import TestSupport
import Testing

@testable import AdminAPI

@Suite(.database, .timeLimit(.minutes(10)))
struct SecretTests {
    @Test func `a secret is set, shown without its value, replaced and deleted`() async throws {
        try await RunningAPI.run { api in
            let input: JSONValue = ["value": "sk-first", "hosts": ["api.openai.com", "*.openai.azure.com:443"]]
            let made = try await api.call("PUT", "/v1/secrets/openai", input)
            #expect(made.status == 200 && made["name"] == "openai" && made.json["version"] == 1, "\(made)")
            #expect(made.json["hosts"] == ["api.openai.com", "*.openai.azure.com:443"] && made.json["backends"] == [])
            let replaced = try await api.call("PUT", "/v1/secrets/openai", ["value": "sk-second"])
            #expect(replaced.json["version"] == 2 && replaced.json["hosts"] == made.json["hosts"])
            #expect(replaced["fingerprint"] != made["fingerprint"] && replaced["key_id"] == made["key_id"])
            #expect(try await api.call("GET", "/v1/secrets/openai", as: .viewer).json == replaced.json)
            #expect(try await api.call("GET", "/v1/secrets", as: .viewer).data == [replaced.json])
            let gone = try await api.call("DELETE", "/v1/secrets/openai")
            #expect(gone.status == 200 && gone.json == replaced.json)
            #expect(try await api.call("GET", "/v1/secrets/openai").status == 404)
            #expect(try await api.call("DELETE", "/v1/secrets/openai").status == 404)
            for answer in [made, replaced, gone] {
                #expect(!answer.text.contains("sk-first") && !answer.text.contains("sk-second"))
            }
        }
    }

    @Test func `who may not write secrets does not`() async throws {
        try await RunningAPI.run { api in
            for role: AdminRole? in [.viewer, .billing, nil] {
                let put = try await api.call("PUT", "/v1/secrets/a", ["value": "v", "hosts": ["h.example"]], as: role)
                #expect(put.status == (role == nil ? 401 : 403))
                #expect(try await api.call("DELETE", "/v1/secrets/a", as: role).status == (role == nil ? 401 : 403))
            }
        }
    }

    @Test func `what is no secret is refused without repeating the value`() async throws {
        try await RunningAPI.run { api in
            let wrong: [(String, JSONValue)] = [
                ("a", ["value": "two\nlines-of-it", "hosts": ["h.example"]]),
                ("a", ["value": "lines-of-it", "hosts": ["*"]]), ("a", ["value": "lines-of-it"]),
                ("a", ["value": "lines-of-it", "hosts": []]),
                ("a%20b", ["value": "lines-of-it", "hosts": ["h.example"]]),
                ("a", ["hosts": ["h.example"]]), ("a", ["value": 5, "hosts": ["h.example"]]),
            ]
            for (name, body) in wrong {
                let answer = try await api.call("PUT", "/v1/secrets/\(name)", body)
                #expect(answer.status == 400 && !answer.text.contains("lines-of-it"), "\(answer)")
            }
            #expect(try await api.call("GET", "/v1/secrets").data.isEmpty)
        }
    }

    @Test func `a catalogue may name a secret only where it may be sent, and then keeps it`() async throws {
        try await RunningAPI.run { api in
            let input: JSONValue = ["value": "sk-first", "hosts": ["engine.example"]]
            _ = try await api.call("PUT", "/v1/secrets/openai", input)
            let missing = try await api.send(
                CatalogueFixture.naming("typo", at: "engine.example"), to: "/v1/catalogue", method: "PUT")
            #expect(missing.status == 422 && missing.text.contains("typo"))
            let elsewhere = try await api.send(
                CatalogueFixture.naming("openai", at: "evil.example"), to: "/v1/catalogue", method: "PUT")
            #expect(elsewhere.status == 422 && elsewhere.text.contains("evil.example"), "\(elsewhere)")
            let applied = try await api.send(
                CatalogueFixture.naming("openai", at: "engine.example"), to: "/v1/catalogue", method: "PUT")
            #expect(applied.status == 200, "\(applied)")
            let shown = try await api.call("GET", "/v1/secrets/openai")
            #expect(shown.json["backends"] == ["engine"])
            let backends = try await api.call("GET", "/v1/backends")
            #expect(backends.data.first?["secrets"] == ["openai"] && backends.data.first?["has_api_key"] == true)
            let refused = try await api.call("DELETE", "/v1/secrets/openai")
            #expect(refused.status == 409 && refused.text.contains("engine"))
        }
    }
}
