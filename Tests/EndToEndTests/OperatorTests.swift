import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    @Suite struct OperatorTests {
        @Test func `an operator does a customer's month through the admin API alone`() async throws {
            let installation = try await Installation.make()
            let admin = try await AdminClient.start(installation, role: "admin")
            let month = MainJob.Month.present.next

            let tenant = try admin.post("/v1/tenants", #"{"name": "Research", "mode": "test"}"#)
            let (tenantID, account) = (try tenant.text("id"), try tenant.text("account"))
            _ = try admin.post(
                "/v1/subscriptions",
                #"{"tenant": "\#(tenantID)", "plan": "pay-as-you-go", "starts_at": "\#(month.day(1))"}"#)
            _ = try admin.post("/v1/accounts/\(account)/clock", #"{"to": "\#(month.day(10))"}"#, status: 200)
            let keyInput = #"{"project": "\#(try tenant.text("project"))", "name": "chat"}"#
            let key = try admin.post("/v1/api_keys", keyInput, idempotencyKey: "first")
            let again = try admin.post("/v1/api_keys", keyInput, idempotencyKey: "first")
            #expect(again.id == key.id && again.secret.isNull, "a repeated call makes no second key")

            let requestID = try await chat(installation, secret: try key.text("secret"))
            let record = try await admin.record(requestID)
            let line = try #require(try await installation.engine.book().first { $0.requestID == requestID })
            let usage = record.attempts.array.first?.usage ?? .null
            #expect(usage.input_uncached.integer == line.promptTokens)
            #expect(usage.output_visible.integer == line.tokensProduced)
            #expect(record.attempts.array.first?.termination.string == "complete")
            #expect(record.tags.team.string == "search")

            _ = try admin.post("/v1/accounts/\(account)/clock", #"{"to": "\#(month.next.day(2))"}"#, status: 200)
            let invoice = try await admin.invoice(account, month)
            let document = try admin.get("/v1/invoices/\(invoice)/document").json()
            let quantities = document.lines.array.map { "\($0.meter.string ?? "") \($0.quantity.string ?? "")" }
            #expect(
                Set(quantities) == ["input_tokens \(line.promptTokens)", "output_tokens \(line.tokensProduced)"])
            #expect(try admin.get("/v1/invoices/\(invoice).html").body.contains("Research"))
            #expect(try admin.get("/v1/invoices/\(invoice).pdf").body.hasPrefix("%PDF-"))
            #expect(try admin.get("/openapi.json").json().openapi.string?.hasPrefix("3.1") == true)

            try await installation.stop(admin.program)
            try await installation.remove()
        }

        @Test func `a viewer reads and changes nothing`() async throws {
            let installation = try await Installation.make()
            let viewer = try await AdminClient.start(installation, role: "viewer")
            #expect(try viewer.get("/v1/plans").json().data.array.count == 1)
            let refused = try viewer.call(
                .post("", key: nil, json: #"{"name": "Research", "mode": "test"}"#), "/v1/tenants")
            #expect(refused.status == 403)
            #expect(try refused.json().code.string == "role_too_low")
            #expect(try viewer.get("/v1/tenants").json().data.array.isEmpty)
            try await installation.stop(viewer.program)
            try await installation.remove()
        }

        /// One chat, once the gateway knows the key; returns the request's id.
        private func chat(_ installation: Installation, secret: String) async throws -> String {
            let body = #"""
                {"model": "sim-large", "messages": [{"role": "user", "content": "How many tokens are these?"}],
                 "metadata": {"team": "search"}}
                """#
            let call = HTTPCall.post("\(installation.gatewayURL)/v1/chat/completions", key: secret, json: body)
            let deadline = ContinuousClock.now + .seconds(120)
            while true {
                let answer = try call.send()
                if answer.status == 200, let id = answer.headers["x-request-id"] { return id }
                guard answer.status == 401, ContinuousClock.now < deadline else {
                    throw ProgramFailure("\(answer.status) \(answer.body)")
                }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }
}

/// The admin API of a running program, called with a key of one role.
private struct AdminClient {
    let program: RunningProgram
    private let url: String
    private let key: String

    static func start(_ installation: Installation, role: String) async throws -> AdminClient {
        let key = try await installation.created("admin-keys", "create", "test", "--role", role).text("secret")
        let program = try installation.serve("all")
        let port = try JSONValue(parsing: try await program.firstLine()).number("admin_port")
        return AdminClient(program: program, url: "http://127.0.0.1:\(port)", key: key)
    }

    func call(_ call: HTTPCall, _ path: String) throws -> HTTPAnswer {
        var call = call
        call.url = url + path
        call.headers["authorization"] = "Bearer \(key)"
        return try call.send()
    }

    func get(_ path: String) throws -> HTTPAnswer {
        let answer = try call(.get(""), path)
        guard answer.status == 200 else { throw ProgramFailure("\(path): \(answer.status) \(answer.body)") }
        return answer
    }

    func post(_ path: String, _ json: String, idempotencyKey: String? = nil, status: Int = 201) throws -> JSONValue {
        var request = HTTPCall.post("", json: json)
        request.headers["idempotency-key"] = idempotencyKey
        let answer = try call(request, path)
        guard answer.status == status else { throw ProgramFailure("\(path): \(answer.status) \(answer.body)") }
        return try answer.json()
    }

    /// The record of a request, once it is ingested.
    func record(_ id: String) async throws -> JSONValue {
        try await eventually("a record of \(id)") {
            try get("/v1/usage/records?request_id=\(id)").json().data.array.first
        }
    }

    /// Runs the month's invoices until the account's is final; returns its id.
    func invoice(_ account: String, _ month: MainJob.Month) async throws -> String {
        try await eventually("an invoice of \(month.text)") {
            _ = try post("/v1/invoice_runs", #"{"period": "\#(month.text)", "mode": "test"}"#, status: 200)
            return try get("/v1/invoices?account=\(account)&state=finalized").json().data.array.first?.id.string
        }
    }

    private func eventually<Value>(_ what: String, _ read: () throws -> Value?) async throws -> Value {
        let deadline = ContinuousClock.now + .seconds(40)
        while true {
            if let value = try read() { return value }
            guard ContinuousClock.now < deadline else { throw ProgramFailure("there is still no \(what)") }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
