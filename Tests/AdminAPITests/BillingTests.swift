import Accounts
import Identity
import Postgres
import Storage
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import AdminAPI

@Suite(.database, .timeLimit(.minutes(10)))
struct BillingTests {
    private static let span = "from=2026-09-01T00:00:00Z&to=2026-10-01T00:00:00Z"

    @Test func `usage is summed by what is asked for, exact and as text`() async throws {
        try await RunningAPI.run { api in
            let made = try await UsageFixture.store(in: api.database)
            let all = try await api.call("GET", "/v1/usage?\(Self.span)", as: .viewer)
            let input = try #require(all.data.first { $0["meter"] == "input_tokens" }, "\(all)")
            #expect(input["quantity"] == 1000 && input["amount"] == "0.00015" && input["currency"] == "USD")
            #expect(input["waived_quantity"] == 1000 && input["waived_amount"] == "0.00015")
            #expect(input["records"] == 1 && input["model"] == .null && all.json["has_more"] == false)
            let grouped = try await api.call(
                "GET",
                "/v1/usage?\(Self.span)&group_by=day,model,tier,key&meter=output_tokens&account=\(made.account.id)")
            let row = try #require(grouped.data.first)
            #expect(grouped.data.count == 1 && row["quantity"] == 200 && row["day"] == "2026-09-21")
            #expect(row["key"]?.text == "\(made.key.id)" && row["tier"] == "standard" && row["hour"] == .null)
            let tagged = try await api.call(
                "GET", "/v1/usage?\(Self.span)&tag.team=search+%26%20find&meter=input_tokens")
            #expect(tagged.data.first?["quantity"] == 1000 && tagged.data.first?["waived_quantity"] == 0, "\(tagged)")
            #expect(try await api.call("GET", "/v1/usage?\(Self.span)&tag.team=other").data.isEmpty)
            #expect(try await api.call("GET", "/v1/usage?\(Self.span)&group_by=day,moon").wrong == ["group_by[1]"])
            let backwards = "from=2026-10-01T00:00:00Z&to=2026-09-01T00:00:00Z"
            #expect(try await api.call("GET", "/v1/usage?\(backwards)").wrong == ["to"])
        }
    }

    @Test func `a single record shows buckets, source, termination, tiers and amount`() async throws {
        try await RunningAPI.run { api in
            let made = try await UsageFixture.store(in: api.database)
            let one = try await api.call("GET", "/v1/usage/records?request_id=\(made.requests[0])", as: .viewer)
            let record = try #require(one.data.first, "\(one)")
            #expect(record["tier_requested"] == "priority" && record["tier"] == "standard")
            #expect(record["tags"] == ["team": "search & find"] && record["marks"]?["first_token"] == 1000)
            let attempt = try #require(record["attempts"]?.elements?.first)
            #expect(attempt["usage"]?["input_uncached"] == 1000 && attempt["usage"]?["output_reasoning"] == 50)
            #expect(attempt["usage_source"] == "engine" && attempt["termination"] == "complete")
            #expect(attempt["tier_served"] == "standard" && attempt["tier_billed"] == "standard")
            #expect(attempt["rating"] == "rated" && attempt["amount"] == "0.00027" && attempt["plan_version"] == 1)
            let lost = try await api.call("GET", "/v1/usage/records?outcome=gateway_lost")
            #expect(lost.data.first?["attempts"]?.elements?.first?["rating"] == "waived")
            let page = try await api.call("GET", "/v1/usage/records?account=\(made.account.id)&limit=2")
            #expect(page.data.count == 2 && page["next"] == "\(made.requests[1])")
            let rest = try await api.call("GET", "/v1/usage/records?limit=2&after=\(page["next"] ?? "")")
            #expect(rest.data.first?["id"]?.text == "\(made.requests[2])" && rest.json["has_more"] == false)
            #expect(try await api.call("GET", "/v1/usage/records?tag.team=search+%26+find").data.count == 1)
        }
    }

    @Test func `a record and a line are explained from counts and prices`() async throws {
        try await RunningAPI.run { api in
            let made = try await UsageFixture.store(in: api.database)
            let record = try await api.call("GET", "/v1/usage/records/\(made.requests[0])/explanation", as: .viewer)
            let step = record.data.first?["steps"]?.elements?.first
            #expect(record.status == 200 && record.data.first?["outcome"] == "billed", "\(record)")
            #expect(step?["meter"] == "input_tokens" && step?["quantity"] == 1000 && step?["amount"] == "0.00015")
            #expect(step?["base"] == "0.15" && step?["base_of"] == .null && step?["factors"]?.elements?.isEmpty == true)
            let waived = try await api.call("GET", "/v1/usage/records/\(made.requests[1])/explanation", as: .viewer)
            #expect(waived.data.first?["outcome"] == "waived: gateway_lost")
            let suspended = try await api.call("GET", "/v1/usage/records/\(made.requests[2])/explanation", as: .viewer)
            #expect(suspended.status == 200 && suspended.data.isEmpty)
            let draft = try await made.storeDraft(in: api.database)
            let document = try await api.call("GET", "/v1/invoices/\(draft)/document", as: .viewer)
            let id = document.json["lines"]?.elements?.first?["id"]?.text ?? ""
            let line = try await api.call("GET", "/v1/invoice_lines/\(id)/explanation", as: .viewer)
            #expect(line.status == 200 && line["exact"] == "0.00015" && line["outcome"]?.hasPrefix("0.00 on") == true)
            for path in ["usage/records/\(StrangeID.request)", "invoice_lines/\(StrangeID.line)"] {
                #expect(try await api.call("GET", "/v1/\(path)/explanation", as: .viewer).status == 404)
            }
        }
    }

    @Test func `suspended usage is listed until someone says why it is not billed`() async throws {
        try await RunningAPI.run { api in
            let made = try await UsageFixture.store(in: api.database)
            let waiting = try await api.call("GET", "/v1/suspense?account=\(made.account.id)", as: .viewer)
            #expect(waiting.data.count == 1 && waiting.data.first?["reason"] == "no_price")
            let path = "/v1/suspense/\(made.attempts[2])/resolve"
            let body: JSONValue = ["account": .string("\(made.account.id)"), "resolution": "a test of ours"]
            let resolved = try await api.call("POST", path, body, as: .billing)
            #expect(resolved.status == 200 && resolved["resolution"] == "a test of ours", "\(resolved)")
            #expect(resolved["outcome"] == "waived" && resolved["resolved_by"]?.contains("the billing") == true)
            #expect(try await api.call("POST", path, body).status == 409)
            #expect(try await api.call("POST", "/v1/suspense/\(StrangeID.attempt)/resolve", body).status == 404)
            #expect(try await api.call("GET", "/v1/suspense").data.isEmpty)
            #expect(try await api.call("GET", "/v1/suspense?resolved=true").data.count == 1)
        }
    }

    @Test func `a journal is retired by hand, once, with a reason`() async throws {
        try await RunningAPI.run { api in
            let made = try await UsageFixture.store(in: api.database)
            let list = try await api.call("GET", "/v1/journals", as: .viewer)
            #expect(list.data.first?["position"] == "1:300" && list.data.first?["gateway"] == "gw-1")
            let path = "/v1/journals/\(made.journal)/retire"
            #expect(try await api.call("POST", path).wrong == ["reason"])
            let retired = try await api.call("POST", path, ["reason": "disk lost"])
            #expect(retired.status == 200 && retired["retired_reason"] == "disk lost")
            #expect(try await api.call("POST", path, ["reason": "again"]).status == 409)
            #expect(
                try await api.call("POST", "/v1/journals/\(StrangeID.journal)/retire", ["reason": "x"]).status == 404)
            #expect(try await api.call("GET", "/v1/journals?retired=false").data.isEmpty)
            #expect(try await api.call("GET", "/v1/journal_quarantines").data.isEmpty)
        }
    }

    @Test func `an invoice is listed and given as JSON, HTML and PDF`() async throws {
        try await RunningAPI.run { api in
            let made = try await UsageFixture.store(in: api.database)
            let id = try await made.storeDraft(in: api.database)
            let list = try await api.call("GET", "/v1/invoices?account=\(made.account.id)&period=2026-09", as: .viewer)
            let invoice = try #require(list.data.first, "\(list)")
            #expect(invoice["state"] == "draft" && invoice["number"] == .null && invoice["exact_total"] == "0.00015")
            #expect(invoice["journal_positions"]?["\(made.journal)"] == "1:300")
            #expect(try await api.call("GET", "/v1/invoices/\(id)").json == invoice)
            #expect(try await api.call("GET", "/v1/invoices?state=paid").data.isEmpty)
            #expect(try await api.call("GET", "/v1/invoices?number=INV-2026-000001").data.isEmpty)
            #expect(try await api.call("GET", "/v1/invoices?period=2026-09").data.count == 1)
            let stored = try await api.database.read { try InvoiceStorage.require(id, in: $0) }
            let document = try await api.call("GET", "/v1/invoices/\(id)/document", as: .viewer)
            #expect(document.text == stored.documentJSON)
            let html = try await api.call("GET", "/v1/invoices/\(id).html", as: .viewer)
            #expect(
                html.headers["content-type"] == "text/html; charset=utf-8" && html.text.contains("\(id)")
                    && html.text.contains("Draft invoice"))
            let pdf = try await api.call("GET", "/v1/invoices/\(id).pdf", as: .viewer)
            #expect(pdf.headers["content-type"] == "application/pdf" && pdf.text.hasPrefix("%PDF-"))
            #expect(pdf.headers["content-disposition"] == "inline; filename=\"draft.pdf\"")
            for form in ["", ".html", ".pdf", "/document"] {
                #expect(try await api.call("GET", "/v1/invoices/\(StrangeID.invoice)\(form)").status == 404)
            }
        }
    }

    @Test func `an invoice is finalized and paid once, and what cannot be done is a conflict`() async throws {
        try await RunningAPI.run { api in
            let id = try await MonthFixture.store(in: api.database).draft()
            for action in ["pay", "void"] {
                let early = try await api.call("POST", "/v1/invoices/\(id)/\(action)", as: .billing)
                #expect(early.status == 409 && early["detail"]?.contains("draft") == true, "\(early)")
            }
            for (action, state) in [("finalize", "finalized"), ("pay", "paid")] {
                for _ in 0..<2 {
                    let answer = try await api.call("POST", "/v1/invoices/\(id)/\(action)", as: .billing)
                    #expect(answer.status == 200 && answer["id"] == "\(id)" && answer["state"] == state, "\(answer)")
                    #expect(answer["number"]?.hasSuffix("000001") == true && answer["total"] == "49.00")
                }
                #expect(try await api.call("POST", "/v1/invoices/\(StrangeID.invoice)/\(action)").status == 404)
            }
            let late = try await api.call("POST", "/v1/invoices/\(id)/void", as: .billing)
            #expect(late.status == 409, "\(late)")
        }
    }

    @Test func `a month without number can be made void, and run again`() async throws {
        try await RunningAPI.run { api in
            let body: JSONValue = ["period": "2026-08"]
            let account = try await MonthFixture.store(in: api.database).account.id
            let first = try await api.call("POST", "/v1/invoice_runs", body, as: .billing)
            #expect(first.data.first?["outcome"] == "finalized" && first.data.first?["total"] == "49.00", "\(first)")
            let id = try #require(first.data.first?["invoice"]?.text)
            let void = try await api.call("POST", "/v1/invoices/\(id)/void", as: .billing)
            #expect(void.status == 200 && void["state"] == "void", "\(void)")
            let again = try await api.call("POST", "/v1/invoice_runs", body, as: .billing)
            #expect(again.data.first?["outcome"] == "finalized" && again.data.first?["invoice"]?.text != id, "\(again)")
            #expect(again.data.first?["account"] == .string("\(account)"))
        }
    }

    @Test func `a run says what became of each account`() async throws {
        try await RunningAPI.run { api in
            let steady = try await MonthFixture.store(in: api.database).account.id
            let account = try #require(try await api.call("POST", "/v1/accounts", ["name": "A"])["id"])
            func run(_ month: JSONValue, _ ids: [String]) async throws -> JSONAnswer {
                let body: JSONValue = ["period": month, "accounts": .array(ids.map { .string($0) }), "dry_run": true]
                return try await api.call("POST", "/v1/invoice_runs", body, as: .billing)
            }
            let dry = try await run("2026-08", ["\(steady)", account])
            #expect(dry.status == 200 && dry.json["dry_run"] == true, "\(dry)")
            let outcomes = dry.data.compactMap { item in
                item["account"]?.text.map { ($0, item["outcome"]?.text, item["total"]?.text) }
            }
            #expect(outcomes.contains { $0 == ("\(steady)", "would_invoice", "49.00") }, "\(dry)")
            #expect(outcomes.contains { $0.0 == account && $0.1 == "nothing_to_bill" }, "\(dry)")
            let early = try await run("2026-09", ["\(steady)"])
            #expect(early.data.first?["outcome"] == "waiting" && early.data.first?["reason"] != "", "\(early)")
            #expect(try await api.call("GET", "/v1/invoices").data.isEmpty, "nothing was stored")
            let unknown: JSONValue = ["period": "2026-08", "accounts": [.string(StrangeID.account)]]
            #expect(try await api.call("POST", "/v1/invoice_runs", unknown).status == 404)
            #expect(try await api.call("POST", "/v1/invoice_runs", ["period": "2026-13"]).wrong == ["period"])
            let preview = "/v1/invoice_previews?account=\(account)&period=2026-09"
            #expect(try await api.call("GET", preview, as: .viewer).status == 404)
        }
    }

    @Test func `service levels are of the account's own month unless another is asked for`() async throws {
        try await RunningAPI.run { api in
            let account = try #require(try await api.call("POST", "/v1/accounts", ["name": "A"])["id"])
            let now = try await api.call("GET", "/v1/service_levels?account=\(account)", as: .viewer)
            #expect(now.status == 200 && now["period"] == "2026-09" && now.json["final"] == false, "\(now)")
            let july = try await api.call("GET", "/v1/service_levels?account=\(account)&period=2026-07")
            #expect(july["period"] == "2026-07", "\(july)")
            #expect(try await api.call("GET", "/v1/service_levels?account=\(StrangeID.account)").status == 404)
        }
    }

    @Test func `machines can ask for health, readiness and metrics without a key`() async throws {
        try await RunningAPI.run { api in
            #expect(try await api.call("GET", "/healthz", as: nil)["status"] == "ok")
            #expect(try await api.call("GET", "/readyz", as: nil)["status"] == "ok")
            let metrics = try await api.call("GET", "/metrics", as: nil)
            #expect(
                metrics.text == "tollgate_up 1\n" && metrics.headers["content-type"]?.hasPrefix("text/plain") == true)
        }
    }

    @Test func `without the database every call says so, and health still answers`() async throws {
        let pool = ConnectionPool(try PostgresConfiguration(url: "postgres://nobody@127.0.0.1:1/nothing"))
        let server = AdminServer(
            configuration: AdminConfiguration(port: 0),
            services: RunningAPI.services(Database(pool)),
            log: StructuredLog(minimumLevel: .error) { _ in })
        let client = RawClient(port: try await server.start())
        for path in ["/readyz", "/v1/accounts"] {
            let answer = JSONAnswer(try await client.call("GET", path, headers: ["authorization": "Bearer tga_x"]))
            #expect(answer.status == 503 && answer["code"] == "unavailable", "\(answer)")
            #expect(answer.headers["retry-after"] == "1")
        }
        #expect(try await client.call("GET", "/healthz").status == 200)
        await server.stop()
        await pool.close()
        await #expect(throws: RawClient.Failure.self) { try await client.call("GET", "/healthz") }
    }

    @Test func `a port that is taken is said to be taken`() async throws {
        try await RunningAPI.run { api in
            let second = AdminServer(
                configuration: AdminConfiguration(port: api.client.port),
                services: RunningAPI.services(api.database), log: StructuredLog(minimumLevel: .error))
            await #expect(throws: AdminServerError.self) { try await second.start() }
        }
    }

    @Test func `what cannot be given back is refused with what to do`() async throws {
        try await RunningAPI.run { api in
            let id = try await UsageFixture.store(in: api.database).storeDraft(in: api.database)
            let path = "/v1/invoices/\(id)/credit_notes"
            let draft = try await api.call("POST", path, ["reason": "wrong price"], as: .billing)
            #expect(draft.status == 409 && draft.text.contains("only a finalized or paid one"), "\(draft)")
            #expect(try await api.call("POST", path, ["reason": "x"], as: .viewer).status == 403)
            #expect(try await api.call("POST", path, [:], as: .billing).wrong == ["reason"])
            #expect(try await api.call("POST", path, ["reason": "x", "lines": []], as: .billing).wrong == ["lines"])
            let unknown: JSONValue = ["reason": "x", "lines": [["line": "il_no"]]]
            #expect(try await api.call("POST", path, unknown, as: .billing).wrong == ["lines[0].line"])
            let strange = "/v1/invoices/\(StrangeID.invoice)/credit_notes"
            #expect(try await api.call("POST", strange, ["reason": "x"], as: .billing).status == 404)
            #expect(try await api.call("GET", "/v1/credit_notes?invoice=\(id)", as: .viewer).data.isEmpty)
            #expect(try await api.call("GET", "/v1/credit_notes?invoice=\(StrangeID.invoice)").status == 404)
        }
    }

    @Test func `a credit note is issued, listed, shown as JSON, HTML and PDF, and refunded once`() async throws {
        try await RunningAPI.run { api in
            let id = try await UsageFixture.store(in: api.database).storeFinal(in: api.database)
            let invoice = try await api.call("GET", "/v1/invoices/\(id)/document")
            let line = try #require(invoice.json["lines"]?.elements?.first?["id"]?.text)
            let path = "/v1/invoices/\(id)/credit_notes"
            let wrong: JSONValue = ["reason": "x", "lines": [["line": .string(line), "amount": "0.001"]]]
            #expect(try await api.call("POST", path, wrong, as: .billing).wrong == ["lines"])
            let note = try await api.call("POST", path, ["reason": "a wrong price"], as: .billing)
            #expect(note.status == 201 && note["total"] == "1.50" && note["settlement"] == "open_invoice", "\(note)")
            let one = "/v1/credit_notes/\(note["id"] ?? "")"
            #expect(try await api.call("GET", one, as: .viewer).json == note.json)
            #expect(try await api.call("GET", "/v1/credit_notes?number=CN-2026-000001").data == [note.json])
            #expect(try await api.call("GET", "/v1/invoices/\(id)")["amount_due"] == "0.00")
            let document = try await api.call("GET", "\(one)/document", as: .viewer)
            #expect(document["schema"] == "tollgate.credit_note/1" && document["reason"] == "a wrong price")
            let html = try await api.call("GET", "\(one).html", as: .viewer)
            #expect(html.text.contains("CN-2026-000001") && html.text.contains("Corrects invoice"))
            let pdf = try await api.call("GET", "\(one).pdf", as: .viewer)
            #expect(pdf.headers["content-disposition"] == "inline; filename=\"CN-2026-000001.pdf\"")
            let page = try await api.call("GET", "/v1/invoices/\(id).html", as: .viewer)
            #expect(page.text.contains("Corrected by credit note CN-2026-000001, which gives back 1.50 USD"))
            let refused = try await api.call("POST", "\(one)/refund", as: .billing)
            #expect(refused.status == 409 && refused.text.contains("there is nothing to pay back"))
        }
    }
}
