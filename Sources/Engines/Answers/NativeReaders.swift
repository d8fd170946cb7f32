internal import Metering

/// The readers of all dialects outside the OpenAI family.
enum NativeReaders {
    /// How such an answer is cut, and who reads it; nil for the OpenAI family.
    ///
    /// `contentType` is in lower case. Of a refused request (`isSuccess` false) the answer is plain.
    static func reader(
        for request: InferenceRequest, backend: Backend, isSuccess: Bool, contentType: String
    ) -> (framing: AnswerFraming, reader: any AnswerReader)? {
        guard let reader = reader(for: request) else { return nil }
        guard isSuccess else { return (.plain, reader) }
        if contentType.hasPrefix("text/event-stream") { return (.serverSentEvents, reader) }
        if contentType.hasPrefix("application/vnd.amazon.eventstream") { return (.awsEventStream, reader) }
        // Gemini streams an array of chunks to those who do not ask for events.
        let isArray = request.surface == .geminiGenerate && request.isStream
        return (isArray ? .jsonArray : .plain, reader)
    }

    private static func reader(for request: InferenceRequest) -> (any AnswerReader)? {
        switch request.surface {
        case .messages, .countTokens: AnthropicReader()
        case .geminiGenerate:
            GeminiReader(
                choiceCount: request.choiceCount, asksForSearches: request.features.contains(.webSearch))
        case .geminiEmbed: GeminiEmbedReader(instanceCount: request.instanceCount)
        case .bedrockConverse: BedrockConverseReader()
        case .bedrockInvoke: BedrockInvokeReader()
        case .sageMakerInvocations: SageMakerReader(choiceCount: request.choiceCount, bestOf: request.bestOf)
        case .tgiGenerate: TGIReader(choiceCount: request.choiceCount, bestOf: request.bestOf)
        case .tritonGenerate: TritonReader()
        case .replicatePredictions: ReplicateReader()
        case .chatCompletions, .completions, .embeddings, .responses, .imageGenerations, .audioTranscriptions,
            .audioSpeech, .rerank, .files, .batches:
            nil
        }
    }
}
