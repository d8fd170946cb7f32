import Accounts
import Identity
import Invoicing
import Metering
import Storage
import Synchronization
import TestSupport
import Testing

@testable import AdminAPI

/// Every query parameter and every part of a path with values that nobody sends by intention.
@Suite(.database, .timeLimit(.minutes(10))) struct HostileValueTests {
    private static let values = [
        "", "%00", "a%00b", "%ff", "%C3%28", "%", "%zz", "-1", "0", "1", "9223372036854775807", "9223372036854775808",
        "99999999999999999999999999999999999999999", "-9223372036854775809", "1e400", "NaN", "null", "true", "0000-01",
        "0001-01", "1969-12", "1970-01", "9998-12", "9999-12", "10000-01", "294277-01", "2026-00", "2026-13", "2026-1",
        "%2B2026-01", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z",
        "9998-12-31T23:00:00Z", "9999-12-31T23:59:59.999Z", "294277-01-01T00:00:00Z", "2026-02-30T00:00:00Z",
        "2026-01-01T00:00:00%2B23:59", "2026-01-01T24:00:00Z", "..", "'%3BSELECT%201", "%F0%9F%A6%8A", "%E2%80%AE",
        "acc_ffffffffffffffffffffffffffffffff", "req_ffffffffffffffffffffffffffffffff",
        "req_00000000000000000000000000000000", String(repeating: "x", count: 5000), String(repeating: "9", count: 300),
    ]

    private struct Known {
        let made: UsageFixture
        let invoice: InvoiceID

        /// A value that fits, so that a call gets as far as the one that does not.
        func value(_ name: String, of path: String) -> String {
            switch name {
            case "account": "\(made.account.id)"
            case "tenant": "\(made.tenant.id)"
            case "project": "\(made.project.id)"
            case "key": "\(made.key.id)"
            case "subscription": "\(made.subscription.id)"
            case "journal": "\(made.journal)"
            case "attempt": "\(made.attempts[2])"
            case "invoice": "\(invoice)"
            case "plan": "pay-as-you-go"
            case "version": "1"
            case "from" where path.contains("diff"), "to" where path.contains("diff"): "1"
            case "from": "2026-09-01T00:00:00Z"
            case "to": "2026-10-01T00:00:00Z"
            case "period": "2026-09"
            default: "1"
            }
        }
    }

    private func target(
        _ endpoint: Endpoint, _ known: Known, changing name: String? = nil, to value: String = "", twice: Bool = false
    ) -> String {
        var path = endpoint.path
        var query: [String] = []
        for parameter in endpoint.parameters {
            let isChanged = parameter.name == name
            let text = isChanged ? value : known.value(parameter.name, of: endpoint.path)
            switch parameter.location {
            case .path: path = path.replacing("{\(parameter.name)}", with: text)
            case .query:
                guard parameter.isRequired || isChanged || (parameter.name == "from" || parameter.name == "to") else {
                    continue
                }
                if !parameter.isRequired, !isChanged, name == "period" { continue }
                query.append("\(parameter.name)=\(text)")
                if isChanged, twice { query.append("\(parameter.name)=\(text)") }
            }
        }
        return query.isEmpty ? path : path + "?" + query.joined(separator: "&")
    }

    private func expectPlainAnswer(_ api: RunningAPI, _ endpoint: Endpoint, _ target: String) async throws {
        let headers = ["authorization": "Bearer \(api.secrets[.admin] ?? "")", "content-type": "application/json"]
        // A body that no call takes: what is to be changed by these calls is nothing.
        let body: [UInt8]? = endpoint.method == .get ? nil : Array(#"{"no such member": 1}"#.utf8)
        let answer = try await api.client.call(endpoint.method.rawValue, target, headers: headers, body: body)
        #expect(
            answer.status < 500, "\(endpoint.method.rawValue) \(target.prefix(300)): \(answer.status) \(answer.text)")
        for word in ["SELECT", "INSERT", "SQLSTATE", "PostgresError"] where !target.contains(word) {
            #expect(!answer.text.contains(word), "\(target.prefix(300)): \(answer.text.prefix(500))")
        }
    }

    private func withAPI(_ body: (RunningAPI, [Endpoint], Known) async throws -> Void) async throws {
        try await RunningAPI.run { api in
            let made = try await UsageFixture.store(in: api.database)
            let known = Known(made: made, invoice: try await made.storeDraft(in: api.database))
            let endpoints = API.endpoints(RunningAPI.services(api.database))
            try await body(api, endpoints, known)
        }
    }

    @Test func `no value of a query is an error of the server's`() async throws {
        try await withAPI { api, endpoints, known in
            var count = 0
            for endpoint in endpoints where endpoint.access != .everyone {
                for parameter in endpoint.parameters where parameter.location == .query {
                    let names =
                        parameter.style == .tags ? ["tag.team", "tag.", "tag.%00", "tag.%ff"] : [parameter.name]
                    for name in names {
                        for value in Self.values {
                            let target =
                                parameter.style == .tags
                                ? target(endpoint, known) + "&\(name)=\(value)"
                                : target(endpoint, known, changing: name, to: value)
                            try await expectPlainAnswer(api, endpoint, target)
                            count += 1
                        }
                    }
                    guard parameter.style == .single else { continue }
                    let value = known.value(parameter.name, of: endpoint.path)
                    let twice = target(endpoint, known, changing: parameter.name, to: value, twice: true)
                    let answer = try await api.call(endpoint.method.rawValue, twice)
                    #expect(answer.status == 400 && answer.wrong.contains(parameter.name), "\(twice): \(answer)")
                }
            }
            #expect(count > 1000, "the document lists parameters")
        }
    }

    @Test func `no part of a path is an error of the server's`() async throws {
        try await withAPI { api, endpoints, known in
            for endpoint in endpoints {
                for parameter in endpoint.parameters where parameter.location == .path {
                    for value in Self.values {
                        let target = target(endpoint, known, changing: parameter.name, to: value)
                        try await expectPlainAnswer(api, endpoint, target)
                    }
                }
            }
        }
    }

    @Test(arguments: [
        ("/v1/invoices?period=0000-01", "period"), ("/v1/invoices?period=0000-12", "period"),
        ("/v1/invoices?period=9999-12", "period"), ("/v1/invoices?period=1969-12", "period"),
        ("/v1/usage?period=0000-01", "period"), ("/v1/usage?from=0000-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("/v1/usage?from=2026-01-01T00:00:00Z&to=9999-12-31T00:00:00Z", "to"),
        ("/v1/usage/records?from=0000-06-01T00:00:00Z", "from"), ("/v1/suspense?to=1969-01-01T00:00:00Z", "to"),
        ("/v1/service_levels?period=0000-01", "period"), ("/v1/usage/records?limit=0", "limit"),
    ])
    func `a value out of range is named`(target: String, parameter: String) async throws {
        try await RunningAPI.run { api in
            let answer = try await api.call("GET", target, as: .viewer)
            #expect(answer.status == 400 && answer.wrong == [parameter], "\(answer)")
        }
    }

    @Test func `listings with a period are of one account or of all`() async throws {
        try await withAPI { api, _, known in
            let invoices = try await api.call("GET", "/v1/invoices?period=2026-09", as: .viewer)
            #expect(invoices.data.compactMap { $0["id"]?.text } == ["\(known.invoice)"])
            #expect(try await api.call("GET", "/v1/invoices?period=2026-08").data.isEmpty)
            #expect(try await api.call("GET", "/v1/invoices?period=2026-10").data.isEmpty)
            let levels = try await api.call("GET", "/v1/service_levels?period=2026-09&limit=1", as: .viewer)
            #expect(levels.status == 200 && levels.json["account"] == .null, "\(levels)")
            #expect(levels["period"] == "2026-09" && levels.json["final"] == false)
            #expect(try await api.call("GET", "/v1/service_levels").wrong == ["period"])
            let month = try await api.call("GET", "/v1/usage?period=2026-09&meter=input_tokens", as: .viewer)
            #expect(month.data.first?["quantity"] == 1000 && month["period"] == "2026-09", "\(month)")
            let tagged = try await api.call(
                "GET", "/v1/usage?period=2026-09&tag.team=search+%26+find&meter=input_tokens")
            #expect(tagged.data.first?["quantity"] == 1000, "\(tagged)")
            #expect(try await api.call("GET", "/v1/usage?period=2026-08").data.isEmpty)
            #expect(try await api.call("GET", "/v1/usage?period=2026-08&from=2026-09-01T00:00:00Z").wrong == ["period"])
        }
    }

    @Test(arguments: ["", "&tag.team=search+%26+find", "&account=ACCOUNT"])
    func `sums off the hour are refused, with the hour`(more: String) async throws {
        try await withAPI { api, _, known in
            let more = more.replacing("ACCOUNT", with: "\(known.made.account.id)")
            for (span, parameter) in [
                ("from=2026-09-21T11:26:40Z&to=2026-09-21T12:00:00Z", "from"),
                ("from=2026-09-21T11:00:00Z&to=2026-09-21T11:30:00Z", "to"),
                ("from=2026-09-21T11:00:00.001Z&to=2026-09-21T12:00:00Z", "from"),
            ] {
                let answer = try await api.call("GET", "/v1/usage?\(span)\(more)", as: .viewer)
                #expect(answer.status == 400 && answer.wrong == [parameter], "\(answer)")
                #expect(answer.text.contains("2026-09-21T11:00:00.000Z"), "\(answer)")
            }
            let whole = try await api.call(
                "GET", "/v1/usage?from=2026-09-21T11:00:00Z&to=2026-09-21T12:00:00Z&meter=input_tokens\(more)")
            #expect(whole.data.first?["quantity"] == 1000, "\(whole)")
        }
    }
}
