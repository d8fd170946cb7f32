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

@Suite(.database, .timeLimit(.minutes(2))) struct SuspenseOrderTests {
    @Test(arguments: ["rate", "waive"])
    func `many records are resolved by one call, in the name of its key`(word: String) async throws {
        try await RunningAPI.run { api in
            var report = SuspenseReport()
            report.resolved = 3
            report.amounts = [.usd: Money(picounits: 1_500_000_000_000, currency: .usd)]
            report.unpriced = ["no price for input_tokens": 2]
            api.jobs.calls.withLock { [report] in $0.suspenseReport = report }
            let body: JSONValue = [
                "resolution": "sold since May", "reason": "no_price", "model": "sim-new", "price_key": "sim",
                "account": .string("\(StrangeID.account)"), "from": "2026-09-01T00:00:00Z",
                "to": "2026-10-01T00:00:00Z", "attempts": [.string("\(StrangeID.attempt)")], "dry_run": true,
            ]
            let answer = try await api.call("POST", "/v1/suspense/\(word)", body, as: .billing)
            #expect(answer.status == 200, "\(answer)")
            #expect(answer.json["resolved"]?.number == 3 && answer.json["dry_run"] == true)
            #expect(answer["billed", "USD"] == "1.50")
            #expect(answer.json["unpriced"]?["no price for input_tokens"]?.number == 2)
            let order = try #require(api.jobs.calls.withLock { $0.suspense.first })
            #expect(order.outcome == (word == "rate" ? .rated : .waived) && order.isDryRun)
            #expect(
                order.filter.model == "sim-new" && order.filter.priceKey == "sim" && order.filter.reason == "no_price")
            #expect(order.filter.attempts?.count == 1 && "\(order.filter.account, default: "")" == StrangeID.account)
            #expect(order.filter.from == Timestamp("2026-09-01T00:00:00Z"))
            let actor = try #require(api.jobs.calls.withLock { $0.actor })
            #expect(order.reason == "sold since May" && "\(actor.principal)".hasPrefix("admin key adk_"))
            #expect(try await api.call("POST", "/v1/suspense/\(word)", body, as: .viewer).status == 403)
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
            let all: JSONValue = ["resolution": "x", "all": true]
            let answer = try await api.call("POST", path, all)
            #expect(answer.status == 200)
            #expect(api.jobs.calls.withLock { $0.suspense.map(\.filter.isEverything) } == [true])
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
            let first = try await api.send("serve: sim-small", to: "/v1/catalogue", method: "PUT")
            #expect(first.json["warnings"]?.elements?.count == 1, "\(first)")
            _ = try await UsageFixture.store(in: api.database)
            let second = try await api.send("serve: sim-small", to: "/v1/catalogue", method: "PUT")
            #expect(second.json["warnings"]?.elements?.isEmpty == true, "\(second)")
            let third = try await api.send("serve: dream", to: "/v1/catalogue", method: "PUT")
            #expect(third.json["warnings"]?.elements?.first?.text?.contains("model dream is sold by no plan") == true)
        }
    }
}
