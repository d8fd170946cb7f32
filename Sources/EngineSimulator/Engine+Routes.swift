import NIOHTTP1

extension Engine {
    /// The whole surface, but for the control panel's.
    static let routes: [Route] =
        openAIRoutes + cloudOpenAIRoutes + anthropicRoutes + nativeRoutes + cloudRoutes + serviceRoutes

    private static let openAIRoutes =
        Route.generate(OpenAIChatDialect(operation: .chat), "/v1/chat/completions")
        + Route.generate(OpenAIChatDialect(operation: .completions), "/v1/completions")
        + Route.generate(EmbeddingsDialect(), "/v1/embeddings")
        + Route.generate(ResponsesDialect(), "/v1/responses")
        + Route.generate(ImagesDialect(), "/v1/images/generations")
        + Route.generate(TranscriptionsDialect(), "/v1/audio/transcriptions")
        + Route.generate(SpeechDialect(), "/v1/audio/speech")
        + Route.generate(RerankDialect(), "/v1/rerank", "/rerank", "/v2/rerank")

    /// The same forms under the paths of Azure and Groq.
    private static let cloudOpenAIRoutes =
        Route.generate(
            OpenAIChatDialect(operation: .chat, credentials: .azure, flavour: .azure, modelInPath: true),
            "/openai/deployments/*/chat/completions")
        + Route.generate(
            OpenAIChatDialect(operation: .completions, credentials: .azure, flavour: .azure, modelInPath: true),
            "/openai/deployments/*/completions")
        + Route.generate(
            EmbeddingsDialect(credentials: .azure, flavour: .azure, modelInPath: true),
            "/openai/deployments/*/embeddings")
        // Azure's newer paths and Groq's are the same; who shows `api-key` is taken for Azure's client.
        + Route.generate(
            OpenAIChatDialect(operation: .chat, credentials: .azure, flavour: .groq), "/openai/v1/chat/completions")
        + Route.generate(
            OpenAIChatDialect(operation: .completions, credentials: .azure, flavour: .groq), "/openai/v1/completions")
        + Route.generate(EmbeddingsDialect(credentials: .azure, flavour: .groq), "/openai/v1/embeddings")
        + Route.generate(ResponsesDialect(credentials: .azure, flavour: .groq), "/openai/v1/responses")

    private static let anthropicRoutes =
        Route.generate(MessagesDialect(), "/v1/messages")
        + Route.generate(CountTokensDialect(), "/v1/messages/count_tokens")

    private static let nativeRoutes =
        Route.generate(TGIDialect(form: .generate), "/generate")
        + Route.generate(TGIDialect(form: .stream), "/generate_stream")
        + Route.generate(TGIDialect(form: .root), "/")
        + Route.generate(TritonDialect(streams: false), "/v2/models/*/generate", "/v2/models/*/versions/*/generate")
        + Route.generate(
            TritonDialect(streams: true), "/v2/models/*/generate_stream", "/v2/models/*/versions/*/generate_stream")

    private static let cloudRoutes =
        GeminiDialect.models.flatMap { path in
            Route.generate(GeminiDialect(streams: false), path + ":generateContent")
                + Route.generate(GeminiDialect(streams: true), path + ":streamGenerateContent")
                + Route.answer(.POST, path + ":countTokens", credentials: .google) { $0.countGeminiTokens($1) }
        }
        + Route.generate(ConverseDialect(streams: false), "/model/*/converse")
        + Route.generate(ConverseDialect(streams: true), "/model/*/converse-stream")
        + Route.generate(InvokeDialect(streams: false), "/model/*/invoke")
        + Route.generate(InvokeDialect(streams: true), "/model/*/invoke-with-response-stream")
        + Route.generate(SageMakerDialect(streams: false), "/endpoints/*/invocations")
        + Route.generate(SageMakerDialect(streams: true), "/endpoints/*/invocations-response-stream")

    private static let serviceRoutes =
        Route.answer(.GET, "/v1/models", "/openai/v1/models", credentials: .bearer) { engine, _ in
            PreparedAnswer(body: engine.modelList())
        }
        + Route.answer(.GET, "/health") { _, _ in PreparedAnswer(body: "") }
        + Route.answer(.POST, "/tokenize") { engine, exchange in engine.tokenize(exchange) }
}

extension Engine {
    func modelList() -> String {
        let models = configuration.models.map { model in
            JSONText.object([
                "id": JSONText.quoted(model), "object": "\"model\"", "created": "0", "owned_by": "\"simulator\"",
                "max_model_len": String(configuration.contextTokensMax),
            ])
        }
        return "{\"object\":\"list\",\"data\":[\(models.joined(separator: ","))]}"
    }

    func tokenize(_ exchange: Exchange) -> PreparedAnswer {
        do throws(EngineError) {
            let body = try exchange.object()
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
}
