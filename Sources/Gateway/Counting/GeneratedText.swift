import Engines
import Tokenizers

/// What a model wrote in one answer, as far as it has come: counted by a tokenizer when somebody asks, or kept for the
/// engine to count.
///
/// Text is given to the tokenizer only when there is much of it: nearly always the engine says its usage in the end,
/// and nobody asks.
struct GeneratedText {
    /// The texts of one answer that are told apart: choices, blocks, calls.
    static let textsMax = 256
    /// Bytes of all texts together that wait for the tokenizer; beside them each counter keeps its own.
    static let pendingBytesMax = 16 * 1024
    /// Bytes of all texts together that are kept for an engine to count.
    static let keptBytesMax = 64 * 1024

    private struct Text {
        let key: AnswerTextKey
        var pending: [UInt8] = []
        var counter: TokenCounter?
    }

    private let tokenizer: Tokenizer?
    private var texts: [Text] = []
    private var pendingBytes = 0
    /// The text that the last piece belonged to: the next one's too, nearly always.
    private var last = 0
    /// Whether all that came was kept or counted.
    private(set) var isWhole = true

    /// Nothing yet. Without a tokenizer text is kept, as long as it is not much.
    init(tokenizer: Tokenizer?) { self.tokenizer = tokenizer }

    mutating func append(_ key: AnswerTextKey, _ bytes: UnsafeRawBufferPointer) {
        guard isWhole, let index = index(of: key) else { return }
        texts[index].pending.append(contentsOf: bytes)
        pendingBytes += bytes.count
        if tokenizer != nil {
            if pendingBytes > GeneratedText.pendingBytesMax { settle() }
        } else if pendingBytes > GeneratedText.keptBytesMax {
            abandon()
        }
    }

    private mutating func index(of key: AnswerTextKey) -> Int? {
        if last < texts.count, texts[last].key == key { return last }
        if let known = texts.firstIndex(where: { $0.key == key }) {
            last = known
            return known
        }
        guard texts.count < GeneratedText.textsMax else {
            abandon()
            return nil
        }
        texts.append(Text(key: key))
        last = texts.count - 1
        return last
    }

    private mutating func abandon() {
        isWhole = false
        texts = []
    }

    private mutating func settle() {
        guard let tokenizer else { return }
        for index in texts.indices where !texts[index].pending.isEmpty {
            if texts[index].counter == nil { texts[index].counter = TokenCounter(tokenizer) }
            let pending = texts[index].pending
            texts[index].counter?.append(pending)
            texts[index].pending = []
        }
        pendingBytes = 0
    }

    /// The tokens of all that came; nil without a tokenizer, or when not all of it could be counted.
    mutating func counted() -> OwnCounts.Output? {
        guard tokenizer != nil, isWhole else { return nil }
        settle()
        var output = OwnCounts.Output(visible: 0, reasoning: 0)
        for text in texts {
            let count = Int64(text.counter?.count ?? 0)
            if text.key.kind == .reasoning { output.reasoning += count } else { output.visible += count }
        }
        return output
    }

    /// The texts themselves; nil where they were counted, or were too long.
    var kept: [(kind: AnswerTextKey.Kind, text: String)]? {
        guard tokenizer == nil, isWhole else { return nil }
        return texts.map { ($0.key.kind, String(decoding: $0.pending, as: UTF8.self)) }
    }

    /// How many texts came.
    var textCount: Int { texts.count }
}
