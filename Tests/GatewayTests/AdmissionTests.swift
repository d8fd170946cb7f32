import Identity
import Metering
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct AdmissionTests {
    private func expect(
        _ answer: HTTPMessage, _ status: Int, _ code: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(answer.status == status, sourceLocation: sourceLocation)
        #expect(answer.text.contains(#""code":"\#(code)""#), "\(answer.text)", sourceLocation: sourceLocation)
        #expect(answer.text.hasPrefix(#"{"error":{"message":""#), sourceLocation: sourceLocation)
        #expect(answer.header("content-type") == "application/json", sourceLocation: sourceLocation)
    }

    @Test func `whoever may not ask gets an error that says what to do, and is counted`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let body = TestGateway.chat()
        expect(try gateway.ask(TestGateway.request(body, key: nil)), 401, "missing_api_key")
        expect(try gateway.ask(TestGateway.request(body, key: "sk-wrong")), 401, "invalid_api_key")
        expect(try gateway.ask(TestGateway.request(body, key: "sk-none")), 403, "no_subscription")
        let other = #"{"model":"other","messages":[]}"#
        expect(try gateway.ask(TestGateway.request(other)), 404, "model_not_found")
        expect(try gateway.ask(TestGateway.request(#"{"model":"private","messages":[]}"#)), 404, "model_not_found")
        let tier = try gateway.ask(TestGateway.request(TestGateway.chat(#","service_tier":"gold""#)))
        expect(tier, 403, "tier_not_available")
        #expect(tier.text.contains("standard, priority"))
        expect(try gateway.ask(TestGateway.request("{")), 400, "invalid_json")
        expect(try gateway.ask(TestGateway.request(body, path: "/v2/x")), 404, "unknown_url")
        expect(try gateway.ask("GET /v1/chat/completions HTTP/1.1\r\nhost: x\r\n\r\n"), 405, "method_not_allowed")
        #expect(gateway.engine.requests.isEmpty)
        var counted: [RefusalCount] = []
        for _ in 0..<200 where counted.reduce(0, { $0 + $1.count }) < 9 {
            pause(milliseconds: 10)
            counted = try gateway.refusals
        }
        let reasons = Set(counted.map(\.reason))
        #expect(
            reasons.isSuperset(of: ["missing_api_key", "invalid_api_key", "model_not_found", "tier_not_available"]))
        #expect(counted.filter { $0.reason == "model_not_found" }.reduce(0) { $0 + $1.count } == 2)
        #expect(counted.first { $0.reason == "model_not_found" }?.keyID == TestGateway.id(1))
        #expect(counted.first { $0.reason == "invalid_api_key" }?.keyID == nil)
        #expect(counted.allSatisfy { $0.minute.milliseconds % 60_000 == 0 })
        #expect(try gateway.closes.isEmpty)
        await gateway.stop()
    }

    @Test(arguments: [
        (nil, "standard"), ("auto", "standard"), ("default", "standard"), ("priority", "priority"),
    ])
    func `the tier asked for is recorded by its name in the plan and passed on as it was written`(
        tier: String?, recorded: String
    ) async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let body = TestGateway.chat(tier.map { #","service_tier":"\#($0)""# } ?? "")
        #expect(try gateway.ask(TestGateway.request(body)).status == 200)
        #expect(try gateway.record().request.tierRequested == recorded)
        #expect(gateway.engine.requests[0].text.contains("service_tier") == (tier != nil))
        await gateway.stop()
    }

    @Test func `an alias is routed and recorded as the client wrote it`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        _ = try gateway.ask(TestGateway.request(#"{"model":"small-latest","messages":[]}"#))
        let entry = try gateway.record()
        #expect(entry.request.modelRequested == "small-latest")
        #expect(entry.attempts[0].priceKey == "price-small")
        #expect(gateway.engine.requests[0].text.contains(#""model":"engine-small""#))
        await gateway.stop()
    }

    @Test func `tags come from the header and the body and are bounded`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let body = TestGateway.chat(#","user":"u1","metadata":{"team":"blue","job":"x"}"#)
        _ = try gateway.ask(TestGateway.request(body, headers: "X-Tollgate-Tags: team=red, env = prod\r\n"))
        #expect(
            try gateway.record().request.tags == [
                Tag(name: "team", value: "red"), Tag(name: "env", value: "prod"), Tag(name: "user", value: "u1"),
                Tag(name: "job", value: "x"),
            ])
        #expect(gateway.engine.requests[0].header("x-tollgate-tags") == nil)
        for header in ["broken", "a=1,a=2", "a=1,b", "=1,=2", ",,x"] {
            let answer = try gateway.ask(
                TestGateway.request(TestGateway.chat(), headers: "x-tollgate-tags: \(header)\r\n"))
            expect(answer, 400, "invalid_tags")
        }
        let many = (0...Tag.countMax).map { "t\($0)=1" }.joined(separator: ",")
        let long = String(repeating: "v", count: Tag.valueBytesMax + 1)
        for header in [many, "=1", "a=\(long)", "\(long)=1"] {
            let bytes = TestGateway.request(TestGateway.chat(), headers: "x-tollgate-tags: \(header)\r\n")
            #expect(try gateway.ask(bytes).status == 200)
        }
        #expect(try gateway.records(5).dropFirst().allSatisfy { $0.request.notes == .tagsDropped })
        await gateway.stop()
    }

    @Test func `tags that a record has no room for break no request, and the record says so`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let long = String(repeating: "v", count: Tag.valueBytesMax + 1)
        let pairs = (0..<16).map { "\"t\($0)\":\"\(long)\"" }.joined(separator: ",")
        let many = (0...Tag.countMax).map { "t\($0)=1" }.joined(separator: ",")
        let members = (0..<2000).map { "\"m\($0)\":\"1\"" }.joined(separator: ",")
        let requests = [
            TestGateway.request(TestGateway.chat(#","metadata":{\#(pairs)}"#)),
            TestGateway.request(TestGateway.chat(#","metadata":{\#(members)}"#)),
            TestGateway.request(TestGateway.chat(), headers: "x-tollgate-tags: \(many)\r\n"),
            TestGateway.request(TestGateway.chat(), headers: "x-tollgate-tags: a=\(long)\r\n"),
            TestGateway.request(TestGateway.chat(), headers: "x-tollgate-tags: \(long)=1,=2\r\n"),
        ]
        for request in requests { #expect(try gateway.ask(request).status == 200) }
        let records = try gateway.records(requests.count)
        #expect(records.allSatisfy { $0.request.notes.contains(.tagsDropped) })
        #expect(records.map(\.request.tags.count) == [0, Tag.countMax, Tag.countMax, 0, 0])
        await gateway.stop()
    }

    @Test func `a new snapshot counts for the next request and an older one is ignored`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        gateway.server.update(TestGateway.snapshot(change: 3, port: gateway.engine.port, key: "sk-new"))
        gateway.server.update(TestGateway.snapshot(change: 2, port: gateway.engine.port))
        #expect(gateway.server.snapshotChange == 3)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 401)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat(), key: "sk-new")).status == 200)
        await gateway.stop()
    }

    @Test func `nothing is accepted while the journal does not accept`() async throws {
        let engine = try ScriptedEngine()
        var gate: GatedJournal?
        let gateway = try await TestGateway(
            engine: engine,
            wrap: { journal in
                let gated = GatedJournal(journal)
                gate = gated
                return gated
            })
        let journal = try #require(gate)
        journal.setAccepting(false)
        expect(try gateway.ask(TestGateway.request(TestGateway.chat())), 503, "journal_unavailable")
        expect(try gateway.ask("GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n"), 503, "journal_unavailable")
        #expect(try gateway.ask("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").status == 200)
        journal.setAccepting(true)
        journal.setRefusesOpens(true)
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        expect(answer, 503, "journal_unavailable")
        #expect(answer.header("retry-after") == "1")
        #expect(engine.requests.isEmpty)
        journal.setRefusesOpens(false)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        await gateway.stop()
    }

    @Test func `acceptance carries the account's test clock and never steps back`() async throws {
        let offset: Int64 = 40 * 86_400_000
        let gateway = try await TestGateway(engine: ScriptedEngine(), clockOffset: offset)
        for _ in 0..<5 { _ = try gateway.ask(TestGateway.request(TestGateway.chat())) }
        let entries = try gateway.records(5)
        let stamps = entries.map { $0.request.acceptedAt }
        #expect(stamps == stamps.sorted())
        #expect(entries[0].request.clockOffsetMilliseconds == offset)
        let clock = BillingClock(realMilliseconds: { 1000 })
        #expect(clock.milliseconds(offset: 5) == 1005)
        await gateway.stop()
    }

    @Test func `models are listed for whom they are allowed`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let get = { (path: String) in
            "GET \(path) HTTP/1.1\r\nhost: x\r\nauthorization: bearer \(TestGateway.key)\r\n\r\n"
        }
        let list = try gateway.ask(get("/v1/models"))
        #expect(list.text.contains(#""id":"small""#))
        #expect(!list.text.contains("private"))
        #expect(try gateway.ask(get("/v1/models/small%2Dlatest")).text.hasPrefix(#"{"id":"small-latest""#))
        #expect(try gateway.ask(get("/v1/models/private")).status == 404)
        #expect(try gateway.ask("GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").status == 401)
        await gateway.stop()
    }
}
