import Engines
import TestSupport
import Testing

struct CapacityReaderTests {
    private func read(_ text: String) -> EngineCapacity { read(Array(text.utf8)) }

    private func read(_ bytes: [UInt8]) -> EngineCapacity { bytes.withUnsafeBytes { CapacityReader.read($0) } }

    private func capacity(
        queued: Int64? = nil, running: Int64? = nil, max: Int64? = nil, memory: Int64? = nil, prompt: Int64? = nil,
        generated: Int64? = nil
    ) -> EngineCapacity {
        var capacity = EngineCapacity()
        capacity.queued = queued
        capacity.running = running
        capacity.requestsMax = max
        capacity.memoryUsePermille = memory
        capacity.promptTokens = prompt
        capacity.generatedTokens = generated
        return capacity
    }

    @Test func `several engines and models behind one address are added, the fullest memory counts`() {
        let text = """
            # HELP vllm:num_requests_waiting waiting
            vllm:num_requests_waiting{engine="0",model_name="a } \\" b"} 2.0
            vllm:num_requests_waiting{engine="1",model_name="a"} 5.0 1700000000000
            vllm:num_requests_running{engine="0"} 1e1
            vllm:kv_cache_usage_perc{engine="0"} 0.125
            vllm:kv_cache_usage_perc{engine="1"} 0.9996
            vllm:prompt_tokens_total{engine="0"} 1.5e+06
            vllm:generation_tokens_total 7.0
            vllm:generation_tokens_created 1.79e+09
            """
        #expect(read(text) == capacity(queued: 7, running: 10, memory: 1000, prompt: 1_500_000, generated: 7))
    }

    @Test func `trtllm-serve's and SGLang's names are known`() {
        let nvidia = """
            trtllm_num_requests_waiting{engine_type="tensorrt"} 4
            trtllm_num_requests_running{engine_type="tensorrt"} 9
            trtllm_kv_cache_utilization{engine_type="tensorrt"} 0.31
            trtllm_prompt_tokens_total{engine_type="tensorrt"} 100
            trtllm_generation_tokens_total{engine_type="tensorrt"} 200
            """
        #expect(read(nvidia) == capacity(queued: 4, running: 9, memory: 310, prompt: 100, generated: 200))
        #expect(
            read("sglang:num_queue_reqs 1\nsglang:num_running_reqs 2\nsglang:token_usage 0.5\n")
                == capacity(queued: 1, running: 2, memory: 500))
    }

    @Test func `Tenstorrent's held requests are running as far as they decode, and waiting beyond`() {
        #expect(
            read("tt_num_requests_in_flight 12\ntt_num_decoding_requests 8\ntt_max_queue_size 12\n")
                == capacity(queued: 4, running: 8, max: 12))
        #expect(read("tt_num_requests_in_flight 12\n") == capacity(queued: 0, running: 12))
    }

    @Test(arguments: [
        "", "\n\n", "# TYPE x gauge\n", "vllm:num_requests_waiting\n", "vllm:num_requests_waiting \n",
        "vllm:num_requests_waiting NaN\n", "vllm:num_requests_waiting -1\n", "vllm:num_requests_waiting +Inf\n",
        "vllm:num_requests_waiting{a=\"b\n", "vllm:num_requests_waiting 1e300\n", "{\"iter\": 3}",
        "vllm:num_requests_waiting x\n",
    ])
    func `what is no figure is not read`(text: String) {
        #expect(read(text) == EngineCapacity())
    }

    @Test func `an engine is saturated when work waits, memory is nearly full, or it holds all that it takes`() {
        #expect(capacity(queued: 1).isSaturated && capacity(memory: 950).isSaturated)
        #expect(capacity(queued: 0, running: 8, max: 8).isSaturated)
        #expect(!capacity(queued: 0, running: 7, max: 8, memory: 949).isSaturated && !EngineCapacity().isSaturated)
    }

    /// By hand from the files.
    private static let samples: [(String, EngineCapacity)] = {
        let make = CapacityReaderTests().capacity
        return [
            ("vllm/metrics.prom", make(3, 8, nil, 420, 181_234, 27_453)),
            ("triton/metrics.trtllm.prom", make(3, 4, 512, 600, nil, nil)),
            ("tgi/metrics.prom", make(0, 5, nil, nil, 9200, 14_800)),
            ("nvidia-nim/metrics.v1x.prom", make(0, 3, nil, 120, 1200, 900)),
            ("ray-serve/metrics.prom", make(0, 2, nil, nil, nil, nil)),
            ("tenstorrent/metrics.prom", make(0, 1, 64, nil, 42, 16)),
            // The recorded llama.cpp: 770 tokens of prompts that were not cached, 451 of answers.
            ("recorded-llamacpp/metrics.res", make(0, 0, nil, nil, 770, 451)),
        ]
    }()

    @Test(.enabled(if: WireSampleTests.folder != nil), arguments: samples)
    func `recorded metrics are read`(name: String, expected: EngineCapacity) throws {
        #expect(read(WireSampleTests.body(try #require(WireSampleTests.bytes(name)))) == expected)
    }
}
