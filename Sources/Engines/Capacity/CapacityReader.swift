/// Reads the few series that routing needs from an engine's Prometheus text, whichever engine it is: their names do not
/// clash. Names as in the model server protocol of the Gateway API's inference extension, and as the engines' sources
/// have them. Several series of one name (one a model, one an engine behind the address) are added.
public struct CapacityReader {
    private enum Field {
        case queued, running, requestsMax, memory, promptTokens, generatedTokens
        /// Tenstorrent's: all that it holds, waiting or not.
        case held
        /// TensorRT-LLM behind Triton: the label says which.
        case tritonRequests, tritonMemory
    }

    /// The longest line that is looked at, in bytes.
    private static let lineBytesMax = 4096
    /// Figures beyond this are a mistake.
    private static let countMax = 1e15

    private var capacity = EngineCapacity()
    private var held: Int64?

    private init() {}

    /// What the text says; all nil where it names none of the known series.
    public static func read(_ text: UnsafeRawBufferPointer) -> EngineCapacity {
        var reader = CapacityReader()
        for line in text.split(separator: UInt8(ascii: "\n")) where line.count <= lineBytesMax {
            reader.take(line)
        }
        return reader.result
    }

    private var result: EngineCapacity {
        var result = capacity
        if let held {
            result.running = capacity.running ?? held
            result.queued = max(0, held - (result.running ?? 0))
        }
        return result
    }

    private mutating func take(_ line: Slice<UnsafeRawBufferPointer>) {
        guard let first = line.first, first != UInt8(ascii: "#") else { return }
        guard let nameEnd = line.firstIndex(where: { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: " ") }) else {
            return
        }
        guard let field = Self.field(of: String(decoding: line[..<nameEnd], as: UTF8.self)) else { return }
        var labels = line[nameEnd..<nameEnd]
        var rest = line[nameEnd...]
        if line[nameEnd] == UInt8(ascii: "{") {
            guard let close = Self.endOfLabels(rest) else { return }
            labels = line[nameEnd...close]
            rest = line[line.index(after: close)...]
        }
        // A timestamp may follow the value.
        guard let text = rest.split(separator: UInt8(ascii: " ")).first,
            let value = Double(String(decoding: text, as: UTF8.self)), value >= 0, value <= Self.countMax
        else { return }
        put(value, field, labels: String(decoding: labels, as: UTF8.self))
    }

    private mutating func put(_ value: Double, _ field: Field, labels: String) {
        let count = Int64(value)
        switch field {
        case .queued: capacity.queued = (capacity.queued ?? 0) + count
        case .running: capacity.running = (capacity.running ?? 0) + count
        case .requestsMax: capacity.requestsMax = (capacity.requestsMax ?? 0) + count
        case .memory: putMemory(value)
        case .promptTokens: capacity.promptTokens = (capacity.promptTokens ?? 0) + count
        case .generatedTokens: capacity.generatedTokens = (capacity.generatedTokens ?? 0) + count
        case .held: held = (held ?? 0) + count
        case .tritonRequests:
            if labels.contains("request_type=\"waiting\"") { put(value, .queued, labels: "") }
            if labels.contains("request_type=\"scheduled\"") { put(value, .running, labels: "") }
            if labels.contains("request_type=\"max\"") { put(value, .requestsMax, labels: "") }
        case .tritonMemory:
            if labels.contains("kv_cache_block_type=\"fraction\"") { putMemory(value) }
        }
    }

    private mutating func putMemory(_ fraction: Double) {
        let permille = Int64((min(fraction, 1) * 1000).rounded())
        capacity.memoryUsePermille = max(capacity.memoryUsePermille ?? 0, permille)
    }

    /// The closing brace; braces and escaped quotes may stand inside values.
    private static func endOfLabels(_ text: Slice<UnsafeRawBufferPointer>) -> Int? {
        var isQuoted = false
        var index = text.startIndex
        while index < text.endIndex {
            switch text[index] {
            case UInt8(ascii: "\\") where isQuoted: index += 1
            case UInt8(ascii: "\""): isQuoted.toggle()
            case UInt8(ascii: "}") where !isQuoted: return index
            default: break
            }
            index += 1
        }
        return nil
    }

    private static func field(of name: String) -> Field? {
        // Ray puts its own prefix before vLLM's names, and in some versions replaces their colon.
        if name.hasPrefix("ray_vllm:") { return fields["vllm:" + name.dropFirst(9)] }
        if name.hasPrefix("ray_vllm_") { return fields["vllm:" + name.dropFirst(9)] }
        return fields[name]
    }

    private static let fields: [String: Field] = [
        // vLLM; also SGLang's own, TensorRT-LLM's `trtllm-serve`, and NVIDIA NIM 1.x, which has no prefix.
        "vllm:num_requests_waiting": .queued, "vllm:num_requests_running": .running,
        "vllm:kv_cache_usage_perc": .memory, "vllm:gpu_cache_usage_perc": .memory,
        "vllm:prompt_tokens_total": .promptTokens, "vllm:generation_tokens_total": .generatedTokens,
        "sglang:num_queue_reqs": .queued, "sglang:num_running_reqs": .running, "sglang:token_usage": .memory,
        "sglang:prompt_tokens_total": .promptTokens, "sglang:generation_tokens_total": .generatedTokens,
        "trtllm_num_requests_waiting": .queued, "trtllm_num_requests_running": .running,
        "trtllm_kv_cache_utilization": .memory, "trtllm_prompt_tokens_total": .promptTokens,
        "trtllm_generation_tokens_total": .generatedTokens,
        "num_requests_waiting": .queued, "num_requests_running": .running, "gpu_cache_usage_perc": .memory,
        "prompt_tokens_total": .promptTokens, "generation_tokens_total": .generatedTokens,
        "nv_trt_llm_request_metrics": .tritonRequests, "nv_trt_llm_kv_cache_block_metrics": .tritonMemory,
        "tgi_queue_size": .queued, "tgi_batch_current_size": .running,
        "tgi_request_input_length_sum": .promptTokens, "tgi_request_generated_tokens_sum": .generatedTokens,
        "llamacpp:requests_deferred": .queued, "llamacpp:requests_processing": .running,
        "llamacpp:kv_cache_usage_ratio": .memory, "llamacpp:prompt_tokens_total": .promptTokens,
        "llamacpp:tokens_predicted_total": .generatedTokens,
        "tt_num_requests_in_flight": .held, "tt_num_decoding_requests": .running, "tt_max_queue_size": .requestsMax,
        "tt_prompt_tokens_total": .promptTokens, "tt_generation_tokens_total": .generatedTokens,
    ]
}
