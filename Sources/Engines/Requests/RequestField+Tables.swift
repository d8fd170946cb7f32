internal import Metering

/// What lengthens or multiplies an answer, by dialect, beside what the tables below name for themselves.
extension RequestField {
    /// Words of engines that serve a surface beside those whose dialect it is: llama.cpp, vLLM, TGI, TensorRT-LLM and
    /// what stands in front of them pass them on, or read them in any form of body.
    private static func otherLengths(but names: [String]) -> [RequestField] {
        ([
            RequestField("max_tokens", .outputTokensMax(.other)),
            RequestField("max_completion_tokens", .outputTokensMax(.other)),
            RequestField("max_output_tokens", .outputTokensMax(.other)),
            RequestField("max_new_tokens", .outputTokensMax(.other)),
            RequestField("max_gen_len", .outputTokensMax(.other)), RequestField("max_length", .outputTokensMax(.other)),
            RequestField("max_tokens_to_sample", .outputTokensMax(.other)),
            RequestField("num_predict", .outputTokensMax(.other)),
            RequestField("request_output_len", .outputTokensMax(.other)),
            RequestField("n_predict", .outputTokensMax(.nPredict)), RequestField("min_tokens", .outputTokensMin),
            RequestField("min_new_tokens", .outputTokensMin), RequestField("min_length", .outputTokensMin),
            RequestField("n", .choices), RequestField("best_of", .choices), RequestField("n_cmpl", .choices),
            RequestField("num_return_sequences", .choices), RequestField("num_beams", .choices),
            RequestField("beam_width", .choices),
        ] + thinkingBudgets).filter { !names.contains($0.name.description) }
    }

    /// How long a model may think, whatever limit the answer has: Alibaba's, vLLM's, NIM's, llama.cpp's.
    private static let thinkingBudgets: [RequestField] = [
        RequestField("thinking_budget", .outputTokensMin), RequestField("thinking_token_budget", .outputTokensMin),
        RequestField("max_thinking_tokens", .outputTokensMin), RequestField("reasoning_budget", .outputTokensMin),
    ]

    /// The same in objects: Cohere's and Anthropic's `thinking`, Google's configuration, arguments of a template.
    private static let nestedBudgets: [RequestField] = {
        let google = RequestField(
            "google", .within(RequestTable([RequestField("thinking_config", .within(RequestTable(thinkingBudgets)))])))
        return [
            RequestField("thinking", .within(innerLengths)), google,
            RequestField("extra_body", .within(RequestTable([google]))),
            RequestField("chat_template", .template),
            RequestField(
                "chat_template_kwargs",
                .within(RequestTable(thinkingBudgets + [RequestField("chat_template", .template)]))),
        ]
    }()

    private static func table(_ fields: [RequestField], isText: Bool = true) -> RequestTable {
        let names = fields.map(\.name.description)
        let lengths = isText ? otherLengths(but: names) : []
        return RequestTable(fields + lengths + settings.filter { !names.contains($0.name.description) })
    }

    /// What no engine puts before its model, at the root of a body, and what is read alike wherever it stands.
    private static let settings: [RequestField] = [
        RequestField("stop", .usageOption), RequestField("stop_sequences", .usageOption),
        RequestField("stopSequences", .usageOption),
        RequestField("logit_bias", .setting), RequestField("safety_identifier", .setting),
        RequestField("prompt_cache_key", .setting), RequestField("include", .setting),
        RequestField("modalities", .modalities), RequestField("provider", .setting), RequestField("voice", .voice),
        RequestField("encoding_format", .setting), RequestField("tools", .tools),
        RequestField("web_search_options", .search(.presence)), RequestField("search_parameters", .search(.mode)),
        RequestField("plugins", .search(.plugins)), RequestField("enable_search", .search(.flag)),
        RequestField("web_search", .search(.enable)), RequestField("enable_web_search", .search(.enable)),
        RequestField("search", .search(.enable)), RequestField("search_options", .search(.forced)),
        RequestField("enable_online_search", .search(.enable)), RequestField("use_search", .search(.enable)),
        RequestField("use_web_search", .search(.enable)), RequestField("force_search", .search(.enable)),
        RequestField("forced_search", .search(.enable)),
        // The engine makes a summary by itself, and says so in its usage alone.
        RequestField("context_management", .contextManagement),
        RequestField("contextManagement", .contextManagement),
        RequestField("safetySettings", .setting), RequestField("safety_settings", .setting),
        RequestField("image", .media(.picture)), RequestField("images", .media(.picture)),
        RequestField("mask", .media(.picture)), RequestField("multi_modal_data", .media(.unknown)),
    ]

    /// What multiplies the pictures of an answer, by whatever name some server of pictures has for it. Names in front
    /// are another's where several stand.
    private static let pictureCounts: [RequestField] = [
        RequestField("n", .choices), RequestField("num_images", .choices), RequestField("num_outputs", .choices),
        RequestField("batch_size", .choices), RequestField("num_images_per_prompt", .choices),
        RequestField("num_samples", .choices), RequestField("samples", .choices), RequestField("n_iter", .choices),
        RequestField("batch_count", .choices), RequestField("image_count", .choices),
        RequestField("number_of_images", .choices), RequestField("numberOfImages", .choices),
        RequestField("numImages", .choices), RequestField("sampleCount", .choices),
        RequestField("max_images", .choices),
    ]

    private static let openAILengths: [RequestField] = [
        RequestField("max_tokens", .outputTokensMax(.maxTokens)),
        RequestField("max_completion_tokens", .outputTokensMax(.maxCompletionTokens)),
    ]

    /// Chat, completions and embeddings, which share their names.
    static let completions = table(
        [
            RequestField("model", .model), RequestField("stream", .stream), RequestField("messages", .messages),
            RequestField("stream_options", .streamOptions), RequestField("service_tier", .serviceTier),
            RequestField("user", .user), RequestField("metadata", .metadata), RequestField("prompt", .prompts),
            RequestField("input", .prompt), RequestField("prompt_embeds", .embeddedPrompts),
            // Ollama's.
            RequestField("options", .nested(RequestTable([RequestField("num_predict", .outputTokensMax(.other))]))),
            RequestField("echo", .usageOption),
            // vLLM's, looked through for what may not pass.
            RequestField("reasoning", .within(innerLengths)),
            RequestField("vllm_xargs", .nested(RequestTable([]))),
            RequestField("extra_args", .nested(RequestTable([]))),
        ] + nestedBudgets + openAILengths)

    static let responses = table([
        RequestField("model", .model), RequestField("stream", .stream), RequestField("stream_options", .streamOptions),
        RequestField("max_output_tokens", .outputTokensMax(.native)), RequestField("service_tier", .serviceTier),
        RequestField("user", .user), RequestField("metadata", .metadata), RequestField("input", .prompt),
        RequestField("instructions", .text), RequestField("store", .store),
    ])

    /// Anthropic's messages, and counting them.
    static let messages = table([
        RequestField("model", .model), RequestField("stream", .stream),
        RequestField("max_tokens", .outputTokensMax(.native)), RequestField("service_tier", .serviceTier),
        RequestField("metadata", .metadata), RequestField("system", .text), RequestField("messages", .messages),
        // Thoughts between calls of tools may come to more than `max_tokens`.
        RequestField("thinking", .nested(RequestTable([RequestField("budget_tokens", .outputTokensMin)]))),
    ])

    static let images = table(
        [
            RequestField("model", .model), RequestField("stream", .stream), RequestField("user", .user),
            RequestField("prompt", .prompt), RequestField("service_tier", .serviceTier),
            RequestField("response_format", .responseFormat),
            // Where servers of pictures keep what they know beside OpenAI's members.
            RequestField("parameters", .nested(RequestTable(pictureCounts))),
            RequestField("sequential_image_generation_options", .nested(RequestTable(pictureCounts))),
            RequestField("options", .nested(RequestTable(pictureCounts))),
        ] + pictureCounts, isText: false)

    static let speech = table(
        [
            RequestField("model", .model), RequestField("input", .spoken), RequestField("stream_format", .streamFormat),
            RequestField("stream", .stream), RequestField("instructions", .spoken), RequestField("user", .user),
            RequestField("response_format", .setting),
        ], isText: false)

    /// The parts of the form; a body of JSON has the same names.
    static let transcription = table(
        [
            RequestField("model", .model), RequestField("stream", .stream), RequestField("prompt", .text),
            RequestField("response_format", .responseFormat), RequestField("stream_include_usage", .usageOption),
            RequestField("language", .setting), RequestField("file", .sound),
            // Groq's, vLLM's, Mistral's, ElevenLabs' and others'.
            RequestField("url", .soundAddress), RequestField("audio_url", .soundAddress),
            RequestField("file_url", .soundAddress), RequestField("audio_uri", .soundAddress),
            RequestField("file_uri", .soundAddress), RequestField("uri", .soundAddress),
            RequestField("source_url", .soundAddress), RequestField("media_url", .soundAddress),
            RequestField("cloud_storage_url", .soundAddress), RequestField("content_urls", .soundAddress),
            // What somebody keeps at the provider, whose account is everybody's.
            RequestField("file_id", .soundAddress),
        ], isText: false)

    static let rerank = table(
        [
            RequestField("model", .model), RequestField("query", .text), RequestField("documents", .documents),
            // text-embeddings-inference's word for them, and NIM's.
            RequestField("texts", .documents), RequestField("passages", .documents), RequestField("user", .user),
        ], isText: false)

    /// Gemini and Vertex, in both spellings of Protocol Buffers' JSON, and Google's interactions.
    static let gemini: RequestTable = {
        let generation = table([
            RequestField("maxOutputTokens", .outputTokensMax(.native)),
            RequestField("max_output_tokens", .outputTokensMax(.native)),
            RequestField("candidateCount", .choices), RequestField("candidate_count", .choices),
            RequestField("responseModalities", .modalities), RequestField("response_modalities", .modalities),
        ])
        return table([
            RequestField("model", .model), RequestField("stream", .stream), RequestField("contents", .text),
            RequestField("systemInstruction", .text), RequestField("system_instruction", .text),
            RequestField("generationConfig", .nested(generation)),
            RequestField("generation_config", .nested(generation)), RequestField("labels", .metadata),
            RequestField("input", .text), RequestField("serviceTier", .serviceTier),
            RequestField("service_tier", .serviceTier),
        ])
    }()

    /// Gemini's `embedContent` and `batchEmbedContents`, and what Vertex predicts for embeddings. `model` stands in the
    /// path, and may be said again beside each text.
    static let embed = table(
        [
            RequestField("content", .text), RequestField("requests", .embedRequests),
            RequestField("instances", .embedInstances), RequestField("model", .repeatedModel),
            RequestField("title", .text), RequestField("taskType", .setting),
            RequestField("task_type", .setting), RequestField("parameters", .setting),
            RequestField("labels", .metadata),
        ], isText: false)

    private static let toolConfig = RequestField("toolConfig", .nested(RequestTable([RequestField("tools", .tools)])))

    static let converse = table([
        RequestField("messages", .messages), RequestField("system", .text),
        RequestField(
            "inferenceConfig",
            .nested(
                RequestTable([
                    RequestField("maxTokens", .outputTokensMax(.native)), RequestField("stopSequences", .setting),
                ]))),
        RequestField(
            "additionalModelRequestFields",
            .nested(
                table([
                    RequestField("maxTokens", .outputTokensMax(.other)), toolConfig,
                    RequestField("service_tier", .serviceTier), RequestField("inferenceConfig", .nested(innerLengths)),
                    RequestField("textGenerationConfig", .nested(innerLengths)),
                    RequestField("thinking", .within(innerLengths)),
                ]))),
        toolConfig,
        RequestField("serviceTier", .serviceTierObject), RequestField("requestMetadata", .metadata),
    ])

    /// Lengths inside an object of a model's own.
    private static let innerLengths = RequestTable([
        RequestField("maxTokens", .outputTokensMax(.other)), RequestField("maxTokenCount", .outputTokensMax(.other)),
        RequestField("max_new_tokens", .outputTokensMax(.other)), RequestField("max_tokens", .outputTokensMin),
        RequestField("budget_tokens", .outputTokensMin), RequestField("token_budget", .outputTokensMin),
        RequestField("stopSequences", .setting),
    ])

    /// Whatever the model behind Bedrock's `invoke` speaks.
    static let invoke = table([
        RequestField("messages", .text), RequestField("system", .text), RequestField("prompt", .text),
        RequestField("inputText", .text), RequestField("texts", .text), RequestField("documents", .documents),
        RequestField("max_tokens", .outputTokensMax(.native)), RequestField("max_gen_len", .outputTokensMax(.native)),
        RequestField("max_tokens_to_sample", .outputTokensMax(.native)),
        RequestField("max_completion_tokens", .outputTokensMax(.native)),
        RequestField("num_generations", .choices), RequestField("numResults", .choices), toolConfig,
        RequestField("service_tier", .serviceTier),
        RequestField("thinking", .within(innerLengths)),
        RequestField(
            "textGenerationConfig",
            .nested(RequestTable([RequestField("maxTokenCount", .outputTokensMax(.native))]))),
        RequestField(
            "inferenceConfig",
            .nested(
                RequestTable([
                    RequestField("maxTokens", .outputTokensMax(.native)),
                    RequestField("max_new_tokens", .outputTokensMax(.native)),
                ]))),
    ])

    private static let generateParameters = table([
        RequestField("max_new_tokens", .outputTokensMax(.native)), RequestField("details", .usageOption),
        RequestField("best_of", .bestOf), RequestField("decoder_input_details", .setting),
    ])

    static let generate = table([
        RequestField("inputs", .text), RequestField("stream", .stream),
        RequestField("parameters", .parameters(generateParameters)),
    ])

    /// A container behind SageMaker speaks TGI's dialect, or the completions'.
    static let invocations = table(
        [
            RequestField("inputs", .text), RequestField("stream", .stream), RequestField("messages", .messages),
            RequestField("prompt", .prompts), RequestField("stream_options", .streamOptions),
            RequestField("parameters", .parameters(generateParameters)),
        ] + openAILengths)

    private static let tritonParameters: [RequestField] = [
        RequestField("max_tokens", .outputTokensMax(.native)), RequestField("return_num_input_tokens", .usageOption),
        RequestField("return_num_output_tokens", .usageOption), RequestField("stream", .stream),
        // vLLM's backend goes by these before the members around them.
        RequestField(
            "sampling_parameters", .textOfMembers(table([RequestField("max_tokens", .outputTokensMax(.native))]))),
    ]

    static let triton = table(
        [RequestField("text_input", .text), RequestField("parameters", .parameters(table(tritonParameters)))]
            + tritonParameters)

    static let prediction = table([
        RequestField("version", .model), RequestField("stream", .stream), RequestField("webhook", .setting),
        RequestField(
            "input",
            .nested(
                table([
                    RequestField("prompt", .text), RequestField("system_prompt", .text),
                    RequestField("messages", .text), RequestField("max_tokens", .outputTokensMax(.native)),
                ]))),
    ])

    private static let nothing = RequestTable([])

    /// What is read of a body in each form.
    static func table(for surface: Surface) -> RequestTable {
        switch surface {
        case .chatCompletions, .completions, .embeddings: completions
        case .responses: responses
        case .messages, .countTokens: messages
        case .imageGenerations: images
        case .audioSpeech: speech
        case .audioTranscriptions: transcription
        case .rerank: rerank
        case .geminiGenerate: gemini
        case .geminiEmbed: embed
        case .bedrockConverse: converse
        case .bedrockInvoke: invoke
        case .tgiGenerate: generate
        case .sageMakerInvocations: invocations
        case .tritonGenerate: triton
        case .replicatePredictions: prediction
        case .files, .batches: nothing
        }
    }
}
