import Accounts
import Identity
import Storage
import TestSupport
import Testing

@testable import AdminAPI

/// What holds for every call: keys, roles, errors, limits, pages, repeated calls.
@Suite(.database, .timeLimit(.minutes(10)))
struct RuleTests {
    // MARK: - Keys and roles

    @Test func `a call without a valid key is told how to send one`() async throws {
        try await RunningAPI.run { api in
            for headers in [[:], ["authorization": "Bearer tga_unknown"], ["authorization": "Basic dXNlcg=="]] {
                let answer = try await api.call("GET", "/v1/accounts", as: nil, headers: headers)
                #expect(answer.status == 401 && answer["code"] == "unauthenticated", "\(answer)")
                #expect(answer.headers["www-authenticate"] == "Bearer realm=\"tollgate\"")
            }
        }
    }

    @Test func `a role that is too low is told which one is needed, for every endpoint`() async throws {
        try await RunningAPI.run { api in
            let endpoints = API.endpoints(RunningAPI.services(api.database))
            for endpoint in endpoints {
                guard case .role(let needed) = endpoint.access else { continue }
                for role in AdminRole.allCases where !role.includes(needed) {
                    let path = endpoint.path.replacing(/\{(\w+)\}/, with: "x")
                    let answer = try await api.call(endpoint.method.rawValue, path, as: role)
                    #expect(answer.status == 403 && answer["code"] == "role_too_low", "\(endpoint.path) \(answer)")
                    #expect(answer["detail"]?.contains("the role \(needed.rawValue);") == true)
                }
            }
        }
    }

    // MARK: - Errors

    @Test func `an error is a problem with code, instance and request id`() async throws {
        try await RunningAPI.run { api in
            let answer = try await api.call(
                "GET", "/v1/accounts/\(StrangeID.account)", headers: ["x-request-id": "trace-7"])
            #expect(answer.status == 404 && answer.headers["content-type"] == "application/problem+json")
            #expect(answer["type"] == "urn:tollgate:problem:not_found" && answer["request_id"] == "trace-7")
            #expect(answer["instance"] == "/v1/accounts/\(StrangeID.account)")
            #expect(answer.json["status"] == 404 && answer["title"] == "Not found")
            #expect(answer.headers["x-request-id"] == "trace-7")
            let other = try await api.call("GET", "/healthz", headers: ["x-request-id": "no spaces please"])
            #expect(other.headers["x-request-id"]?.count == 32)
        }
    }

    @Test func `answers carry headers that keep browsers and caches out`() async throws {
        try await RunningAPI.run { api in
            for path in ["/v1/accounts", "/nowhere", "/healthz"] {
                let headers = try await api.call("GET", path).headers
                #expect(headers["cache-control"] == "no-store" && headers["x-content-type-options"] == "nosniff")
                #expect(headers["x-frame-options"] == "DENY" && headers["referrer-policy"] == "no-referrer")
                #expect(headers["content-security-policy"]?.hasPrefix("default-src 'none'") == true)
            }
        }
    }

    @Test func `unknown paths, methods and ids of another kind are told apart`() async throws {
        try await RunningAPI.run { api in
            #expect(try await api.call("GET", "/v1/nothing").status == 404)
            let method = try await api.call("DELETE", "/v1/accounts")
            #expect(method.status == 405 && method.headers["allow"] == "GET, POST")
            let kind = try await api.call("GET", "/v1/accounts/ten_0199")
            #expect(kind.status == 404 && kind["detail"]?.contains("acc_") == true)
            #expect(try await api.call("GET", "/v1/accounts/%ZZ").status == 404)
        }
    }

    @Test func `every wrong or unknown member of a body is named`() async throws {
        try await RunningAPI.run { api in
            let answer = try await api.call(
                "POST", "/v1/accounts",
                ["nam": "typo", "currency": 7, "billing": ["vat": "x", "address": ["a", 1]]])
            #expect(answer.status == 400 && answer["code"] == "invalid_request", "\(answer)")
            #expect(Set(answer.wrong) == ["nam", "name", "currency", "billing.vat", "billing.address[1]"])
            #expect(try await api.call("POST", "/v1/accounts", ["name": ""]).wrong == ["name"])
            #expect(try await api.call("POST", "/v1/accounts", ["name": "a", "currency": "XXX"]).wrong == ["currency"])
            #expect(
                try await api.call("POST", "/v1/accounts", ["name": "a", "time_zone": "Moon"]).wrong == ["time_zone"])
            #expect(try await api.call("POST", "/v1/accounts", ["no", "object"]).status == 400)
            #expect(try await api.call("GET", "/v1/accounts").data.isEmpty)
        }
    }

    @Test func `every wrong or unknown parameter of a query is named`() async throws {
        try await RunningAPI.run { api in
            let answer = try await api.call("GET", "/v1/tenants?limit=0&color=red&account=acc_1&after=%FF")
            #expect(answer.status == 400)
            #expect(Set(answer.wrong) == ["limit", "color", "account", "after"], "\(answer)")
            #expect(try await api.call("GET", "/v1/tenants?limit=2&limit=3").wrong == ["limit"])
            #expect(try await api.call("GET", "/v1/tenants?after=acc_1").wrong == ["after"])
            #expect(Set(try await api.call("GET", "/v1/usage").wrong) == ["from", "to"])
        }
    }

    @Test func `a body that is no JSON, of another type, or where none is taken is refused`() async throws {
        try await RunningAPI.run { api in
            #expect(try await api.send("{", to: "/v1/accounts", mediaType: "application/json").status == 400)
            let type = try await api.send("name: x", to: "/v1/accounts")
            #expect(type.status == 415 && type["code"] == "unsupported_media_type")
            #expect(try await api.call("POST", "/v1/api_keys/x/revoke", ["a": 1]).status == 400)
        }
    }

    @Test func `bodies have a limit, larger for plans`() async throws {
        try await RunningAPI.run { api in
            let large = String(repeating: "#", count: BodyRule.bytesMaxDefault + 1)
            let refused = try await api.send(large, to: "/v1/accounts", mediaType: "application/json")
            #expect(refused.status == 413 && refused["code"] == "body_too_large")
            let lint = try await api.send(large, to: "/v1/plan_lints")
            #expect(lint.status == 200)
            let head = "POST /v1/accounts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer tga_admin\r\n"
            let chunk = "100001\r\n\(large)\r\n0\r\n\r\n"
            let chunked = try await api.client.exchange(
                Array((head + "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n" + chunk).utf8))
            #expect(chunked.status == 413)
        }
    }

    @Test func `HEAD is GET without the body`() async throws {
        try await RunningAPI.run { api in
            let answer = try await api.client.call("HEAD", "/healthz")
            #expect(answer.status == 200 && answer.body.isEmpty)
        }
    }

    // MARK: - Pages

    @Test func `pages follow one another without gap or overlap`() async throws {
        try await RunningAPI.run { api in
            for number in 0..<7 { _ = try await api.call("POST", "/v1/accounts", ["name": "a\(number)"]) }
            var seen: [String] = []
            var after: String?
            repeat {
                let page = try await api.call("GET", "/v1/accounts?limit=3" + (after.map { "&after=\($0)" } ?? ""))
                seen += page.data.compactMap { $0["name"]?.text }
                after = page["next"]
                #expect(page.json["has_more"]?.truth == (after != nil))
            } while after != nil
            #expect(seen.sorted() == (0..<7).map { "a\($0)" })
        }
    }
}

/// Ids of things that do not exist.
enum StrangeID {
    static let account = "acc_" + String(repeating: "0", count: 31) + "1"
    static let attempt = "att_" + String(repeating: "0", count: 31) + "1"
    static let journal = "jrn_" + String(repeating: "0", count: 31) + "1"
    static let invoice = "inv_" + String(repeating: "0", count: 31) + "1"
    static let request = "req_" + String(repeating: "0", count: 31) + "1"
    static let line = "il_" + String(repeating: "0", count: 31) + "1"
}
