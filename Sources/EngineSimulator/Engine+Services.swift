/// What engines have beside inference: models, tokenizers, metrics.
extension Engine {
    func modelList() -> String {
        "{\"object\":\"list\",\"data\":[\(configuration.models.map(modelJSON).joined(separator: ","))]}"
    }

    private func modelJSON(_ model: String) -> String {
        JSONText.object([
            "id": JSONText.quoted(model), "object": "\"model\"", "type": "\"model\"", "created": "0",
            "created_at": "\"2026-01-01T00:00:00Z\"", "display_name": JSONText.quoted(model),
            "owned_by": "\"simulator\"", "max_model_len": String(configuration.contextTokensMax),
        ])
    }

    func showModel(_ exchange: Exchange) -> PreparedAnswer {
        let model = exchange.parameters[0]
        guard configuration.models.contains(model) else {
            return ErrorEnvelope.openai.answer(
                EngineError(status: 404, message: "The model `\(model)` does not exist."))
        }
        return PreparedAnswer(body: modelJSON(model))
    }

    // MARK: Tokenizers

    /// `POST /tokenize`: vLLM's with `prompt` or `messages`, llama.cpp's with `content`, TGI's with `inputs`.
    func tokenize(_ exchange: Exchange) -> PreparedAnswer {
        do throws(EngineError) {
            let body = try exchange.object()
            if let content = body["content"]?.string, body["prompt"] == nil {
                let count = EngineRequest.tokenCount([content])
                return PreparedAnswer(body: "{\"tokens\":[\((0..<count).map(String.init).joined(separator: ","))]}")
            }
            if let inputs = body["inputs"]?.string {
                return PreparedAnswer(body: Self.tgiTokens(EngineRequest.tokenCount([inputs])))
            }
            // A text is counted as a completion's prompt, messages as a chat's.
            let operation: Operation = body["messages"] != nil ? .chat : .completions
            let request = try EngineRequest(
                operation: operation, body: body, contextTokensMax: configuration.contextTokensMax)
            let count = request.promptTokens.reduce(0, +)
            let tokens = (0..<count).map(String.init).joined(separator: ",")
            return PreparedAnswer(
                body: "{\"count\":\(count),\"max_model_len\":\(configuration.contextTokensMax),\"tokens\":[\(tokens)]}"
            )
        } catch {
            return PreparedAnswer(status: error.status, body: error.json)
        }
    }

    /// TGI's `POST /chat_tokenize`.
    func chatTokenize(_ exchange: Exchange) -> PreparedAnswer {
        do throws(EngineError) {
            let texts = try Self.messageTexts(exchange)
            let tokens = Self.tgiTokens(EngineRequest.tokenCount(texts))
            let text = JSONText.quoted(Self.templated(texts))
            return PreparedAnswer(body: "{\"tokenize_response\":\(tokens),\"templated_text\":\(text)}")
        } catch {
            return ErrorEnvelope.tgi.answer(error)
        }
    }

    /// llama.cpp's `POST /apply-template`: the text whose tokens are a chat's prompt.
    func applyTemplate(_ exchange: Exchange) -> PreparedAnswer {
        do throws(EngineError) {
            let text = Self.templated(try Self.messageTexts(exchange))
            return PreparedAnswer(body: "{\"prompt\":\(JSONText.quoted(text))}")
        } catch {
            return PreparedAnswer(status: error.status, body: error.json)
        }
    }

    private static func messageTexts(_ exchange: Exchange) throws(EngineError) -> [String] {
        guard let messages = try exchange.object()["messages"]?.array, !messages.isEmpty else {
            throw .badRequest("Field required", "messages")
        }
        return messages.map { EngineRequest.contentText($0["content"]) }
    }

    /// A word between messages, so that the text has as many tokens as they.
    private static func templated(_ texts: [String]) -> String { texts.joined(separator: " <|turn|> ") }

    private static func tgiTokens(_ count: Int) -> String {
        let tokens = (0..<count).map { "{\"id\":\($0),\"text\":\"t\",\"start\":\($0),\"stop\":\($0 + 1)}" }
        return "[\(tokens.joined(separator: ","))]"
    }

    // MARK: Metrics

    /// The metrics of the flavour in force, in Prometheus' text. TensorRT-LLM's own `/metrics` is JSON.
    func metrics(_ exchange: Exchange) -> PreparedAnswer {
        let behavior = control.snapshot(now: Self.now()).base
        let totals = log.totals()
        let running = totals.byOutcome[.running] ?? 0
        if behavior.flavour == .trtllm, exchange.path == "/metrics" {
            return PreparedAnswer(body: "[{\"iter\":1,\"numActiveRequests\":\(running),\"iterLatencyMS\":1.0}]")
        }
        let gauges = Gauges(
            running: running, waiting: behavior.waitingRequests, cachePercent: behavior.cachePercent, totals: totals,
            model: configuration.models.first ?? "")
        return PreparedAnswer(
            contentType: "text/plain; version=0.0.4; charset=utf-8", body: gauges.text(behavior.flavour))
    }
}

/// What an engine tells of its load, under the names of its kind.
private struct Gauges {
    let running: Int
    let waiting: Int
    let cachePercent: Int
    let totals: RequestLog.Totals
    let model: String

    func text(_ flavour: Behavior.Flavour) -> String {
        let cache = JSONText.milliseconds(cachePercent * 10)
        let prompt = totals.promptTokens
        let generated = totals.completionTokensProduced
        switch flavour {
        case .tgi, .lmi:
            return lines([
                ("tgi_queue_size", waiting.description), ("tgi_batch_current_size", running.description),
                ("tgi_request_input_length_sum", prompt.description),
                ("tgi_request_generated_tokens_sum", generated.description),
            ])
        case .trtllm: return common("trtllm_", cache: ("trtllm_kv_cache_utilization", cache))
        case .nim: return common("", cache: ("gpu_cache_usage_perc", cache))
        case .ray: return common("ray_vllm:", cache: ("ray_vllm:gpu_cache_usage_perc", cache))
        case .triton:
            let name = "nv_trt_llm_request_metrics{model=\"\(model)\",version=\"1\",request_type="
            let blocks = "nv_trt_llm_kv_cache_block_metrics{model=\"\(model)\",version=\"1\",kv_cache_block_type="
            return lines([
                (name + "\"waiting\"}", waiting.description), (name + "\"scheduled\"}", running.description),
                (blocks + "\"fraction\"}", cache),
            ])
        case .tenstorrent:
            return lines([
                ("tt_num_requests_in_flight", (running + waiting).description), ("tt_max_queue_size", "256"),
                ("tt_num_decoding_requests", running.description), ("tt_prompt_tokens_total", prompt.description),
                ("tt_generation_tokens_total", generated.description),
            ])
        default: return common("vllm:", cache: ("vllm:kv_cache_usage_perc", cache))
        }
    }

    private func common(_ prefix: String, cache: (String, String)) -> String {
        let label = "{engine=\"0\",model_name=\"\(model)\"}"
        let rows: [(String, Int)] = [
            ("num_requests_running", running), ("num_requests_waiting", waiting),
            ("prompt_tokens_total", totals.promptTokens),
            ("generation_tokens_total", totals.completionTokensProduced),
            ("prefix_cache_hits_total", totals.cachedTokens), ("prefix_cache_queries_total", totals.promptTokens),
        ]
        let success = "\(prefix)request_success_total{engine=\"0\",finished_reason=\"stop\",model_name=\"\(model)\"}"
        return lines(
            rows.map { (prefix + $0.0 + label, $0.1.description) }
                + [(cache.0 + label, cache.1), (success, (totals.byOutcome[.complete] ?? 0).description)])
    }

    private func lines(_ rows: [(String, String)]) -> String {
        rows.map { "\($0.0) \($0.1)\n" }.joined()
    }
}
