import NIOHTTP1

extension Engine {
    /// The whole surface, but for the control panel's.
    static let routes: [Route] = [
        openAIRoutes, cloudOpenAIRoutes, anthropicRoutes, nativeRoutes, cloudRoutes, serviceRoutes, jobRoutes,
    ].flatMap { $0.flatMap { $0 } }

    private static let openAIRoutes: [[Route]] = [
        Route.generate(OpenAIChatDialect(operation: .chat), "/v1/chat/completions"),
        Route.generate(OpenAIChatDialect(operation: .completions), "/v1/completions"),
        Route.generate(EmbeddingsDialect(), "/v1/embeddings"),
        Route.generate(ImagesDialect(), "/v1/images/generations"),
        Route.generate(TranscriptionsDialect(), "/v1/audio/transcriptions"),
        Route.generate(SpeechDialect(), "/v1/audio/speech"),
        Route.generate(RerankDialect(), "/v1/rerank", "/rerank", "/v2/rerank"),
    ]

    /// The same forms under the paths of Azure and Groq.
    private static let cloudOpenAIRoutes: [[Route]] = [
        Route.generate(
            OpenAIChatDialect(operation: .chat, credentials: .azure, flavour: .azure, modelInPath: true),
            "/openai/deployments/*/chat/completions"),
        Route.generate(
            OpenAIChatDialect(operation: .completions, credentials: .azure, flavour: .azure, modelInPath: true),
            "/openai/deployments/*/completions"),
        Route.generate(
            EmbeddingsDialect(credentials: .azure, flavour: .azure, modelInPath: true),
            "/openai/deployments/*/embeddings"),
        // Azure's newer paths and Groq's are the same; who shows `api-key` is taken for Azure's client.
        Route.generate(
            OpenAIChatDialect(operation: .chat, credentials: .azure, flavour: .groq), "/openai/v1/chat/completions"),
        Route.generate(
            OpenAIChatDialect(operation: .completions, credentials: .azure, flavour: .groq), "/openai/v1/completions"),
        Route.generate(EmbeddingsDialect(credentials: .azure, flavour: .groq), "/openai/v1/embeddings"),
        Route.generate(ResponsesDialect(credentials: .azure, flavour: .groq), "/openai/v1/responses"),
    ]

    private static let anthropicRoutes: [[Route]] = [
        Route.generate(MessagesDialect(), "/v1/messages"),
        Route.generate(CountTokensDialect(), "/v1/messages/count_tokens"),
    ]

    private static let nativeRoutes: [[Route]] = [
        Route.generate(TGIDialect(form: .generate), "/generate"),
        Route.generate(TGIDialect(form: .stream), "/generate_stream"),
        Route.generate(TGIDialect(form: .root), "/"),
        Route.generate(TritonDialect(streams: false), "/v2/models/*/generate", "/v2/models/*/versions/*/generate"),
        Route.generate(
            TritonDialect(streams: true), "/v2/models/*/generate_stream", "/v2/models/*/versions/*/generate_stream"),
    ]

    private static func embeddingRoutes(of path: String) -> [Route] {
        let one = Route.generate(GeminiEmbedDialect(form: .one), path + ":embedContent")
        let batch = Route.generate(GeminiEmbedDialect(form: .batch), path + ":batchEmbedContents")
        return one + batch + Route.generate(GeminiEmbedDialect(form: .predict), path + ":predict")
    }

    private static let cloudRoutes: [[Route]] = [
        GeminiDialect.models.flatMap { path in
            Route.generate(GeminiDialect(streams: false), path + ":generateContent")
                + Route.generate(GeminiDialect(streams: true), path + ":streamGenerateContent")
                + Route.answer(.POST, path + ":countTokens", credentials: .google) { $0.countGeminiTokens($1) }
        },
        GeminiDialect.models.flatMap(embeddingRoutes),
        Route.generate(ConverseDialect(streams: false), "/model/*/converse"),
        Route.generate(ConverseDialect(streams: true), "/model/*/converse-stream"),
        Route.generate(InvokeDialect(streams: false), "/model/*/invoke"),
        Route.generate(InvokeDialect(streams: true), "/model/*/invoke-with-response-stream"),
        Route.generate(SageMakerDialect(streams: false), "/endpoints/*/invocations"),
        Route.generate(SageMakerDialect(streams: true), "/endpoints/*/invocations-response-stream"),
    ]

    private static let serviceRoutes: [[Route]] = [
        Route.answer(.GET, "/v1/models", "/openai/v1/models", credentials: .anthropic) { engine, _ in
            PreparedAnswer(body: engine.modelList())
        },
        Route.answer(.GET, "/v1/models/*", credentials: .anthropic) { $0.showModel($1) },
        Route.answer(.GET, "/health", "/v2/health/ready") { _, _ in PreparedAnswer(body: "") },
        Route.answer(.POST, "/tokenize") { $0.tokenize($1) },
        Route.answer(.POST, "/chat_tokenize") { $0.chatTokenize($1) },
        Route.answer(.POST, "/apply-template") { $0.applyTemplate($1) },
        Route.answer(.GET, "/metrics", "/v1/metrics", "/prometheus/metrics") { $0.metrics($1) },
    ]

    /// Work that goes on after its answer.
    private static let jobRoutes: [[Route]] = [
        Route.reply(
            .POST, "/v1/predictions", "/v1/models/*/*/predictions", "/v1/deployments/*/*/predictions",
            credentials: .bearer
        ) { $0.createPrediction($1) },
        Route.answer(.GET, "/v1/predictions/*", credentials: .bearer) { $0.showPrediction($1) },
        Route.answer(.POST, "/v1/predictions/*/cancel", credentials: .bearer) { $0.cancelPrediction($1) },
        Route.reply(.GET, "/v1/streams/*", credentials: .bearer) { $0.streamPrediction($1) },
        Route.reply(.POST, "/v1/responses", credentials: .bearer) { $0.createResponse($1) },
        Route.reply(.GET, "/v1/responses/*", credentials: .bearer) { $0.showResponse($1) },
        Route.answer(.POST, "/v1/responses/*/cancel", credentials: .bearer) { $0.cancelResponse($1) },
        Route.answer(.DELETE, "/v1/responses/*", credentials: .bearer) { $0.deleteResponse($1) },
        Route.answer(.POST, "/v1/files", credentials: .bearer) { $0.uploadFile($1) },
        Route.answer(.GET, "/v1/files", credentials: .bearer) { $0.listFiles($1) },
        Route.answer(.GET, "/v1/files/*", credentials: .bearer) { $0.showFile($1) },
        Route.answer(.DELETE, "/v1/files/*", credentials: .bearer) { $0.deleteFile($1) },
        Route.answer(.GET, "/v1/files/*/content", credentials: .bearer) { $0.fileContent($1) },
        Route.answer(.POST, "/v1/batches", credentials: .bearer) { $0.createBatch($1) },
        Route.answer(.GET, "/v1/batches", credentials: .bearer) { $0.listBatches($1) },
        Route.answer(.GET, "/v1/batches/*", credentials: .bearer) { $0.showBatch($1) },
        Route.answer(.POST, "/v1/batches/*/cancel", credentials: .bearer) { $0.cancelBatch($1) },
    ]
}
