/// The vocabulary as words are encoded with it.
struct TokenizerModel: Sendable {
    /// The token of each byte.
    let byteTokens: [UInt32]
    var merges = MergeTable(count: 0)
    /// Tokens of single characters, where words begin as those; nil where they begin as bytes.
    var scalars: TokenTable?
    /// Words that are tokens without being merged; nil where that is not so.
    var wholeWords: TokenTable?
    /// Whether a token has a mark behind something else.
    var mergesReachOverMarks = false

    init(byteTokens: [UInt32]) {
        self.byteTokens = byteTokens
    }
}

/// Takes words and gathers their tokens.
struct Encoding {
    private let model: TokenizerModel
    private let keepsIDs: Bool
    private let cache: WordCache?
    private var merger = WordMerger()
    private var word: [UInt32] = []
    private(set) var ids: [UInt32] = []
    private(set) var count = 0

    init(model: TokenizerModel, keepsIDs: Bool, cache: WordCache?) {
        self.model = model
        self.keepsIDs = keepsIDs
        self.cache = cache
    }

    mutating func add(_ id: UInt32) {
        count += 1
        if keepsIDs { ids.append(id) }
    }

    mutating func add(_ text: UnsafeBufferPointer<UInt8>) {
        guard !text.isEmpty else { return }
        if !keepsIDs, let known = cache?.count(of: text) {
            count += known
            return
        }
        if let whole = model.wholeWords?.id(of: text) { return add(whole) }
        word.removeAll(keepingCapacity: true)
        if let scalars = model.scalars { addScalars(text, scalars) } else { addBytes(text) }
        merger.merge(&word, by: model.merges)
        count += word.count
        if keepsIDs { ids += word } else { cache?.insert(text, count: word.count) }
    }

    private mutating func addBytes(_ text: UnsafeBufferPointer<UInt8>) {
        for byte in text { word.append(model.byteTokens[Int(byte)]) }
    }

    private mutating func addScalars(_ text: UnsafeBufferPointer<UInt8>, _ scalars: TokenTable) {
        var offset = 0
        while offset < text.count {
            let length = decodedScalar(text, at: offset).length
            let scalar = UnsafeBufferPointer(rebasing: text[offset..<offset + length])
            if let id = scalars.id(of: scalar) { word.append(id) } else { addBytes(scalar) }
            offset += length
        }
    }
}

/// How many tokens words have that were met before. One thread's own; emptied when it is full.
public final class WordCache {
    /// How many words are remembered.
    public static let wordsMax = 32_768
    /// Longer words are not.
    static let wordBytesMax = 48

    private var counts = TokenTable()

    public init() {}

    func count(of word: UnsafeBufferPointer<UInt8>) -> Int? {
        word.count <= Self.wordBytesMax ? counts.id(of: word).map { Int($0) } : nil
    }

    func insert(_ word: UnsafeBufferPointer<UInt8>, count: Int) {
        guard word.count <= Self.wordBytesMax else { return }
        if counts.count >= Self.wordsMax { counts = TokenTable() }
        counts.insert(Array(word), id: UInt32(count))
    }
}
