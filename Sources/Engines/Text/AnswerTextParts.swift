internal import Metering

/// Where the text that a model wrote stands in the documents of a dialect: in the events of a stream, or in a plain
/// answer.
final class AnswerTextParts: Sendable {
    enum Role: Sendable {
        case text(AnswerTextKey.Kind)
        /// A value of any kind whose JSON is what the model wrote: the input of a call.
        case json(AnswerTextKey.Kind)
        case choice
        /// Of parts of a message.
        case item
        /// Of calls.
        case callItem
        /// Of events that say what they are: decides what their text is.
        case type
        /// Whether the token is none of the text.
        case special
    }

    let roles: [Role]
    let shape: DocumentShape

    /// The longest text in one document that is read.
    static let textBytesMax = 1024 * 1024

    init(_ parts: [(path: StaticString, role: Role)]) {
        roles = parts.map(\.role)
        shape = DocumentShape(
            parts.map { part in
                switch part.role {
                case .text, .json: .value(part.path, bytesMax: AnswerTextParts.textBytesMax)
                default: .value(part.path)
                }
            })
    }

    /// Those of a form; nil where the answer is no text.
    static func of(_ surface: Surface, isPlain: Bool) -> AnswerTextParts? {
        switch surface {
        case .chatCompletions, .completions: isPlain ? plainOpenAI : streamedOpenAI
        case .responses: isPlain ? plainResponses : streamedResponses
        case .messages: isPlain ? plainAnthropic : streamedAnthropic
        case .tgiGenerate: isPlain ? plainTGI : streamedTGI
        case .tritonGenerate: triton
        case .geminiGenerate: gemini
        case .bedrockConverse: isPlain ? plainConverse : streamedConverse
        case .bedrockInvoke: isPlain ? plainInvoke : streamedInvoke
        case .sageMakerInvocations: isPlain ? plainSageMaker : streamedSageMaker
        // What predictions come to is settled later, by the engine's own word.
        case .replicatePredictions: nil
        case .embeddings, .geminiEmbed, .countTokens, .imageGenerations, .audioTranscriptions, .audioSpeech, .rerank,
            .files,
            .batches:
            nil
        }
    }

    // MARK: Dialects

    private typealias Parts = [(path: StaticString, role: Role)]

    private static let openAIStream: Parts = [
        ("choices.index", .choice), ("choices.delta.tool_calls.index", .callItem), ("choices.text", .text(.visible)),
        ("choices.delta.content", .text(.visible)), ("choices.delta.refusal", .text(.visible)),
        ("choices.delta.reasoning_content", .text(.reasoning)), ("choices.delta.reasoning", .text(.reasoning)),
        ("choices.delta.thinking", .text(.reasoning)), ("choices.delta.tool_plan", .text(.visible)),
        ("choices.delta.tool_calls.function.name", .text(.callName)),
        ("choices.delta.tool_calls.function.arguments", .text(.callArguments)),
        ("choices.delta.function_call.name", .text(.callName)),
        ("choices.delta.function_call.arguments", .text(.callArguments)),
    ]
    private static let openAIPlain: Parts = [
        ("choices.index", .choice), ("choices.text", .text(.visible)),
        ("choices.message.content", .text(.visible)), ("choices.message.refusal", .text(.visible)),
        ("choices.message.reasoning_content", .text(.reasoning)), ("choices.message.reasoning", .text(.reasoning)),
        ("choices.message.thinking", .text(.reasoning)), ("choices.message.tool_plan", .text(.visible)),
        ("choices.message.tool_calls.function.name", .text(.callName)),
        ("choices.message.tool_calls.function.arguments", .text(.callArguments)),
        ("choices.message.function_call.name", .text(.callName)),
        ("choices.message.function_call.arguments", .text(.callArguments)),
    ]
    private static let anthropicStream: Parts = [
        ("index", .choice), ("delta.text", .text(.visible)), ("delta.thinking", .text(.reasoning)),
        ("delta.partial_json", .text(.callArguments)), ("content_block.text", .text(.visible)),
        ("content_block.thinking", .text(.reasoning)), ("content_block.name", .text(.callName)),
    ]
    private static let anthropicPlain: Parts = [
        ("content.text", .text(.visible)), ("content.thinking", .text(.reasoning)),
        ("content.name", .text(.callName)), ("content.input", .json(.callArguments)),
    ]
    private static let tgiStream: Parts = [
        ("token.text", .text(.visible)), ("token.special", .special), ("outputs", .text(.visible)),
    ]
    private static let tgiPlain: Parts = [
        ("generated_text", .text(.visible)), ("details.best_of_sequences.generated_text", .text(.visible)),
    ]
    private static let conversePlain: Parts = [
        ("output.message.content.text", .text(.visible)),
        ("output.message.content.reasoningContent.reasoningText.text", .text(.reasoning)),
        ("output.message.content.toolUse.name", .text(.callName)),
        ("output.message.content.toolUse.input", .json(.callArguments)),
    ]
    /// The models of Bedrock's that have a form of their own.
    private static let families: Parts = [
        ("generation", .text(.visible)), ("outputText", .text(.visible)), ("text", .text(.visible)),
        ("results.outputText", .text(.visible)), ("outputs.text", .text(.visible)),
        ("generations.text", .text(.visible)),
    ]

    private static let streamedOpenAI = AnswerTextParts(openAIStream)
    private static let plainOpenAI = AnswerTextParts(openAIPlain)
    private static let streamedAnthropic = AnswerTextParts(anthropicStream)
    private static let plainAnthropic = AnswerTextParts(anthropicPlain)
    private static let streamedTGI = AnswerTextParts(tgiStream)
    private static let plainTGI = AnswerTextParts(tgiPlain)
    private static let plainConverse = AnswerTextParts(conversePlain)
    private static let plainInvoke = AnswerTextParts(openAIPlain + anthropicPlain + conversePlain + families)
    private static let plainSageMaker = AnswerTextParts(openAIPlain + tgiPlain)
    private static let streamedSageMaker = AnswerTextParts(openAIStream + tgiStream)
    private static let triton = AnswerTextParts([("text_output", .text(.visible))])

    private static let streamedResponses = AnswerTextParts([
        ("type", .type), ("output_index", .choice), ("content_index", .item), ("delta", .text(.visible)),
        ("item.name", .text(.callName)),
    ])
    private static let plainResponses = AnswerTextParts([
        ("output.content.text", .text(.visible)), ("output.content.refusal", .text(.visible)),
        ("output.summary.text", .text(.reasoning)), ("output.name", .text(.callName)),
        ("output.arguments", .text(.callArguments)), ("output.input", .text(.callArguments)),
    ])
    private static let gemini = AnswerTextParts([
        ("candidates.index", .choice), ("candidates.content.parts.text", .text(.visible)),
        ("candidates.content.parts.functionCall.name", .text(.callName)),
        ("candidates.content.parts.functionCall.args", .json(.callArguments)), ("delta.text", .text(.visible)),
    ])

    private static let streamedConverse = AnswerTextParts([
        ("contentBlockIndex", .choice), ("delta.text", .text(.visible)),
        ("delta.reasoningContent.text", .text(.reasoning)), ("delta.toolUse.input", .text(.callArguments)),
        ("start.toolUse.name", .text(.callName)),
    ])
    private static let streamedInvoke = AnswerTextParts(
        openAIStream + anthropicStream + families + [
            ("contentBlockDelta.contentBlockIndex", .choice), ("contentBlockDelta.delta.text", .text(.visible)),
            ("contentBlockDelta.delta.reasoningContent.text", .text(.reasoning)),
            ("contentBlockDelta.delta.toolUse.input", .text(.callArguments)),
            ("contentBlockStart.start.toolUse.name", .text(.callName)),
        ])
}
