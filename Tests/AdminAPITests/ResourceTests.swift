import Accounts
import Billing
import Identity
import Storage
import TestSupport
import Testing

@testable import AdminAPI

@Suite(.database, .timeLimit(.minutes(10)))
struct ResourceTests {
    @Test func `an account is opened, shown, changed and listed`() async throws {
        try await RunningAPI.run { api in
            let made = try await api.call(
                "POST", "/v1/accounts",
                [
                    "name": "Example", "currency": "EUR", "time_zone": "Europe/Berlin",
                    "billing": ["legal_name": "Example GmbH", "address": ["Street 1", "Town"]],
                ])
            #expect(made.status == 201, "\(made)")
            let id = try #require(made["id"])
            #expect(id.hasPrefix("acc_") && made["currency"] == "EUR" && made["billing", "email"] == "")
            let changed = try await api.call(
                "PATCH", "/v1/accounts/\(id)", ["billing": ["email": "bills@example.com"]])
            #expect(changed["billing", "email"] == "bills@example.com")
            #expect(changed["billing", "legal_name"] == "Example GmbH" && changed["name"] == "Example")
            let shown = try await api.call("GET", "/v1/accounts/\(id)", as: .viewer)
            #expect(shown.json == changed.json)
            let listed = try await api.call("GET", "/v1/accounts", as: .viewer)
            #expect(listed.data == [shown.json] && listed.json["has_more"] == false && listed.json["next"] == .null)
        }
    }

    @Test func `the seller is nobody until someone says who it is`() async throws {
        try await RunningAPI.run { api in
            #expect(try await api.call("GET", "/v1/seller", as: .viewer).status == 404)
            let set = try await api.call("PUT", "/v1/seller", ["name": "Tokens Ltd", "address": ["1 Quay"]])
            #expect(set.status == 200 && set.json["payment_terms_days"] == 14, "\(set)")
            #expect(try await api.call("GET", "/v1/seller", as: .viewer).json == set.json)
            let wrong: JSONValue = ["name": "", "payment_terms_days": 400]
            #expect(Set(try await api.call("PUT", "/v1/seller", wrong).wrong) == ["name", "payment_terms_days"])
        }
    }

    @Test func `a test clock moves forward, and never back`() async throws {
        try await RunningAPI.run { api in
            let made = try await api.call("POST", "/v1/accounts", ["name": "A", "mode": "test"])
            let (id, sandbox) = (try #require(made["id"]), try #require(made["sandbox"]))
            #expect(made["mode"] == "test")
            let moved = try await api.call("POST", "/v1/accounts/\(id)/clock", ["to": "2026-11-01T00:00:00Z"])
            #expect(moved["billing_time"] == "2026-11-01T00:00:00.000Z", "\(moved)")
            let back = try await api.call("POST", "/v1/accounts/\(id)/clock", ["to": "2026-10-01T00:00:00Z"])
            #expect(back.status == 409 && back["code"] == "conflict")
            let unparked = try await api.call("POST", "/v1/accounts/\(id)/unpark", as: .billing)
            #expect(unparked.status == 200 && unparked.json["hold_reason"] == .null)
            let moves = try await api.call("GET", "/v1/sandboxes/\(sandbox)/moves", as: .viewer)
            #expect(moves.json["data"]?.elements?.first?["to"] == "2026-11-01T00:00:00.000Z", "\(moves)")
        }
    }

    @Test func `accounts of a sandbox share its clock, and a live account has none`() async throws {
        try await RunningAPI.run { api in
            let sandbox = try #require(try await api.call("POST", "/v1/sandboxes", ["name": "Trial"])["id"])
            let input: JSONValue = ["name": "A", "mode": "test", "sandbox": .string(sandbox)]
            let accounts = [
                try #require(try await api.call("POST", "/v1/accounts", input)["id"]),
                try #require(try await api.call("POST", "/v1/accounts", input)["id"]),
            ]
            let live = try #require(try await api.call("POST", "/v1/accounts", ["name": "L"])["id"])
            let to: JSONValue = ["to": "2027-09-21T00:00:00Z"]
            for id in accounts + [live] {
                let refused = try await api.call("POST", "/v1/accounts/\(id)/clock", to)
                #expect(refused.status == 409 && refused["code"] == "conflict", "\(refused)")
            }
            let moved = try await api.call("POST", "/v1/sandboxes/\(sandbox)/clock", to)
            #expect(moved["billing_time"] == "2027-09-21T00:00:00.000Z", "\(moved)")
            for id in accounts {
                let account = try await api.call("GET", "/v1/accounts/\(id)", as: .viewer)
                #expect(account["billing_time"] == "2027-09-21T00:00:00.000Z" && account["sandbox"] == sandbox)
            }
            for (mode, count) in [("live", 1), ("test", 2)] {
                let listed = try await api.call("GET", "/v1/accounts?mode=\(mode)", as: .viewer)
                #expect(listed.json["data"]?.elements?.count == count, "\(listed)")
            }
            let wrong: [JSONValue] = [
                ["name": "A", "mode": "live", "sandbox": .string(sandbox)], ["name": "A", "mode": "trial"],
                ["name": "A", "sandbox": .string(sandbox)],
            ]
            for input in wrong { #expect(try await api.call("POST", "/v1/accounts", input).status == 400) }
            #expect(try await api.call("GET", "/v1/sandboxes/\(sandbox)", as: .viewer).status == 200)
            #expect(try await api.call("GET", "/v1/sandboxes", as: .viewer).json["data"]?.elements?.count == 1)
        }
    }

    @Test func `a sandbox is deleted by admins alone, once`() async throws {
        try await RunningAPI.run { api in
            let made = try await api.call("POST", "/v1/accounts", ["name": "A", "mode": "test"])
            let (id, sandbox) = (try #require(made["id"]), try #require(made["sandbox"]))
            let path = "/v1/sandboxes/\(sandbox)/delete"
            for role in [AdminRole.viewer, .billing] {
                #expect(try await api.call("POST", path, as: role).status == 403)
            }
            let deleted = try await api.call("POST", path)
            #expect(deleted.status == 200 && deleted["deleted_at"] != nil, "\(deleted)")
            let again = try await api.call("POST", path)
            #expect(again.status == 200 && again["deleted_at"] == deleted["deleted_at"], "\(again)")
            let joining: JSONValue = ["name": "B", "mode": "test", "sandbox": .string(sandbox)]
            #expect(try await api.call("POST", "/v1/accounts", joining).status == 409)
            let service = BillingService(api.database, now: { RunningAPI.now })
            #expect(try await service.removeDeletedAccounts().count == 1)
            #expect(try await api.call("GET", "/v1/accounts/\(id)", as: .viewer).status == 404)
            #expect(try await api.call("GET", "/v1/sandboxes/\(sandbox)", as: .viewer)["deleted_at"] != nil)
            let none = try await api.call("POST", "/v1/sandboxes/sbx_00000000000000000000000000000001/delete")
            #expect(none.status == 404)
        }
    }

    @Test func `a sandbox with a document of the legal series is not deleted`() async throws {
        try await RunningAPI.run { api in
            let made = try await api.call("POST", "/v1/accounts", ["name": "A", "mode": "test"])
            let (id, sandbox) = (try #require(made["id"]), try #require(made["sandbox"]))
            let account = try #require(AccountID(id)).uuid.hexadecimal
            try await TestDatabase.required.pool.executePastTriggers(
                script: """
                    INSERT INTO invoices (
                        account_id, invoice_id, period_start, period_end, state, number, currency, total, exact_total,
                        journal_positions, document, created_at, issued_at, issued_on, due_on
                    ) VALUES (
                        '\(account)', gen_random_uuid(), '2026-09-01', '2026-10-01', 'finalized', 'INV-2026-000007',
                        'EUR', 1, 1, '{}', '{}', now(), now(), '2026-10-01', '2026-10-15'
                    )
                    """)
            let refused = try await api.call("POST", "/v1/sandboxes/\(sandbox)/delete")
            #expect(refused.status == 409 && refused["code"] == "conflict", "\(refused)")
            #expect(refused["detail"]?.contains("INV-2026-000007, a number of the legal series") == true, "\(refused)")
            #expect(try await api.call("GET", "/v1/sandboxes/\(sandbox)", as: .viewer)["deleted_at"] == nil)
            #expect(try await api.call("GET", "/v1/accounts/\(id)", as: .viewer).status == 200)
        }
    }

    @Test func `a tenant comes with an account and a project`() async throws {
        try await RunningAPI.run { api in
            let tenant = try await api.call("POST", "/v1/tenants", ["name": "Research"])
            #expect(tenant.status == 201 && tenant["project"]?.hasPrefix("prj_") == true, "\(tenant)")
            let id = try #require(tenant["id"])
            let renamed = try await api.call("PATCH", "/v1/tenants/\(id)", ["name": "Science"])
            #expect(renamed["name"] == "Science")
            #expect(try await api.call("GET", "/v1/tenants/\(id)").json == renamed.json)
            #expect(try await api.call("GET", "/v1/tenants?account=\(tenant["account"] ?? "")").data == [renamed.json])
            let second = try await api.call("POST", "/v1/projects", ["tenant": .string(id), "name": "Chat"])
            #expect(second.status == 201)
            let project = try await api.call("GET", "/v1/projects/\(second["id"] ?? "")")
            #expect(project.json == second.json)
            #expect(try await api.call("GET", "/v1/projects?tenant=\(id)").data.count == 2)
        }
    }

    @Test func `the secret of a key is shown once, and rotating gives another`() async throws {
        try await RunningAPI.run { api in
            let project = try #require(try await api.call("POST", "/v1/tenants", ["name": "T"])["project"])
            let made = try await api.call("POST", "/v1/api_keys", ["project": .string(project), "name": "first"])
            let (id, secret) = (try #require(made["id"]), try #require(made["secret"]))
            #expect(made.status == 201 && secret.hasPrefix("tg_") && made["state"] == "active")
            let shown = try await api.call("GET", "/v1/api_keys/\(id)")
            #expect(shown.json["secret"] == nil && !shown.text.contains(secret))
            let stored = try await api.database.read { try APIKeyStorage.require(try #require(KeyID(id)), in: $0) }
            #expect(stored.secretDigest == Secret(text: secret).digest)
            let rotated = try await api.call("POST", "/v1/api_keys/\(id)/rotate", ["overlap_hours": 1])
            #expect(rotated.status == 201 && rotated["secret"] != secret, "\(rotated)")
            let old = try await api.call("GET", "/v1/api_keys/\(id)")
            #expect(old["state"] == "expiring" && old["replaced_by"] == rotated["id"])
            #expect(try await api.call("POST", "/v1/api_keys/\(id)/rotate").status == 409)
            let revoked = try await api.call("POST", "/v1/api_keys/\(id)/revoke")
            #expect(revoked.status == 200 && revoked["state"] == "revoked")
            #expect(try await api.call("GET", "/v1/api_keys?project=\(project)").data.count == 2)
        }
    }

    @Test func `an admin key works until it is revoked, and the last admin stays`() async throws {
        try await RunningAPI.run { api in
            let made = try await api.call("POST", "/v1/admin_keys", ["name": "ops", "role": "billing"])
            let (id, secret) = (try #require(made["id"]), try #require(made["secret"]))
            let bearer = ["authorization": "Bearer \(secret)"]
            #expect(try await api.call("GET", "/v1/plans", as: nil, headers: bearer).status == 200)
            let revoked = try await api.call("POST", "/v1/admin_keys/\(id)/revoke")
            #expect(revoked.status == 200 && revoked["revoked_at"] != nil)
            #expect(try await api.call("GET", "/v1/plans", as: nil, headers: bearer).status == 401)
            let own = try #require(api.keys[.admin]?.id)
            #expect(try await api.call("POST", "/v1/admin_keys/\(own)/revoke").status == 409)
            #expect(try await api.call("GET", "/v1/admin_keys").data.count == 4)
        }
    }

    @Test func `a subscription begins and ends`() async throws {
        try await RunningAPI.run { api in
            _ = try await api.send(PlanFixture.text(), to: "/v1/plans", as: .billing)
            let tenant = try #require(try await api.call("POST", "/v1/tenants", ["name": "T"])["id"])
            let body: JSONValue = ["tenant": .string(tenant), "plan": "pay-as-you-go"]
            let made = try await api.call("POST", "/v1/subscriptions", body, as: .billing)
            #expect(made.status == 201 && made["starts_at"] == "\(RunningAPI.now)", "\(made)")
            #expect(try await api.call("POST", "/v1/subscriptions", body).status == 409)
            let id = try #require(made["id"])
            #expect(try await api.call("GET", "/v1/subscriptions/\(id)", as: .viewer).json == made.json)
            #expect(try await api.call("GET", "/v1/subscriptions?tenant=\(tenant)").data == [made.json])
            let early = try await api.call(
                "POST", "/v1/subscriptions/\(id)/end", ["ends_at": "2026-01-01T00:00:00Z"], as: .billing)
            #expect(early.status == 400 && early.wrong == ["ends_at"])
            let ended = try await api.call(
                "POST", "/v1/subscriptions/\(id)/end", ["ends_at": "2026-12-01T00:00:00Z"], as: .billing)
            #expect(ended["ends_at"] == "2026-12-01T00:00:00.000Z")
            let unknown: JSONValue = ["tenant": .string(tenant), "plan": "no-such-plan"]
            #expect(try await api.call("POST", "/v1/subscriptions", unknown).status == 404)
        }
    }

    @Test func `the catalogue becomes what the document says, and shows no engine's key`() async throws {
        try await RunningAPI.run { api in
            let first = try await api.send(CatalogueFixture.serving("sim-small"), to: "/v1/catalogue", method: "PUT")
            #expect(first.json["added"]?.elements?.count == 2, "\(first)")
            let again = try await api.call(
                "PUT", "/v1/catalogue", ["document": .string(CatalogueFixture.serving("sim-small"))])
            #expect(again.status == 200 && again.json["added"] == [])
            let backends = try await api.call("GET", "/v1/backends", as: .viewer)
            #expect(backends.data.first?["has_api_key"] == true && !backends.text.contains("secret-of-the-engine"))
            let models = try await api.call("GET", "/v1/models", as: .viewer)
            #expect(models.data.first?["name"] == "sim-small" && models.data.first?["tenants_allowed"] == .null)
            let wrong = try await api.send("nonsense", to: "/v1/catalogue", method: "PUT")
            #expect(wrong.status == 422 && wrong["code"] == "rejected_document")
        }
    }
}
