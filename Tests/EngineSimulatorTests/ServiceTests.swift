import EngineSimulator
import Testing

/// Tokenizers and metrics.
@Suite(.timeLimit(.minutes(10)))
struct ServiceTests {
    private static let messages = #""messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]"#

    @Test func `every way of counting a chat gives what the chat is charged`() async throws {
        try await withSimulator { simulator in
            let chat = try await RawClient.post(
                simulator.port, "/v1/chat/completions", #"{"model":"m",\#(Self.messages)}"#
            ).json()
            #expect(chat["usage"]["prompt_tokens"].int == 5)
            func post(_ path: String, _ body: String) async throws -> JSONProbe {
                try await RawClient.post(simulator.port, path, body).json()
            }
            #expect(try await post("/tokenize", #"{"model":"m",\#(Self.messages)}"#)["count"].int == 5)
            let tgi = try await post("/chat_tokenize", "{\(Self.messages)}")
            #expect(tgi["tokenize_response"].elements.count == 5)
            let text = try #require(try await post("/apply-template", "{\(Self.messages)}")["prompt"].string)
            #expect(try await post("/tokenize", #"{"content":"\#(text)"}"#)["tokens"].elements.count == 5)
            #expect(try await post("/tokenize", #"{"inputs":"\#(text)"}"#).elements.count == 5)
        }
    }

    @Test(arguments: [
        ("vllm", "/metrics", #"vllm:num_requests_waiting{engine="0",model_name="sim-large"} 7"#),
        ("tgi", "/metrics", "tgi_queue_size 7"), ("trtllm", "/prometheus/metrics", "trtllm_num_requests_waiting{"),
        ("trtllm", "/metrics", #""numActiveRequests":0"#), ("nim", "/v1/metrics", "\nnum_requests_waiting{"),
        ("ray-serve", "/metrics", "ray_vllm:num_requests_waiting{"),
        ("triton", "/metrics", #"request_type="waiting"} 7"#), ("tenstorrent", "/metrics", "tt_max_queue_size 256"),
    ])
    func `each kind tells of its load under its own names`(flavour: String, path: String, row: String) async throws {
        try await withSimulator("flavour=\(flavour),waiting_requests=7,cache_percent=40") { simulator in
            _ = try await simulator.chat(#""max_tokens":3"#)
            let text = try await RawClient.send(port: simulator.port, "GET", path).body
            #expect(text.contains(row), "\(text)")
            if flavour == "vllm" {
                #expect(text.contains("vllm:generation_tokens_total{engine=\"0\",model_name=\"sim-large\"} 3\n"))
                #expect(text.contains("vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"sim-large\"} 0.400\n"))
            }
        }
    }
}
