import Engines
import Metering
import NIOCore
import Tokenizers

/// What is needed to count one answer without its engine: the text that came, and the request that it answers. Only
/// requests to backends that name a tokenizer or can be asked have one.
final class AnswerCounting {
    /// Asks the engine afterwards; nil when there is nothing to ask.
    var late: LateCounts.Question?
    /// Whether the record waits for the engine's answer, after the client had its own.
    var isLate = false

    /// Nil when the backend names none, or the snapshot does not have it.
    private let tokenizer: Tokenizer?
    let asks: Bool
    let audits: Bool
    /// The client's body; empty when it is too long, or memory has no room for it.
    private let body: ByteBuffer
    /// What the body takes of the gateway's memory.
    private let charge: BodyCharge
    private var text: GeneratedText

    /// The longest body whose prompt is counted: a longer one is estimated.
    static let bodyBytesMax = 1024 * 1024
    /// The longest prompt that is counted on the event loop, in bytes of its text.
    static let shortPromptBytesMax = 16 * 1024

    /// Nil where nothing can be counted.
    init?(
        backend: Backend, request: InferenceRequest, body: ByteBuffer, tokenizers: [String: Tokenizer],
        memory: MemoryBudget
    ) {
        tokenizer = backend.settings.tokenizerPath.flatMap { tokenizers[$0] }
        asks = backend.settings.asksForCounts && backend.kind.answersCountQuestions
        guard tokenizer != nil || asks else { return nil }
        audits = tokenizer != nil && backend.settings.auditsUsage
        charge = BodyCharge(memory)
        let size = body.readableBytes
        let fits = size <= BodyCharge.freeBytes || size <= AnswerCounting.bodyBytesMax && charge.grow(to: size)
        self.body = fits ? body : ByteBuffer()
        text = GeneratedText(tokenizer: tokenizer)
    }

    func append(_ key: AnswerTextKey, _ bytes: UnsafeRawBufferPointer) { text.append(key, bytes) }

    /// The tokens of what the model wrote so far; nil where nobody can tell.
    func countedOutput() -> OwnCounts.Output? { text.counted() }

    /// Whether the engine is to count what it wrote, because no tokenizer does.
    var asksForOutput: Bool { tokenizer == nil }

    /// Counts the prompt, as far as it can be counted here: pure, and long work for a long one. Nil where nothing can
    /// be counted.
    func promptCounter(of request: InferenceRequest) -> (@Sendable () -> OwnCounts)? {
        guard body.readableBytes > 0 else { return nil }
        // Without a tokenizer only prompts that are tokens already can be counted, which is soon done.
        guard tokenizer != nil || request.input.textBytes <= AnswerCounting.shortPromptBytesMax else { return nil }
        let (body, tokenizer, surface) = (body, tokenizer, request.surface)
        return {
            var counts = OwnCounts()
            var total: Int64 = 0
            var isCounted = true
            let isWhole = body.withUnsafeReadableBytes { bytes in
                PromptText.read(bytes, of: surface) { piece in
                    switch piece {
                    case .tokens(let count): total += count
                    case .text(let text):
                        if let tokenizer { total += Int64(tokenizer.count(text)) } else { isCounted = false }
                    }
                }
            }
            guard isCounted else { return counts }
            counts.input = total
            counts.isInputWhole = isWhole
            return counts
        }
    }

    /// The prompt's count, where it is short enough to be counted on the event loop.
    func shortPrompt(of request: InferenceRequest) -> OwnCounts? {
        request.input.textBytes <= AnswerCounting.shortPromptBytesMax ? promptCounter(of: request)?() : nil
    }

    /// What the engine would be asked; nil where it cannot be.
    func questions(
        of request: InferenceRequest, backend: Backend, upstreamModel: String, asksForPrompt: Bool,
        asksForOutput: Bool
    ) -> CountQuestions? {
        guard body.readableBytes > 0 || !asksForPrompt else { return nil }
        return body.withUnsafeReadableBytes { bytes in
            func questions(_ texts: [(kind: AnswerTextKey.Kind, text: String)]) -> CountQuestions? {
                CountQuestions(
                    of: request, body: bytes, backend: backend, upstreamModel: upstreamModel,
                    asksForPrompt: asksForPrompt, texts: texts)
            }
            guard asksForOutput, let texts = text.kept else { return questions([]) }
            return questions(texts) ?? questions([])
        }
    }
}
