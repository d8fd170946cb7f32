internal import Metering

/// What a member of a request body is to the gateway. Anything that no table names passes unread.
struct RequestField: Sendable {
    enum Role: Sendable {
        case model, stream, streamOptions, outputTokensMax, choices, serviceTier, user, metadata
        /// An object whose `type` is the tier (Bedrock).
        case serviceTierObject
        /// Text of the prompt: messages, which must be an array.
        case messages
        /// Text of the prompt: a string, tokens, or a list of either.
        case prompt
        /// The same, and a list of them is as many prompts, each with choices of its own.
        case prompts
        /// Text of the prompt in whatever form.
        case text
        /// Text of the prompt: documents, which are counted too.
        case documents
        /// What is to be read out; counted in characters too.
        case spoken
        /// `sse` makes the answer a stream.
        case streamFormat
        case responseFormat
        /// An object with fields of its own.
        indirect case nested([RequestField])
        /// The same, and the place where TGI and Triton are asked for usage.
        indirect case parameters([RequestField])
        /// An option that asks for usage.
        case usageOption
    }

    let name: StaticString
    let role: Role
    /// Whether the name has capitals, so that another writing of it may have none.
    let hasCapitals: Bool

    init(_ name: StaticString, _ role: Role) {
        self.name = name
        self.role = role
        hasCapitals = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
            .contains { (65...90).contains($0) }
    }
}

extension RequestField {
    /// Chat, completions and embeddings, which share their names.
    static let completions: [RequestField] = [
        RequestField("model", .model), RequestField("stream", .stream), RequestField("messages", .messages),
        RequestField("stream_options", .streamOptions), RequestField("max_tokens", .outputTokensMax),
        RequestField("max_completion_tokens", .outputTokensMax), RequestField("n", .choices),
        RequestField("service_tier", .serviceTier), RequestField("user", .user), RequestField("metadata", .metadata),
        RequestField("prompt", .prompts), RequestField("input", .prompt),
    ]

    static let responses: [RequestField] = [
        RequestField("model", .model), RequestField("stream", .stream), RequestField("stream_options", .streamOptions),
        RequestField("max_output_tokens", .outputTokensMax), RequestField("service_tier", .serviceTier),
        RequestField("user", .user), RequestField("metadata", .metadata), RequestField("input", .prompt),
        RequestField("instructions", .text),
    ]

    /// Anthropic's messages, and counting them.
    static let messages: [RequestField] = [
        RequestField("model", .model), RequestField("stream", .stream), RequestField("max_tokens", .outputTokensMax),
        RequestField("service_tier", .serviceTier), RequestField("metadata", .metadata),
        RequestField("system", .text), RequestField("messages", .messages),
    ]

    static let images: [RequestField] = [
        RequestField("model", .model), RequestField("stream", .stream), RequestField("n", .choices),
        RequestField("user", .user), RequestField("prompt", .prompt), RequestField("service_tier", .serviceTier),
        RequestField("response_format", .responseFormat),
    ]

    static let speech: [RequestField] = [
        RequestField("model", .model), RequestField("input", .spoken), RequestField("stream_format", .streamFormat),
        RequestField("stream", .stream), RequestField("instructions", .text), RequestField("user", .user),
    ]

    /// The parts of the form; a body of JSON has the same names.
    static let transcription: [RequestField] = [
        RequestField("model", .model), RequestField("stream", .stream), RequestField("prompt", .text),
        RequestField("response_format", .responseFormat),
        RequestField("stream_include_usage", .usageOption),
    ]

    static let rerank: [RequestField] = [
        RequestField("model", .model), RequestField("query", .text), RequestField("documents", .documents),
        RequestField("user", .user),
    ]

    /// Gemini and Vertex, in both spellings of Protocol Buffers' JSON, and Google's interactions.
    static let gemini: [RequestField] = {
        let generation: [RequestField] = [
            RequestField("maxOutputTokens", .outputTokensMax), RequestField("max_output_tokens", .outputTokensMax),
            RequestField("candidateCount", .choices), RequestField("candidate_count", .choices),
        ]
        return [
            RequestField("model", .model), RequestField("stream", .stream), RequestField("contents", .text),
            RequestField("systemInstruction", .text), RequestField("system_instruction", .text),
            RequestField("generationConfig", .nested(generation)),
            RequestField("generation_config", .nested(generation)), RequestField("labels", .metadata),
            RequestField("input", .text), RequestField("serviceTier", .serviceTier),
            RequestField("service_tier", .serviceTier),
        ]
    }()

    static let converse: [RequestField] = [
        RequestField("messages", .messages), RequestField("system", .text),
        RequestField("inferenceConfig", .nested([RequestField("maxTokens", .outputTokensMax)])),
        RequestField("serviceTier", .serviceTierObject), RequestField("requestMetadata", .metadata),
    ]

    /// Whatever the model behind Bedrock's `invoke` speaks.
    static let invoke: [RequestField] = [
        RequestField("messages", .text), RequestField("system", .text), RequestField("prompt", .text),
        RequestField("inputText", .text), RequestField("texts", .text),
        RequestField("max_tokens", .outputTokensMax), RequestField("max_gen_len", .outputTokensMax),
        RequestField("max_tokens_to_sample", .outputTokensMax),
        RequestField("max_completion_tokens", .outputTokensMax),
        RequestField("textGenerationConfig", .nested([RequestField("maxTokenCount", .outputTokensMax)])),
        RequestField(
            "inferenceConfig",
            .nested([
                RequestField("maxTokens", .outputTokensMax), RequestField("max_new_tokens", .outputTokensMax),
            ])),
    ]

    private static let generateParameters: [RequestField] = [
        RequestField("max_new_tokens", .outputTokensMax), RequestField("details", .usageOption),
        RequestField("best_of", .choices),
    ]

    static let generate: [RequestField] = [
        RequestField("inputs", .text), RequestField("stream", .stream),
        RequestField("parameters", .parameters(generateParameters)),
    ]

    /// A container behind SageMaker speaks TGI's dialect, or the completions'.
    static let invocations: [RequestField] = [
        RequestField("inputs", .text), RequestField("stream", .stream), RequestField("messages", .messages),
        RequestField("prompt", .prompts), RequestField("stream_options", .streamOptions),
        RequestField("max_tokens", .outputTokensMax), RequestField("max_completion_tokens", .outputTokensMax),
        RequestField("n", .choices), RequestField("parameters", .parameters(generateParameters)),
    ]

    private static let tritonParameters: [RequestField] = [
        RequestField("max_tokens", .outputTokensMax), RequestField("return_num_input_tokens", .usageOption),
        RequestField("return_num_output_tokens", .usageOption), RequestField("stream", .stream),
    ]

    static let triton: [RequestField] =
        [RequestField("text_input", .text), RequestField("parameters", .parameters(tritonParameters))]
        + tritonParameters

    static let prediction: [RequestField] = [
        RequestField("version", .model), RequestField("stream", .stream),
        RequestField(
            "input",
            .nested([
                RequestField("prompt", .text), RequestField("system_prompt", .text), RequestField("messages", .text),
                RequestField("max_tokens", .outputTokensMax), RequestField("max_new_tokens", .outputTokensMax),
                RequestField("max_length", .outputTokensMax),
            ])),
    ]

    /// What is read of a body in each form.
    static func table(for surface: Surface) -> [RequestField] {
        switch surface {
        case .chatCompletions, .completions, .embeddings: completions
        case .responses: responses
        case .messages, .countTokens: messages
        case .imageGenerations: images
        case .audioSpeech: speech
        case .audioTranscriptions: transcription
        case .rerank: rerank
        case .geminiGenerate: gemini
        case .bedrockConverse: converse
        case .bedrockInvoke: invoke
        case .tgiGenerate: generate
        case .sageMakerInvocations: invocations
        case .tritonGenerate: triton
        case .replicatePredictions: prediction
        case .files, .batches: []
        }
    }
}
