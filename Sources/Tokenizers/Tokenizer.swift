/// Counts the tokens of a text as engines do that use the same `tokenizer.json`: GPT-2's, Llama 3's and Qwen 2's
/// byte-level encodings, and Metaspace with byte fallback as of Llama 2. Any other file is refused.
///
/// Immutable; any number of threads may use it. It counts text, not what was sampled.
public final class Tokenizer: Sendable {
    /// The largest file that is read: 64 MiB.
    public static let fileBytesMax = 64 << 20

    private let form: TokenizerForm
    private let model: TokenizerModel
    private let rawTokens: AddedTokens
    private let normalizedTokens: AddedTokens

    /// Reads a `tokenizer.json`.
    public init(json document: [UInt8]) throws(TokenizerRejection) {
        let reader = try TokenizerReader(document)
        let form = try reader.form()
        model = try reader.model(form: form)
        (rawTokens, normalizedTokens) = try reader.addedTokens { content in
            content.withUnsafeBufferPointer { Self.normalized($0, form, prepending: true) ?? content }
        }
        self.form = form
    }

    /// The ids of a text without what a template puts around it.
    public func tokens(of text: String) -> [UInt32] {
        var encoding = Encoding(model: model, keepsIDs: true, cache: nil)
        var text = text
        text.withUTF8 { _ = encode($0, continues: false, into: &encoding) }
        return encoding.ids
    }

    /// How many tokens a text has.
    public func count(_ text: String, cache: WordCache? = nil) -> Int {
        var text = text
        return text.withUTF8 { count($0, continues: false, cache: cache).tokens }
    }

    /// How many tokens a stretch of a text has, and whether a text begins anew behind it: it ends with an added token.
    func count(
        _ text: UnsafeBufferPointer<UInt8>, continues: Bool, cache: WordCache?
    ) -> (tokens: Int, endsWithAddedToken: Bool) {
        var encoding = Encoding(model: model, keepsIDs: false, cache: cache)
        let ends = encode(text, continues: continues, into: &encoding)
        return (encoding.count, ends)
    }

    // MARK: From text to words

    private func encode(_ text: UnsafeBufferPointer<UInt8>, continues: Bool, into encoding: inout Encoding) -> Bool {
        guard !text.isEmpty else { return false }
        if rawTokens.isEmpty {
            encodeSegment(text, isFirst: !continues, continues: continues, into: &encoding)
            return false
        }
        var endsWithAddedToken = false
        for piece in rawTokens.pieces(of: text) {
            endsWithAddedToken = piece.id != nil
            if let id = piece.id {
                encoding.add(id)
                continue
            }
            let isStart = piece.range.lowerBound == 0
            encodeSegment(
                UnsafeBufferPointer(rebasing: text[piece.range]), isFirst: isStart && !continues,
                continues: isStart && continues, into: &encoding)
        }
        return endsWithAddedToken
    }

    /// A stretch between added tokens: normalized, then cut at those that are looked for after that.
    private func encodeSegment(
        _ text: UnsafeBufferPointer<UInt8>, isFirst: Bool, continues: Bool, into encoding: inout Encoding
    ) {
        guard let normalized = Self.normalized(text, form, prepending: !continues) else {
            return encodeNormalized(text, isFirst: isFirst, continues: continues, into: &encoding)
        }
        normalized.withUnsafeBufferPointer {
            encodeNormalized($0, isFirst: isFirst, continues: continues, into: &encoding)
        }
    }

    /// Nil where nothing changes.
    private static func normalized(
        _ text: UnsafeBufferPointer<UInt8>, _ form: TokenizerForm, prepending: Bool
    ) -> [UInt8]? {
        switch form {
        case .byteLevel(_, composes: false): nil
        case .byteLevel(_, composes: true): Composition.composed(text)
        case .spaceMarks(let marks): marks.isNormalizer ? marks.marked(text, prepending: prepending) : nil
        }
    }

    private func encodeNormalized(
        _ text: UnsafeBufferPointer<UInt8>, isFirst: Bool, continues: Bool, into encoding: inout Encoding
    ) {
        if normalizedTokens.isEmpty {
            return encodeWords(text, isFirst: isFirst, continues: continues, into: &encoding)
        }
        for piece in normalizedTokens.pieces(of: text) {
            if let id = piece.id {
                encoding.add(id)
                continue
            }
            let isStart = piece.range.lowerBound == 0
            encodeWords(
                UnsafeBufferPointer(rebasing: text[piece.range]), isFirst: isFirst && isStart,
                continues: continues && isStart, into: &encoding)
        }
    }

    private func encodeWords(
        _ text: UnsafeBufferPointer<UInt8>, isFirst: Bool, continues: Bool, into encoding: inout Encoding
    ) {
        switch form {
        case .byteLevel(let pattern, _):
            var start = 0
            while start < text.count {
                let end = pattern.wordEnd(in: text, from: start)
                encoding.add(UnsafeBufferPointer(rebasing: text[start..<end]))
                start = end
            }
        case .spaceMarks(let marks) where marks.isNormalizer:
            encodeMarked(text, marks, into: &encoding)
        case .spaceMarks(let marks):
            let prepends =
                switch marks.prepends {
                case .never: false
                case .first: isFirst
                case .always: !continues
                }
            marks.marked(text, prepending: prepends).withUnsafeBufferPointer {
                encodeMarked($0, marks, into: &encoding)
            }
        }
    }

    /// Cuts at marks: before each, or, where the whole text is one word, wherever no merge can reach over: before a
    /// mark that follows something else.
    private func encodeMarked(
        _ text: UnsafeBufferPointer<UInt8>, _ marks: SpaceMarks, into encoding: inout Encoding
    ) {
        guard marks.splitsAtEach || !model.mergesReachOverMarks else { return encoding.add(text) }
        var start = 0
        var offset = 0
        var follows = false
        while offset < text.count {
            let isMark =
                text[offset] == 0xE2 && offset + 2 < text.count && text[offset + 1] == 0x96
                && text[offset + 2] == 0x81
            if isMark, offset > start, follows || marks.splitsAtEach {
                encoding.add(UnsafeBufferPointer(rebasing: text[start..<offset]))
                start = offset
            }
            follows = !isMark
            offset += isMark ? 3 : 1
        }
        if start < text.count { encoding.add(UnsafeBufferPointer(rebasing: text[start...])) }
    }

    // MARK: Where a stream of text may be cut

    /// Whether the text before a space that follows something else never depends on what comes.
    var isCutBeforeSpaces: Bool {
        guard !rawTokens.reachOverSpaces, !normalizedTokens.reachOverSpaces else { return false }
        return switch form {
        case .byteLevel: true
        case .spaceMarks(let marks): marks.splitsAtEach || !model.mergesReachOverMarks
        }
    }

    /// The last place at which the text may be cut so that both parts have, together, the tokens of the whole.
    func lastCut(in text: UnsafeBufferPointer<UInt8>) -> Int? {
        guard isCutBeforeSpaces else { return nil }
        var offset = text.count - 1
        while offset > 0 {
            if text[offset] == 0x20 {
                let (value, _) = decodedScalar(text, at: scalarStart(text, before: offset))
                if !ScalarClass(value).isSpace, value != 0x2581 { return offset }
            }
            offset -= 1
        }
        return nil
    }
}
