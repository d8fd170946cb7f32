/// Reads a `tokenizer.json` of Hugging Face's `tokenizers`. Each part must be one of those that are covered; what only
/// decoding, templates or training use does not matter to a count of text.
struct TokenizerReader {
    private let root: JSONNode
    private static let mark: [UInt8] = [0xE2, 0x96, 0x81]

    init(_ document: [UInt8]) throws(TokenizerRejection) {
        guard document.count <= Tokenizer.fileBytesMax else {
            throw TokenizerRejection("file", "it has more than \(Tokenizer.fileBytesMax) bytes")
        }
        guard let root = JSONNode(document: document), case .object = root else {
            throw TokenizerRejection("file", "it is no JSON document")
        }
        self.root = root
    }

    // MARK: Form

    /// How the text is normalized and cut into words.
    func form() throws(TokenizerRejection) -> TokenizerForm {
        let normalizer = root.present("normalizer")
        guard let splitter = root.present("pre_tokenizer") else {
            guard let normalizer, try isSpaceMarking(normalizer) else {
                throw TokenizerRejection(
                    "pre_tokenizer", "there is none: that is covered only with the normalizer of Llama 2")
            }
            return .spaceMarks(SpaceMarks(prepends: .always, splitsAtEach: false, isNormalizer: true))
        }
        switch splitter["type"]?.text {
        case "ByteLevel":
            try requireByteLevel(splitter, "pre_tokenizer", usesPattern: true)
            try requireNone(normalizer, "the pre-tokenizer of GPT-2")
            return .byteLevel(.gpt2, composes: false)
        case "Sequence": return try byteLevel(splitter, normalizer)
        case "Metaspace":
            try requireNone(normalizer, "the pre-tokenizer Metaspace")
            return .spaceMarks(try spaceMarks(splitter))
        case let type:
            throw TokenizerRejection(
                "pre_tokenizer",
                "\(type ?? "it") is not covered: only ByteLevel, the sequences of Llama 3 and Qwen 2, and Metaspace are"
            )
        }
    }

    private func byteLevel(_ splitter: JSONNode, _ normalizer: JSONNode?) throws(TokenizerRejection) -> TokenizerForm {
        guard let steps = splitter["pretokenizers"]?.elements, steps.count == 2, steps[0]["type"]?.text == "Split",
            steps[1]["type"]?.text == "ByteLevel"
        else {
            throw TokenizerRejection("pre_tokenizer", "a sequence is covered only of one Split and ByteLevel")
        }
        try requireByteLevel(steps[1], "pre_tokenizer.pretokenizers[1]", usesPattern: false)
        let expression = steps[0]["pattern"]?["Regex"]?.text
        guard steps[0]["behavior"]?.text == "Isolated", steps[0]["invert"]?.flag != true,
            let pattern = [SplitPattern.llama3, .qwen2].first(where: { $0.expression == expression })
        else {
            throw TokenizerRejection(
                "pre_tokenizer.pretokenizers[0]", "only the patterns of Llama 3 and Qwen 2, isolated, are covered")
        }
        guard let normalizer else { return .byteLevel(pattern, composes: false) }
        guard normalizer["type"]?.text == "NFC" else {
            throw TokenizerRejection("normalizer", "beside this pre-tokenizer only NFC or none is covered")
        }
        return .byteLevel(pattern, composes: true)
    }

    private func requireByteLevel(_ node: JSONNode, _ part: String, usesPattern: Bool) throws(TokenizerRejection) {
        guard node["add_prefix_space"]?.flag == false else {
            throw TokenizerRejection("\(part).add_prefix_space", "only false is covered")
        }
        guard (node["use_regex"]?.flag ?? true) == usesPattern else {
            throw TokenizerRejection("\(part).use_regex", "only \(usesPattern) is covered here")
        }
    }

    private func requireNone(_ normalizer: JSONNode?, _ beside: String) throws(TokenizerRejection) {
        guard let normalizer else { return }
        if normalizer["type"]?.text == "Sequence", normalizer["normalizers"]?.elements?.isEmpty == true { return }
        throw TokenizerRejection("normalizer", "beside \(beside) none is covered")
    }

    /// The normalizer of Llama 2: a mark in front, and one for each space.
    private func isSpaceMarking(_ normalizer: JSONNode) throws(TokenizerRejection) -> Bool {
        guard normalizer["type"]?.text == "Sequence", let steps = normalizer["normalizers"]?.elements,
            steps.count == 2, steps[0]["type"]?.text == "Prepend", steps[0]["prepend"]?.bytes == Self.mark,
            steps[1]["type"]?.text == "Replace", steps[1]["pattern"]?["String"]?.text == " ",
            steps[1]["content"]?.bytes == Self.mark
        else {
            throw TokenizerRejection(
                "normalizer", "without a pre-tokenizer only Prepend and Replace of \"▁\", as of Llama 2, are covered")
        }
        return true
    }

    private func spaceMarks(_ node: JSONNode) throws(TokenizerRejection) -> SpaceMarks {
        guard node["replacement"]?.bytes == Self.mark else {
            throw TokenizerRejection("pre_tokenizer.replacement", "only \"▁\" is covered")
        }
        let scheme = node["prepend_scheme"]?.text ?? (node["add_prefix_space"]?.flag == false ? "never" : "always")
        guard let prepends = SpaceMarks.Prepending(rawValue: scheme) else {
            throw TokenizerRejection("pre_tokenizer.prepend_scheme", "\(scheme) is not covered")
        }
        return SpaceMarks(prepends: prepends, splitsAtEach: node["split"]?.flag ?? true, isNormalizer: false)
    }

    // MARK: Model

    /// The vocabulary and the merges.
    func model(form: TokenizerForm) throws(TokenizerRejection) -> TokenizerModel {
        guard let model = root["model"], model["type"]?.text == "BPE" else {
            throw TokenizerRejection("model.type", "only BPE is covered")
        }
        for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
            guard model.present(name)?.bytes?.isEmpty ?? true else {
                throw TokenizerRejection("model.\(name)", "none is covered")
            }
        }
        guard model.present("dropout").map({ $0.integer == 0 }) ?? true else {
            throw TokenizerRejection("model.dropout", "none is covered: counts would be random")
        }
        guard case .object(let members)? = model["vocab"] else {
            throw TokenizerRejection("model.vocab", "there is none")
        }
        var vocabulary = TokenTable()
        for (word, id) in members {
            guard let id = id.integer.flatMap({ UInt32(exactly: $0) }) else {
                throw TokenizerRejection("model.vocab", "an id is no whole number")
            }
            vocabulary.insert(word, id: id)
        }
        let ignoresMerges = model["ignore_merges"]?.flag ?? false
        var result: TokenizerModel
        switch form {
        case .byteLevel:
            result = TokenizerModel(byteTokens: try byteTokens(vocabulary, name: { ByteAlphabet.utf8(of: $0) }))
            if ignoresMerges {
                var words = TokenTable()
                for (word, id) in members {
                    guard let bytes = ByteAlphabet.bytes(of: word), let id = id.integer else { continue }
                    words.insert(bytes, id: UInt32(id))
                }
                result.wholeWords = words
            }
        case .spaceMarks(let marks):
            guard model["byte_fallback"]?.flag == true else {
                throw TokenizerRejection("model.byte_fallback", "only true is covered beside \"▁\"")
            }
            guard !ignoresMerges || marks.splitsAtEach else {
                throw TokenizerRejection("model.ignore_merges", "only false is covered here")
            }
            result = TokenizerModel(
                byteTokens: try byteTokens(vocabulary, name: { Array("<0x\(Self.hexadecimal($0))>".utf8) }))
            result.scalars = vocabulary
            if ignoresMerges { result.wholeWords = vocabulary }
        }
        try addMerges(model["merges"], vocabulary, &result)
        return result
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }

    private func byteTokens(
        _ vocabulary: TokenTable, name: (UInt8) -> [UInt8]
    ) throws(TokenizerRejection) -> [UInt32] {
        var tokens: [UInt32] = []
        for byte in 0...255 as ClosedRange<UInt8> {
            guard let id = vocabulary.id(of: name(byte)) else {
                throw TokenizerRejection("model.vocab", "it has no token for the byte 0x\(Self.hexadecimal(byte))")
            }
            tokens.append(id)
        }
        return tokens
    }

    private func addMerges(
        _ node: JSONNode?, _ vocabulary: TokenTable, _ model: inout TokenizerModel
    ) throws(TokenizerRejection) {
        guard let list = node?.elements else { throw TokenizerRejection("model.merges", "there are none") }
        model.merges = MergeTable(count: list.count)
        for (rank, element) in list.enumerated() {
            guard let (left, right) = Self.pair(element), let leftID = vocabulary.id(of: left),
                let rightID = vocabulary.id(of: right), let id = vocabulary.id(of: left + right)
            else {
                throw TokenizerRejection("model.merges", "merge \(rank) is of tokens that are not in the vocabulary")
            }
            model.merges.insert(leftID, rightID, MergeTable.Merge(rank: UInt32(rank), id: id))
            model.mergesReachOverMarks = model.mergesReachOverMarks || Self.reachesOverMark(left + right)
        }
    }

    /// `["a", "b"]`, or `"a b"` in older files.
    private static func pair(_ node: JSONNode) -> ([UInt8], [UInt8])? {
        if let parts = node.elements {
            guard parts.count == 2, let left = parts[0].bytes, let right = parts[1].bytes else { return nil }
            return (left, right)
        }
        guard let text = node.bytes, let space = text.firstIndex(of: 0x20) else { return nil }
        let right = text[(space + 1)...]
        guard !right.contains(0x20) else { return nil }
        return (Array(text[..<space]), Array(right))
    }

    /// Whether a mark stands behind something else in it.
    private static func reachesOverMark(_ word: [UInt8]) -> Bool {
        var rest = word[...]
        while rest.starts(with: mark) { rest = rest.dropFirst(mark.count) }
        return rest.indices.contains { rest[$0...].starts(with: mark) }
    }

    // MARK: Added tokens

    /// Those looked for in the text as it came, and those looked for in the normalized text.
    func addedTokens(
        normalize: ([UInt8]) -> [UInt8]
    ) throws(TokenizerRejection) -> (raw: AddedTokens, normalized: AddedTokens) {
        var raw: [AddedTokens.Token] = []
        var normalized: [AddedTokens.Token] = []
        for (index, node) in (root.present("added_tokens")?.elements ?? []).enumerated() {
            let part = "added_tokens[\(index)]"
            guard let content = node["content"]?.bytes, let id = node["id"]?.integer.flatMap({ UInt32(exactly: $0) })
            else { throw TokenizerRejection(part, "it has no content or no id") }
            guard node["single_word"]?.flag != true else {
                throw TokenizerRejection("\(part).single_word", "only false is covered")
            }
            guard !content.isEmpty else { continue }
            let isNormalized = node["normalized"]?.flag ?? true
            let token = AddedTokens.Token(
                content: isNormalized ? normalize(content) : content, id: id,
                stripsLeft: node["lstrip"]?.flag ?? false, stripsRight: node["rstrip"]?.flag ?? false)
            if isNormalized { normalized.append(token) } else { raw.append(token) }
        }
        return (AddedTokens(raw), AddedTokens(normalized))
    }
}
