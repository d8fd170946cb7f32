import Accounts
import Billing
import Identity
import Storage
import Synchronization
import TestSupport
import Testing

@testable import AdminAPI

@Suite(.database, .timeLimit(.minutes(10)))
struct AuditTests {
    @Test func `every call that changes something is in the trail, with who, from where and why`() async throws {
        try await RunningAPI.run { api in
            let account = try await api.call("POST", "/v1/accounts", ["name": "Example"])
            let id = try #require(account["id"])
            let changed = try await api.call(
                "PATCH", "/v1/accounts/\(id)", ["name": "Other"], headers: ["audit-reason": "they asked for it"])
            #expect(changed.status == 200)
            let trail = try await api.call("GET", "/v1/audit?chain=\(id)")
            #expect(trail.data.map { $0["action"]?.text } == ["account.created", "account.updated"])
            let entry = try #require(trail.data.last)
            let actor = try #require(entry["actor"])
            #expect(actor["kind"]?.text == "admin_key")
            #expect(actor["id"]?.text == api.keys[.admin].map { "\($0.id)" })
            #expect(actor["name"]?.text == "the admin")
            #expect(actor["from"]?.text == "127.0.0.1")
            #expect(entry["reason"]?.text == "they asked for it")
            #expect(entry["before"]?["name"]?.text == "Example")
            #expect(entry["after"]?["name"]?.text == "Other")
            #expect(entry["previous_sha256"]?.text == trail.data.first?["sha256"]?.text)
            #expect(entry["number"]?.number == 2)
        }
    }

    @Test func `a repeated call leaves one entry, a refused one none`() async throws {
        try await RunningAPI.run { api in
            let account = try await api.call("POST", "/v1/accounts", ["name": "Example"])
            let id = try #require(account["id"])
            for _ in 0..<3 {
                let answer = try await api.call(
                    "POST", "/v1/tenants", ["name": "T", "account": .string(id)],
                    headers: ["idempotency-key": "one"])
                #expect(answer.status == 201)
            }
            let refused = try await api.call("PATCH", "/v1/accounts/\(id)", ["name": "Mine"], as: .billing)
            #expect(refused.status == 403)
            let nameless = try await api.call("POST", "/v1/tenants", ["name": " ", "account": .string(id)])
            #expect(nameless.status == 400)
            let trail = try await api.call("GET", "/v1/audit?chain=\(id)")
            #expect(trail.data.map { $0["action"]?.text } == ["account.created", "tenant.created", "project.created"])
        }
    }

    @Test func `pages, filters and roles`() async throws {
        try await RunningAPI.run { api in
            for number in 0..<3 {
                _ = try await api.call("POST", "/v1/accounts", ["name": "account \(number)"])
                _ = try await api.call("PUT", "/v1/seller", ["name": "Provider \(number)"])
            }
            let first = try await api.call("GET", "/v1/audit?chain=seller&limit=2")
            #expect(first.data.map { $0["number"]?.number } == [1, 2])
            let next = try #require(first["next"])
            let second = try await api.call("GET", "/v1/audit?chain=seller&limit=2&after=\(next)")
            #expect(second.data.map { $0["number"]?.number } == [3])
            #expect(second.json["has_more"] == .boolean(false))
            #expect(try await api.call("GET", "/v1/audit?action=account.created").data.count == 3)
            #expect(try await api.call("GET", "/v1/audit").data.count == 6)
            #expect(try await api.call("GET", "/v1/audit?chain=nobody").wrong == ["chain"])
            #expect(try await api.call("GET", "/v1/audit?action=account.eaten").wrong == ["action"])
            for role in [AdminRole.viewer, .billing] {
                #expect(try await api.call("GET", "/v1/audit", as: role).status == 403)
            }
        }
    }

    @Test func `a reason has a limit`() async throws {
        try await RunningAPI.run { api in
            let long = String(repeating: "x", count: 1001)
            let answer = try await api.call(
                "POST", "/v1/accounts", ["name": "Example"], headers: ["audit-reason": long])
            #expect(answer.status == 400)
            #expect(answer.wrong == ["reason"])
        }
    }

    @Test(arguments: ["void", "pay", "finalize"])
    func `the reason for what is done to an invoice stays on record`(action: String) async throws {
        try await RunningAPI.run { api in
            let fixture = try await MonthFixture.store(in: api.database)
            let path = "/v1/invoices/\(try await fixture.draft())"
            if action != "finalize" { _ = try await api.call("POST", path + "/finalize") }
            let done = try await api.call(
                "POST", "\(path)/\(action)", headers: ["audit-reason": "sent to the wrong address"])
            #expect(done.status == 200, "\(done)")
            let entries = try await api.call("GET", "/v1/audit?chain=\(fixture.account.id)")
            #expect(entries.data.last?["reason"] == "sent to the wrong address", "\(entries)")
        }
    }
}
