/// Counts the tokens of a text that comes in pieces: the same as of the whole text, wherever it was cut.
///
/// What might still change is kept: the text since the last space that follows something else. A text without one
/// (Chinese, say) is cut before an ASCII character when it grows too long; that may count a token more.
public struct TokenCounter {
    /// Text that is kept at most.
    public static let pendingBytesMax = 65_536
    private static let pendingBytesMin = 512

    private let tokenizer: Tokenizer
    private let cache: WordCache?
    private var pending: [UInt8] = []
    private var isContinued = false
    private var settled = 0
    private var settleAt = pendingBytesMin

    /// A counter of one text. The cache may be used for one text after another.
    public init(_ tokenizer: Tokenizer, cache: WordCache? = nil) {
        self.tokenizer = tokenizer
        self.cache = cache
    }

    /// The next bytes of the text, in UTF-8; a character may be cut.
    public mutating func append(_ utf8: some Sequence<UInt8>) {
        pending.append(contentsOf: utf8)
        if pending.count >= settleAt { settle() }
    }

    /// The tokens of all that was appended, if the text ends here.
    public var count: Int {
        settled + pending.withUnsafeBufferPointer { tokenizer.count($0, continues: isContinued, cache: cache).tokens }
    }

    private mutating func settle() {
        let cut = pending.withUnsafeBufferPointer { text in
            tokenizer.lastCut(in: text) ?? (text.count > Self.pendingBytesMax ? Self.lastASCII(in: text) : nil)
        }
        guard let cut else {
            settleAt = min(pending.count * 2, Self.pendingBytesMax + Self.pendingBytesMin)
            if pending.count > Self.pendingBytesMax { settleAt = pending.count + Self.pendingBytesMin }
            return
        }
        let (tokens, endsWithAddedToken) = pending[..<cut].withUnsafeBufferPointer {
            tokenizer.count($0, continues: isContinued, cache: cache)
        }
        settled += tokens
        isContinued = !endsWithAddedToken
        pending.removeFirst(cut)
        settleAt = max(Self.pendingBytesMin, pending.count * 2)
    }

    private static func lastASCII(in text: UnsafeBufferPointer<UInt8>) -> Int? {
        let end = text.count * 7 / 8
        return text[1..<end].lastIndex { $0 < 0x80 } ?? text[1..<end].lastIndex { $0 & 0xC0 != 0x80 }
    }
}
