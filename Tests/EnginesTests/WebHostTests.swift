import Metering
import Testing

@testable import Engines

/// Addresses of the operator's own network, caches that others fill, and tools that pass by another's name.
@Suite struct WebHostTests {
    private func read(_ body: String, _ surface: Surface = .chatCompletions) throws -> InferenceRequest {
        try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, surface: surface) }
    }

    private func picture(_ address: String) -> String {
        #"{"model":"m","messages":[{"content":[{"type":"image_url","image_url":{"url":"\#(address)"}}]}]}"#
    }

    @Test(arguments: [
        "http://169.254.169.254/latest/meta-data", "http://127.0.0.1:8001/metrics", "http://10.0.0.5/", "http://[::1]/",
        "http://localhost/", "http://metadata.google.internal/", "http://2130706433/", "http://127.1/",
        "http://0x7f000001/", "http://0177.0.0.1/", "http://0x7f.0.0.1/", "http://192.168.1.1", "http://172.31.0.1/x",
        "http://100.64.0.1/", "http://[fd00::1]/", "http://[::ffff:10.0.0.1]/", "http://[2002:a00:1::]/",
        "http://metadata/", "http://vllm-0.models.svc/", "http://a.b.svc.cluster.local/", "http://localhost./",
        "http://user@10.0.0.1/", "http://example.com@10.0.0.1/", #"http://10.0.0.1\\@example.com/"#,
        "http://exa%6dple.com/",
        "http://\u{FF11}27.0.0.1/", "http:/127.0.0.1/", "http:127.0.0.1", "http:///x", "http://0/", "http://a..b/",
        #"ht\ntp://10.0.0.1/"#, #"http:\/\/10.0.0.1\/"#, "http://1.2.3.4.5/", "http://300.1.1.1/", "http://a.io:x/",
        "http://printer.local/", "http://192.168.1.1.:80/", "http://kubernetes.default/", "http://redis.default:6379/",
        "http://postgres.tollgate/", "http://vault.service.consul:8200/", "http://x.cluster/", "http://a.test/",
        "http://a.invalid/", "http://www.example/", "http://metadata.goog/computeMetadata/v1/",
        "http://METADATA.GOOG./", "http://10.0.0.1.nip.io/", "http://api.kube-system/", "http://a.b.production/",
        "http://in-addr.arpa/", "http://gitlab.k8s/", "http://minio.storage.cluster1/", "http://a.onion/",
    ])
    func `an address of the operator's own network is refused`(address: String) {
        let error = #expect(throws: RequestError.self) { try read(picture(address)) }
        #expect(error?.code == "address_not_available")
    }

    @Test(arguments: [
        "https://example.com/a.png", "http://example.com:8080/a.png?x=http://10.0.0.1/", "https://8.8.8.8/a.png",
        "https://[2606:4700::1111]/a.png", "https://a-b.example.co.uk/#x", "HTTPS://EXAMPLE.COM/",
        #"https:\/\/example.com\/"#,
        "https://xn--bcher-kva.example.org./a.png", "https://172.32.0.1/", "https://my_bucket.s3.amazonaws.com/x",
        "https://picsum.photos/200", "https://a.dev/", "https://goo.gl/x", "https://placehold.co/600x400",
        "https://x.xn--p1ai/", "https://pages.goog/", "https://cdn.shop/", "https://t.me/x",
    ])
    func `the public web passes`(address: String) throws {
        #expect(try read(picture(address)).namesAddress)
    }

    @Test(arguments: [
        #""server_label":"a","server_url":"http://10.0.0.1:8000/mcp""#, #""server_label":"a","server_url":"container""#,
        #""server_label":"a","server_url":"file:///x""#, #""server_url":"http://mcp.tools@10.0.0.1/sse""#,
        #""server_url":"http://mcp.default:8000/""#, #""server_url":"""#,
    ])
    func `a server of the operator's network is refused as any address is`(members: String) {
        let error = #expect(throws: RequestError.self) {
            try read(#"{"model":"m","input":"x","tools":[{"type":"mcp",\#(members)}]}"#, .responses)
        }
        #expect(error?.code == "address_not_available")
    }

    @Test func `a server without an address may be one of the engine's own`() throws {
        let request = try read(#"{"model":"m","input":"x","tools":[{"type":"mcp","server_label":"a"}]}"#, .responses)
        #expect(request.otherTool == "mcp without server_url" && request.features.contains(.otherTool))
    }

    @Test(arguments: ["code_interpreter", "Web_Search_Preview", "browser", "python", "container"])
    func `a label turns on a tool of an engine's own where labels mean anything`(label: String) throws {
        let server = #""server_url":"https://a.example.org","server_label":"\#(label)""#
        for members in [#""type":"mcp",\#(server)"#, #"\#(server),"type":"mcp""#] {
            let request = try read(#"{"model":"m","input":"x","tools":[{\#(members)}]}"#, .responses)
            #expect(request.restricted(on: [.vllm])?.path == "tools.server_label")
            #expect(request.restricted(on: [.openAI, .azure, .xai]) == nil && request.otherTool == nil)
        }
    }

    @Test func `a server on the web passes`() throws {
        let members = #""server_label":"a","server_url":"https://mcp.example.org/x""#
        let request = try read(#"{"model":"m","input":"x","tools":[{"type":"mcp",\#(members)}]}"#, .responses)
        #expect(request.otherTool == nil && request.takesItsOwnTime)
    }

    @Test(arguments: [
        #""messages":[{"content":[{"type":"image_url","image_url":null,"uuid":"sku-1"}]}]"#,
        #""messages":[{"content":[{"type":"image_url","image_url":{},"uuid":"sku-1"}]}]"#,
        #""messages":[{"content":[{"uuid":"x","type":"image_url","image_url":{"url":"https://example.com/a"}}]}]"#,
        #""messages":[],"mm_uuids":["x"]"#, #""messages":[],"nvext":{"agent_hints":{"priority":10}}"#,
        #""messages":[],"nvext":{"annotations":[],"token_data":[1]}"#,
        #""messages":[],"nvext":{"backend_instance_id":5}"#,
        #""messages":[],"extra_headers":{"anthropic-beta":"x"}"#, #""messages":[],"organization":"org""#,
        #""messages":[],"additional_drop_params":["stream_options"]"#, #""messages":[],"vertex_credentials":"x""#,
        #""messages":[{"content":[{"type":"input_audio","uuid":"a"}]}]"#,
        #""messages":[{"content":[{"uuid":"a","video_url":{"url":"https://example.com/a"}}]}]"#,
        #""messages":[{"content":[{"type":"image_embeds","image_embeds":null,"uuid":"a"}]}]"#,
    ])
    func `caches, places in a queue and settings of a proxy are not the client's to choose`(members: String) throws {
        let request = try read(#"{"model":"m",\#(members)}"#)
        #expect(request.restricted(on: [.openAICompatible]) != nil)
        #expect(request.restricted(on: [.openAI]) == nil)
    }

    @Test(arguments: [
        #""messages":[{"content":"uuid"}]"#, #""messages":[],"nvext":{"annotations":["x"]}"#,
        #""messages":[{"content":[{"type":"text","text":"a","uuid":null}]}]"#,
        #""messages":[{"content":[{"type":"text","text":"a","uuid":"msg-1"}]}]"#,
        #""messages":[{"role":"user","content":"x","uuid":"m1"}]"#,
        #""messages":[{"uuid":"m","content":[{"type":"image_url","image_url":{"url":"https://a.io/"}}]}]"#,
        #""messages":[{"role":"assistant","tool_calls":[{"function":{"arguments":{"uuid":"x"}}}]}]"#,
    ])
    func `what is none of that passes`(members: String) throws {
        #expect(try read(#"{"model":"m",\#(members)}"#).restricted(on: EngineKind.allCases) == nil)
    }

    // MARK: Streams by another name

    private static let events =
        (0..<50).map { _ in
            #"{"choices":[{"index":0,"delta":{"content":"word "}}]}"#
        } + [#"{"choices":[],"usage":{"prompt_tokens":500,"completion_tokens":300,"total_tokens":800}}"#]

    @Test(arguments: [
        "text/plain", "", "text/plain; charset=utf-8", "application/octet-stream", "text/event-stream",
        "application/json", "text/html; charset=utf-8", "application/problem+json", "image/png", "audio/mpeg",
    ])
    func `events are read whatever the engine calls them`(type: String) throws {
        let text = Self.events.map { "data: \($0)\n\n" }.joined() + "data: [DONE]\n\n"
        let fixture = AnswerFixture(isStream: true, contentType: type)
        let reading = try fixture.read(text)
        let attempt = try fixture.attempts(reading.facts)[0]
        #expect(reading.isTerminated && attempt.buckets.inputTotal == 500 && attempt.buckets.outputTotal == 300)
    }

    @Test(arguments: [
        "application/x-ndjson", "application/jsonl", "application/ndjson; charset=utf-8", "application/json",
        "application/stream+json", "text/event-stream", "", "text/plain", "application/json-seq", "text/html",
    ])
    func `so are lines of JSON`(type: String) throws {
        let fixture = AnswerFixture(isStream: true, contentType: type)
        let attempt = try fixture.attempts(try fixture.read(Self.events.joined(separator: "\n") + "\n").facts)[0]
        #expect(attempt.buckets.inputTotal == 500 && attempt.buckets.outputTotal == 300)
    }

    @Test func `a document stays one`() throws {
        let fixture = AnswerFixture(isStream: true, contentType: "application/json")
        let text = #"{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":5,"completion_tokens":3}}"#
        #expect(try fixture.attempts(try fixture.read(text).facts)[0].buckets.outputTotal == 3)
    }

    // MARK: Interactions

    @Test(
        arguments: [
            (
                #"{"outputs":[{"type":"google_search_call","arguments":{"queries":["a","b","c"]}},{"type":"text"}]}"#,
                3
            ),
            (#"{"steps":[{"type":"google_search_call","arguments":{"queries":["a"]}}]}"#, 1),
            (#"{"outputs":[{"type":"google_search_call"}]}"#, 1),
            (#"{"steps":[{"type":"google_search_call"},{"type":"google_search_call"},{"type":"x"}]}"#, 2),
            (
                #"{"outputs":[{"type":"google_search_call"},{"type":"text","text":"x"},{"type":"google_search_call"},"#
                    + #"{"type":"google_search_call","arguments":{"queries":["a"]}}]}"#, 3
            ), (#"{"outputs":[{"type":"text","text":"x"}]}"#, 0),
        ] as [(String, Int64)])
    func `an interaction's searches count`(answer: String, count: Int64) {
        let facts = NativeFixture.read(answer, NativeFixture.Answer(surface: .geminiGenerate))
        #expect(facts.units.searches == count)
    }

    @Test func `in its stream, too`() {
        let text =
            #"data: {"content":{"type":"google_search_call"}}"# + "\n\n"
            + #"data: {"delta":{"arguments":{"queries":["a","b"]}}}"# + "\n\n"
        let answer = NativeFixture.Answer(
            surface: .geminiGenerate, isStream: true, contentType: NativeFixture.eventStream)
        #expect(NativeFixture.read(text, answer).units.searches == 2)
    }

    // MARK: Tiers

    @Test(
        arguments: [
            (EngineKind.vllm, Surface.chatCompletions, "flex", "standard"),
            (.llamaCpp, .chatCompletions, "flex", "standard"),
            (.together, .completions, "flex", "standard"), (.anthropic, .messages, "flex", "standard"),
            (.openAI, .embeddings, "flex", "standard"),
            (.openAI, .imageGenerations, "flex", "standard"), (.openAI, .chatCompletions, "flex", nil),
            (.vllm, .chatCompletions, "priority", "standard"), (.tgi, .chatCompletions, "scale", "standard"),
            (.openAICompatible, .chatCompletions, "flex", nil),
        ] as [(EngineKind, Surface, String, String?)])
    func `a cheaper tier is served where there are tiers`(
        kind: EngineKind, surface: Surface, asked: String, served: String?
    ) throws {
        let fixture = AnswerFixture(
            kind: kind, surface: surface,
            request: #"{"model":"m","messages":[],"prompt":"p","input":"i","service_tier":"\#(asked)"}"#)
        let facts = try fixture.read(#"{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":1}}"#).facts
        #expect(try fixture.attempts(facts)[0].tierServed == served)
    }

    @Test(arguments: [(["priority"], nil), ([], "standard"), (["flex"], "standard")] as [([String], String?)])
    func `a backend of one's own serves the tiers that the catalogue says`(tiers: [String], served: String?) throws {
        var fixture = AnswerFixture(
            kind: .vllm, request: #"{"model":"m","messages":[],"service_tier":"priority"}"#)
        fixture.tiers = tiers
        let facts = try fixture.read(#"{"choices":[{"message":{"content":"a"}}]}"#).facts
        #expect(try fixture.attempts(facts)[0].tierServed == served)
    }
}
