/// What the client asked the engine to do (OpenTelemetry's `gen_ai.operation.name`).
public enum Operation: String, CaseIterable, Hashable, Sendable {
    case chat
    case textCompletion = "text_completion"
    case embeddings
    /// Gemini and Vertex.
    case generateContent = "generate_content"
    case imageGeneration = "image_generation"
    case transcription
    case speech
    case rerank
    /// Replicate.
    case prediction
    /// Counting a prompt, which makes nothing.
    case countTokens = "count_tokens"
    /// Handing in, looking after and fetching the files and jobs of batches.
    case batch
}

/// The form in which the client asked: which API, and so whose dialect it speaks.
public enum Surface: String, CaseIterable, Hashable, Sendable {
    case chatCompletions = "chat_completions"
    case completions
    case embeddings
    case responses
    case imageGenerations = "image_generations"
    case audioTranscriptions = "audio_transcriptions"
    case audioSpeech = "audio_speech"
    case rerank
    case messages
    case countTokens = "count_tokens"
    case tgiGenerate = "tgi_generate"
    case tritonGenerate = "triton_generate"
    case replicatePredictions = "replicate_predictions"
    case geminiGenerate = "gemini_generate"
    /// `embedContent`, `batchEmbedContents`, and Vertex's `predict` of embedding models.
    case geminiEmbed = "gemini_embed"
    case bedrockConverse = "bedrock_converse"
    case bedrockInvoke = "bedrock_invoke"
    case sageMakerInvocations = "sagemaker_invocations"
    case files
    case batches

    /// The form that an operation had before records named it.
    public init?(firstVersionOperation operation: Operation) {
        switch operation {
        case .chat: self = .chatCompletions
        case .textCompletion: self = .completions
        case .embeddings: self = .embeddings
        default: return nil
        }
    }

    /// What is asked for in this form.
    public var operation: Operation {
        switch self {
        case .chatCompletions, .responses, .messages, .bedrockConverse: .chat
        case .completions, .tgiGenerate, .tritonGenerate, .bedrockInvoke, .sageMakerInvocations: .textCompletion
        case .embeddings, .geminiEmbed: .embeddings
        case .imageGenerations: .imageGeneration
        case .audioTranscriptions: .transcription
        case .audioSpeech: .speech
        case .rerank: .rerank
        case .countTokens: .countTokens
        case .replicatePredictions: .prediction
        case .geminiGenerate: .generateContent
        case .files, .batches: .batch
        }
    }
}

extension Surface {
    /// Whether an inference of this kind costs anything here. Counting a prompt, and handing in, looking after and
    /// fetching batches cost nothing; the lines of a batch do.
    public func bills(_ kind: InferenceKind) -> Bool {
        switch operation {
        case .countTokens: false
        case .batch: kind == .batchItem
        default: true
        }
    }
}

/// What an attempt was for. One answer may hold several inferences, each with a price of its own.
public enum InferenceKind: String, CaseIterable, Hashable, Sendable {
    /// The answer itself, or a try at it.
    case primary
    /// Another model's answer after the first declined (Anthropic's `fallback_message`).
    case fallback
    /// Summarising a conversation grown too long (Anthropic's `compaction`).
    case compaction
    /// A second model that the first one asked (Anthropic's `advisor_message`).
    case advisor
    /// A model inside a compound system (Groq's `usage_breakdown`).
    case component
    /// One line of a batch.
    case batchItem = "batch_item"
}

/// Where the counts of an attempt come from.
public enum UsageSource: String, CaseIterable, Hashable, Sendable {
    /// The engine said so.
    case engine
    /// The gateway counted with the model's own tokenizer, or asked the engine to.
    case counted
    /// The gateway estimated: content events for output, bytes of text for input.
    case estimated
    /// There is nothing to count: the engine was never reached or refused the request.
    case nothing = "none"
}

/// How an attempt ended.
public enum Termination: String, CaseIterable, Hashable, Sendable {
    /// The engine finished and said so.
    case complete
    /// The client left first.
    case clientAbort = "client_abort"
    /// The engine failed, refused, or broke off.
    case upstreamError = "upstream_error"
    /// A time limit of the gateway ended it.
    case timeout
    /// A size limit of the gateway ended it.
    case limitReached = "limit_reached"
    /// The gateway died; recovery closed the record.
    case gatewayLost = "gateway_lost"
}

/// What became of a request, as promises see it.
public enum RequestOutcome: String, CaseIterable, Hashable, Sendable {
    /// The client got what it asked for.
    case success
    /// The client's own mistake (4xx other than the ones below): no promise counts it.
    case clientError = "client_error"
    /// The client left before the end.
    case clientAbort = "client_abort"
    /// We or the engine failed: 5xx, timeouts, streams that broke. Promises count it as bad.
    case providerError = "provider_error"
    /// The gateway died underneath it. Promises count it as bad.
    case gatewayLost = "gateway_lost"
}
