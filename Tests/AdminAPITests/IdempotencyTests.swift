import Accounts
import Identity
import Postgres
import Storage
import Synchronization
import TestSupport
import Testing

@testable import AdminAPI

@Suite(.database, .timeLimit(.minutes(10)))
struct IdempotencyTests {
    private static let key = ["idempotency-key": "order-1"]

    @Test func `a repeated call changes nothing and gets the first answer`() async throws {
        try await RunningAPI.run { api in
            let first = try await api.call("POST", "/v1/accounts", ["name": "A"], headers: Self.key)
            let second = try await api.call("POST", "/v1/accounts", ["name": "A"], headers: Self.key)
            #expect(first.status == 201 && second.status == 201 && first.text == second.text)
            #expect(first.headers["idempotent-replayed"] == nil && second.headers["idempotent-replayed"] == "true")
            #expect(try await api.call("GET", "/v1/accounts").data.count == 1)
        }
    }

    @Test func `the same key for another call is refused, and is another caller's own`() async throws {
        try await RunningAPI.run { api in
            _ = try await api.call("POST", "/v1/accounts", ["name": "A"], headers: Self.key)
            let body = try await api.call("POST", "/v1/accounts", ["name": "B"], headers: Self.key)
            #expect(body.status == 422 && body["code"] == "idempotency_key_reused")
            let path = try await api.call("POST", "/v1/tenants", ["name": "A"], headers: Self.key)
            #expect(path.status == 422)
            let other = try await api.send(PlanFixture.text(), to: "/v1/plan_lints", as: .viewer)
            #expect(other.status == 200)
        }
    }

    @Test func `a secret is left out of a replay`() async throws {
        try await RunningAPI.run { api in
            let body: JSONValue = ["name": "ops", "role": "viewer"]
            let first = try await api.call("POST", "/v1/admin_keys", body, headers: Self.key)
            let second = try await api.call("POST", "/v1/admin_keys", body, headers: Self.key)
            #expect(first["secret"]?.hasPrefix("tga_") == true)
            #expect(second.status == 201 && second["id"] == first["id"] && second.json["secret"] == .null)
            #expect(second.headers["idempotent-replayed"] == "true")
        }
    }

    @Test func `what was refused is not kept and may be tried again`() async throws {
        try await RunningAPI.run { api in
            let body: JSONValue = ["name": "T", "account": .string(StrangeID.account)]
            #expect(try await api.call("POST", "/v1/tenants", body, headers: Self.key).status == 404)
            let right = try await api.call("POST", "/v1/tenants", ["name": "T"], headers: Self.key)
            #expect(right.status == 201, "\(right)")
            let long = ["idempotency-key": String(repeating: "k", count: 256)]
            #expect(
                try await api.call("POST", "/v1/tenants", ["name": "T"], headers: long).wrong == ["Idempotency-Key"])
        }
    }

    @Test func `calls with one key at the same time do the work once`() async throws {
        try await RunningAPI.run { api in
            let answers = try await withThrowingTaskGroup(of: JSONAnswer.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try await api.call("POST", "/v1/accounts", ["name": "A"], headers: Self.key)
                    }
                }
                return try await group.reduce(into: [JSONAnswer]()) { $0.append($1) }
            }
            let (done, refused) = (answers.filter { $0.status == 201 }, answers.filter { $0.status != 201 })
            #expect(!done.isEmpty && Set(done.map(\.text)).count == 1, "\(answers)")
            #expect(done.count { $0.headers["idempotent-replayed"] == nil } == 1)
            #expect(refused.allSatisfy { $0.status == 409 && $0["code"] == "idempotency_key_in_use" }, "\(refused)")
            #expect(try await api.call("GET", "/v1/accounts").data.count == 1)
        }
    }

    @Test func `a job under way is not started twice`() async throws {
        try await RunningAPI.run { api in
            let account = try await MonthFixture.store(in: api.database).account.id
            let body: JSONValue = ["period": "2026-08"]
            // The run waits for whoever has the account.
            let gate = try await LockGate(
                TestDatabase.required.pool,
                "UPDATE accounts SET name = name WHERE account_id = '\(account.uuid.hexadecimal)'")
            let running = Task {
                try await api.call("POST", "/v1/invoice_runs", body, as: .billing, headers: Self.key)
            }
            try await gate.waitsFor(1)
            let meanwhile = try await api.call("POST", "/v1/invoice_runs", body, as: .billing, headers: Self.key)
            #expect(meanwhile.status == 409 && meanwhile["code"] == "idempotency_key_in_use", "\(meanwhile)")
            try await gate.open()
            let first = try await running.value
            #expect(first.status == 200 && first.data.first?["outcome"] == "finalized", "\(first)")
            let again = try await api.call("POST", "/v1/invoice_runs", body, as: .billing, headers: Self.key)
            #expect(again.text == first.text && again.headers["idempotent-replayed"] == "true")
            #expect(try await api.call("GET", "/v1/invoices").data.count == 1)
        }
    }

    @Test func `a job that was refused gives its key free`() async throws {
        try await RunningAPI.run { api in
            let path = "/v1/invoices/\(try await MonthFixture.store(in: api.database).draft())"
            let refused = try await api.call("POST", path + "/pay", headers: Self.key)
            #expect(refused.status == 409 && refused["code"] == "conflict", "\(refused)")
            _ = try await api.call("POST", path + "/finalize")
            let paid = try await api.call("POST", path + "/pay", headers: Self.key)
            #expect(paid.status == 200 && paid["state"] == "paid", "\(paid)")
        }
    }
}
