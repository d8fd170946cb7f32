import Accounts
import Billing
import Identity
import Invoicing
import Monetary
import Storage
import Synchronization
import TestSupport
import Testing

@testable import AdminAPI

@Suite(.database, .timeLimit(.minutes(10))) struct SuspenseOrderTests {
    /// The record of `UsageFixture` that waits.
    private static func order(_ made: UsageFixture, _ changes: [String: JSONValue] = [:]) -> JSONValue {
        var members: [String: JSONValue] = [
            "resolution": "sold since May", "reason": "no_price", "model": "sim-small", "price_key": "sim-small",
            "account": .string("\(made.account.id)"), "from": "2026-09-01T00:00:00Z", "to": "2026-10-01T00:00:00Z",
            "attempts": [.string("\(made.attempts[2])")],
        ]
        members.merge(changes) { $1 }
        return .object(members.map { .init(name: $0.key, value: $0.value) })
    }

    @Test(arguments: ["rate", "waive"])
    func `many records are resolved by one call, in the name of its key`(word: String) async throws {
        try await RunningAPI.run { api in
            let made = try await UsageFixture.store(in: api.database)
            let path = "/v1/suspense/\(word)"
            #expect(try await api.call("POST", path, Self.order(made), as: .viewer).status == 403)
            for wrong: [String: JSONValue] in [
                ["model": "sim"], ["price_key": "x"], ["reason": "other"], ["from": "2026-09-30T00:00:00Z"],
                ["to": "2026-09-02T00:00:00Z"], ["attempts": [.string(StrangeID.attempt)]],
                ["account": .string(StrangeID.account)],
            ] {
                let answer = try await api.call("POST", path, Self.order(made, wrong), as: .billing)
                #expect(answer.status == 200 && answer.json["resolved"] == 0, "\(wrong): \(answer)")
            }
            let dry = try await api.call("POST", path, Self.order(made, ["dry_run": true]), as: .billing)
            #expect(dry.status == 200 && dry.json["resolved"] == 1 && dry.json["dry_run"] == true, "\(dry)")
            let done = try await api.call("POST", path, Self.order(made), as: .billing)
            #expect(done.json["resolved"] == 1 && done.json["accounts"] == 1, "\(done)")
            #expect(done["billed", "USD"] == (word == "rate" ? "0.00027" : nil), "\(done)")
            let resolved = try await api.call("GET", "/v1/suspense?resolved=true")
            #expect(resolved.data.first?["outcome"]?.text == (word == "rate" ? "rated" : "waived"), "\(resolved)")
            #expect(resolved.data.first?["resolved_by"]?.text?.contains("the billing") == true)
            #expect(resolved.data.first?["resolution"] == "sold since May")
        }
    }

    @Test(arguments: ["rate", "waive"])
    func `everything at once has to be meant`(word: String) async throws {
        try await RunningAPI.run { api in
            let path = "/v1/suspense/\(word)"
            let wrong: [(body: JSONValue, parameter: String)] = [
                (["resolution": "x"], "all"), (["resolution": "x", "all": false], "all"), (["all": true], "resolution"),
            ]
            for (body, parameter) in wrong {
                let answer = try await api.call("POST", path, body)
                #expect(answer.wrong == [parameter], "\(answer)")
            }
            _ = try await UsageFixture.store(in: api.database)
            let all: JSONValue = ["resolution": "x", "all": true]
            let answer = try await api.call("POST", path, all)
            #expect(answer.status == 200 && answer.json["resolved"] == 1, "\(answer)")
        }
    }

    @Test func `the list is filtered by code, model, price key and time`() async throws {
        try await RunningAPI.run { api in
            let made = try await UsageFixture.store(in: api.database)
            let one = try await api.call("GET", "/v1/suspense", as: .viewer)
            #expect(one.data.first?["model"] == "sim-small" && one.data.first?["price_key"] == "sim-small")
            for (query, count) in [
                ("reason=no_price", 1), ("reason=other", 0), ("model=sim-small", 1), ("model=sim", 0),
                ("price_key=sim-small", 1), ("price_key=x", 0), ("from=\(UsageFixture.acceptedAt)", 1),
                ("to=\(UsageFixture.acceptedAt)", 0), ("account=\(made.account.id)&reason=no_price", 1),
            ] {
                #expect(try await api.call("GET", "/v1/suspense?\(query)").data.count == count, "\(query)")
            }
        }
    }

    @Test func `a catalogue is warned of models that no plan in force sells`() async throws {
        try await RunningAPI.run { api in
            let first = try await api.send(CatalogueFixture.serving("sim-small"), to: "/v1/catalogue", method: "PUT")
            #expect(first.json["warnings"]?.elements?.count == 1, "\(first)")
            _ = try await UsageFixture.store(in: api.database)
            let second = try await api.send(CatalogueFixture.serving("sim-small"), to: "/v1/catalogue", method: "PUT")
            #expect(second.json["warnings"]?.elements?.isEmpty == true, "\(second)")
            let third = try await api.send(CatalogueFixture.serving("dream"), to: "/v1/catalogue", method: "PUT")
            #expect(third.json["warnings"]?.elements?.first?.text?.contains("model dream is sold by no plan") == true)
        }
    }
}
