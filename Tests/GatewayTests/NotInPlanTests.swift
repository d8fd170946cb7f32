import Engines
import Metering
import PlanLanguage
import Pricing
import Testing

@testable import Gateway

/// What a key's plan does not sell is refused before any engine is asked.
@Suite(.timeLimit(.minutes(10))) struct NotInPlanTests {
    private static let usual = """
        models:
          price-small: {input: "0.15", output: "0.60"}
          other: {input: "1", output: "2"}
        tiers:
          priority: {prices: {other: {input: "2", output: "4"}}}
        """

    private static func prices(_ rest: String, from: String = "2020-01-01T00:00:00Z") throws -> PriceSnapshot {
        let yaml = "plan: basic\nversion: 1\ntitle: Basic\ncurrency: USD\neffective_from: \(from)\n" + rest
        return PriceSnapshot(histories: ["basic": try PlanHistory(published: [try PlanVersion(yaml: yaml)])])
    }

    private func withGateway(
        _ plan: String = usual, from: String = "2020-01-01T00:00:00Z", kind: EngineKind = .openAI,
        _ body: (TestGateway) throws -> Void
    ) async throws {
        let engine = try ScriptedEngine()
        let snapshot = TestGateway.snapshot(
            port: engine.port, kind: kind, sealingSecret: Array(repeating: 7, count: 32),
            prices: try Self.prices(plan, from: from))
        let gateway = try await TestGateway(engine: engine, snapshot: snapshot)
        try body(gateway)
        await gateway.stop()
    }

    private func refused(_ answer: HTTPMessage, _ code: String = "not_in_plan", naming text: String) {
        #expect(answer.status == 403 && answer.text.contains(#""code":"\#(code)""#), "\(answer.text)")
        #expect(answer.text.contains(text), "\(answer.text)")
    }

    @Test func `a model without a price is refused, and not listed`() async throws {
        try await withGateway("models: {other: {input: \"1\", output: \"2\"}}") { (gateway: TestGateway) throws in
            refused(try gateway.ask(TestGateway.request(TestGateway.chat())), naming: "'small'")
            refused(
                try gateway.ask(TestGateway.request(#"{"model":"small-latest","messages":[]}"#)), naming: "small-latest"
            )
            let get = { (path: String) in
                "GET \(path) HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(TestGateway.key)\r\n\r\n"
            }
            let list = try gateway.ask(get("/v1/models"))
            #expect(list.status == 200 && !list.text.contains("small"))
            refused(try gateway.ask(get("/v1/models/small")), naming: "small")
            #expect(gateway.engine.requests.isEmpty)
            #expect(try gateway.closes.isEmpty)
        }
    }

    @Test func `a key is told its own prices, tier by tier and condition by condition`() async throws {
        let plan = """
            models:
              price-small: {input: "2", output: none, context: [{above: 100, multiplier: "2"}]}
              other: {input: "1", output: "1"}
            tiers: {priority: {multiplier: "1.5"}, gold: {multiplier: "9"}}
            batch: {multiplier: "0.5"}
            regions: [{region: us-*, models: [other], multiplier: "3"}]
            """
        try await withGateway(plan) { (gateway: TestGateway) throws in
            let get = "GET /v1/prices HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(TestGateway.key)\r\n\r\n"
            let answer = try gateway.ask(get)
            let tiers = [("standard", "2", "4"), ("priority", "3", "6"), ("batch", "1", "2")]
            let lists = tiers.map { tier, short, long in
                func prices(_ price: String) -> String {
                    let meters = ["input_tokens", "cache_read_tokens", "cache_write_tokens"]
                    return "{" + meters.map { "\"\($0)\":\"\(price)\"" }.joined(separator: ",") + "}"
                }
                return #"{"object":"price","model":"small","tier":"\#(tier)","prices":\#(prices(short)),"#
                    + #""conditions":[{"name":"context_above_100","prices":\#(prices(long))}]}"#
            }
            #expect(answer.status == 200)
            let head = #"{"object":"list","plan":"basic","version":1,"currency":"USD","units":1000000,"data":["#
            #expect(answer.text == head + lists.joined(separator: ",") + "]}")
            #expect(try gateway.ask("GET /v1/prices HTTP/1.1\r\nhost: x\r\n\r\n").status == 401)
            let post = get.replacing("GET", with: "POST", maxReplacements: 1)
            #expect(try gateway.ask(post.replacing("\r\n\r\n", with: "\r\ncontent-length: 0\r\n\r\n")).status == 405)
        }
    }

    @Test func `what the plan sells is served as ever`() async throws {
        try await withGateway { (gateway: TestGateway) throws in
            #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
            let pictures =
                #"{"model":"small","messages":[{"role":"user","content":"#
                + #"[{"type":"image_url","image_url":{"url":"x"}}]}]}"#
            #expect(try gateway.ask(TestGateway.request(pictures)).status == 200)
            let get = "GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(TestGateway.key)\r\n\r\n"
            #expect(try gateway.ask(get).text.contains(#""id":"small""#))
        }
    }

    @Test func `a tier that does not sell the model is refused, and one that the plan has not`() async throws {
        try await withGateway { (gateway: TestGateway) throws in
            let priority = TestGateway.chat(#","service_tier":"priority""#)
            refused(try gateway.ask(TestGateway.request(priority)), naming: "'priority'")
            let gold = TestGateway.chat(#","service_tier":"gold""#)
            refused(try gateway.ask(TestGateway.request(gold)), "tier_not_available", naming: "'gold'")
        }
    }

    @Test(arguments: [
        (#","tools":[{"type":"web_search"}]"#, "web search"), (#","web_search_options":{}"#, "web search"),
        (#","tools":[{"type":"code_interpreter","container":{"type":"auto"}}]"#, "code interpreter"),
        (#","tools":[{"type":"file_search","vector_store_ids":[]}]"#, "file search"),
        (#","tools":[{"type":"shell"}]"#, "the tool 'shell'"), (#","plugins":["PDF"]"#, "the tool 'PDF'"),
        (#","tools":[{"type":"function","function":{"name":"f"}},{"type":"new_tool_2027"}]"#, "'new_tool_2027'"),
        (#","enable_search":true"#, "web search"),
    ])
    func `a tool without a price is refused`(extra: String, name: String) async throws {
        try await withGateway { (gateway: TestGateway) throws in
            refused(try gateway.ask(TestGateway.request(TestGateway.chat(extra))), naming: name)
            #expect(gateway.engine.requests.isEmpty)
        }
    }

    @Test func `a tool with a price is served`() async throws {
        try await withGateway("models: {price-small: {input: \"1\", output: \"2\", searches: \"10000\"}}") {
            (gateway: TestGateway) throws in
            let body = TestGateway.chat(#","web_search_options":{}"#)
            #expect(try gateway.ask(TestGateway.request(body)).status == 200)
        }
    }

    @Test(arguments: [
        ("input_image: none", #"{"type":"image_url","image_url":{"url":"x"}}"#, "pictures as input"),
        ("input_audio: none", #"{"type":"input_audio","input_audio":{"data":"x","format":"wav"}}"#, "sound as input"),
        ("input_video: none", #"{"type":"video_url","video_url":{"url":"x"}}"#, "video as input"),
    ])
    func `a kind of input that the plan prices as none is refused`(
        price: String, part: String, name: String
    ) async throws {
        try await withGateway("models: {price-small: {input: \"1\", output: \"2\", \(price)}}") {
            (gateway: TestGateway) throws in
            let body = #"{"model":"small","messages":[{"role":"user","content":[\#(part)]}]}"#
            refused(try gateway.ask(TestGateway.request(body)), naming: name)
            #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        }
    }

    @Test(arguments: [
        ("/v1/chat/completions", TestGateway.chat(), false),
        ("/v1/embeddings", #"{"model":"small","input":"a"}"#, true),
        ("/v1/audio/speech", #"{"model":"small","input":"a","voice":"x"}"#, false),
        ("/v1/images/generations", #"{"model":"small","prompt":"a"}"#, false),
    ])
    func `answers of a kind that the plan has no price for are refused`(
        path: String, body: String, isSold: Bool
    ) async throws {
        try await withGateway("models: {price-small: {input: \"1\", output: none}}") { (gateway: TestGateway) throws in
            let answer = try gateway.ask(TestGateway.request(body, path: path))
            if isSold { #expect(answer.status == 200) } else { refused(answer, naming: "answers of this kind") }
        }
    }

    @Test(arguments: [
        (#"models: {price-small: {input: "1", output: none}}"#, #"{"text":"a"}"#, true, ""),
        (#"models: {price-small: {input: none, output: "1"}}"#, #"{"text":"a"}"#, false, "answers of this kind"),
        (#"models: {other: {input: "1", output: "1"}}"#, #"{"text":"a"}"#, false, "small"),
        (
            #"models: {price-small: {input: "1", output: none, input_image: none}}"#,
            #"{"inlineData":{"mimeType":"image/png","data":"AA"}}"#, false, "pictures as input"
        ),
    ])
    func `Google's embeddings are sold like others`(
        plan: String, part: String, isSold: Bool, name: String
    ) async throws {
        try await withGateway(plan, kind: .gemini) { (gateway: TestGateway) throws in
            for (action, body) in [
                ("embedContent", #"{"content":{"parts":[\#(part)]}}"#),
                ("batchEmbedContents", #"{"requests":[{"model":"models/small","content":{"parts":[\#(part)]}}]}"#),
            ] {
                let path = "/engines/scripted/v1beta/models/small:\(action)"
                let answer = try gateway.ask(TestGateway.request(body, path: path))
                #expect(answer.status == (isSold ? 200 : 403) && answer.text.contains(name), "\(answer.text)")
            }
            #expect(gateway.engine.requests.count == (isSold ? 2 : 0))
        }
    }

    @Test func `a plan that says so serves what it has no price for`() async throws {
        try await withGateway("unpriced: suspend\nmodels: {other: {input: \"1\", output: \"2\"}}") {
            (gateway: TestGateway) throws in
            let body = TestGateway.chat(#","web_search_options":{}"#)
            #expect(try gateway.ask(TestGateway.request(body)).status == 200)
        }
    }

    @Test func `a plan that is not in force yet sells nothing`() async throws {
        try await withGateway(from: "2090-01-01T00:00:00Z") { (gateway: TestGateway) throws in
            refused(try gateway.ask(TestGateway.request(TestGateway.chat())), naming: "in force")
        }
    }

    @Test(arguments: [
        ("batch: {prices: {other: {input: \"1\", output: \"1\"}}}", "", "in batches"),
        ("batch: {multiplier: \"0.5\"}", #","tools":[{"type":"web_search"}]"#, "web search"),
    ])
    func `a file for a batch that the plan does not sell is refused`(
        batch: String, extra: String, name: String
    ) async throws {
        let plan =
            "models: {price-small: {input: \"1\", output: \"2\"}, other: {input: \"1\", output: \"2\"}}\n" + batch
        try await withGateway(plan) { (gateway: TestGateway) throws in
            let line =
                #"{"custom_id":"a","method":"POST","url":"/v1/responses","#
                + #""body":{"model":"small","input":"x"\#(extra)}}"#
            let body =
                "--b\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\ncontent-disposition: "
                + "form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n\(line)\r\n--b--\r\n"
            let request =
                "POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(TestGateway.key)\r\n"
                + "content-type: multipart/form-data; boundary=b\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)"
            refused(try gateway.ask(request), naming: name)
        }
    }

    @Test func `a served tier without a price bills the tier that was asked for, and says so`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.plain(body: Answers.plainBody().replacing(#""default""#, with: #""scale""#)))
        }
        let snapshot = TestGateway.snapshot(port: engine.port, prices: try Self.prices(Self.usual))
        let gateway = try await TestGateway(engine: engine, snapshot: snapshot)
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.header("x-tollgate-cost") == "0.00000345")
        let record = try gateway.record()
        #expect(record.attempts[0].notes == .tierUnpriced)
        await gateway.stop()
    }
}
