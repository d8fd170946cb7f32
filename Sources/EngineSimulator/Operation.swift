/// What a client can ask this engine for.
public enum Operation: String, Sendable, CaseIterable {
    /// `POST /v1/chat/completions`.
    case chat = "chat.completions"
    /// `POST /v1/completions`.
    case completions
    /// `POST /v1/embeddings`.
    case embeddings
    /// `POST /v1/responses`.
    case responses
    /// `POST /v1/messages`.
    case messages
    /// `POST /v1/messages/count_tokens`: counts a prompt and makes nothing.
    case countTokens = "count_tokens"
    /// `POST /v1/images/generations`.
    case images = "images.generations"
    /// `POST /v1/audio/transcriptions`.
    case transcriptions = "audio.transcriptions"
    /// `POST /v1/audio/speech`.
    case speech = "audio.speech"
    /// `POST /v1/rerank`.
    case rerank
    /// TGI's `POST /generate`, `/generate_stream` and `/`.
    case tgiGenerate = "tgi.generate"
    /// Triton's `POST /v2/models/{model}/generate` and `/generate_stream`.
    case tritonGenerate = "triton.generate"
    /// Replicate's `POST /v1/predictions` and `/v1/models/{owner}/{name}/predictions`.
    case predictions
    /// Gemini's and Vertex's `…:generateContent` and `…:streamGenerateContent`.
    case generateContent
    /// Bedrock's `POST /model/{id}/converse` and `/converse-stream`.
    case converse
    /// Bedrock's `POST /model/{id}/invoke` and `/invoke-with-response-stream`.
    case invokeModel
    /// SageMaker's `POST /endpoints/{name}/invocations` and `/invocations-response-stream`.
    case invocations

    /// Whether tokens come out one after the other, so that an answer can be streamed and cut between two of them.
    var generates: Bool {
        switch self {
        case .embeddings, .countTokens, .rerank: false
        default: true
        }
    }
}
