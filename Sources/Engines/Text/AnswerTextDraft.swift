/// The texts of one document while it is read: which of them belongs where is known at its end, because engines write
/// an index before or after what it numbers.
struct AnswerTextDraft: Sendable {
    private struct Text {
        let kind: AnswerTextKey.Kind
        let part: Int
        let range: Range<Int>
        var choice: Int64?
        var item: Int64?
    }

    /// All texts of the document, one after the other.
    private(set) var bytes: [UInt8] = []
    private var texts: [Text] = []
    private var choice: Int64?
    private var item: Int64?
    private var callItem: Int64?
    private var type: String?
    private var isSpecial = false
    /// Whether a text was left out for its length.
    private(set) var isTooLong = false

    /// Takes a value that has one of the roles.
    mutating func take(_ role: AnswerTextParts.Role, part: Int, _ value: UnsafeRawBufferPointer) {
        switch role {
        case .text(let kind): append(value, kind, part)
        case .json(let kind): append(kind, part) { $0.append(contentsOf: value) }
        case .choice:
            guard let number = AnswerFacts.integer(value) else { return }
            if let last = texts.last, last.choice == nil {
                for index in texts.indices where texts[index].choice == nil { texts[index].choice = number }
            } else {
                choice = number
                item = nil
                callItem = nil
            }
        case .item, .callItem:
            guard let number = AnswerFacts.integer(value) else { return }
            take(number, isCall: isCallItem(role))
        case .type: type = AnswerFacts.name(value)
        case .special: isSpecial = isSpecial || value.equals("true", in: 0..<value.count)
        }
    }

    private func isCallItem(_ role: AnswerTextParts.Role) -> Bool {
        if case .callItem = role { true } else { false }
    }

    private mutating func take(_ number: Int64, isCall: Bool) {
        if let last = texts.last, last.item == nil, last.kind.isCall || !isCall {
            for index in texts.indices where texts[index].item == nil && (texts[index].kind.isCall || !isCall) {
                texts[index].item = number
            }
        } else if isCall {
            callItem = number
        } else {
            item = number
        }
    }

    // MARK: Texts

    private mutating func append(_ value: UnsafeRawBufferPointer, _ kind: AnswerTextKey.Kind, _ part: Int) {
        switch value.first {
        case UInt8(ascii: "\""):
            // A string that broke off has no closing quote.
            let isClosed = value.count > 1 && value.last == UInt8(ascii: "\"")
            let end = isClosed ? value.count - 1 : value.endOfEscapes(from: 1)
            append(kind, part) { $0.appendString(value, 1..<end) }
        case UInt8(ascii: "["), UInt8(ascii: "{"): try? appendParts(value, kind, part)
        default: return
        }
    }

    private mutating func append(_ kind: AnswerTextKey.Kind, _ part: Int, _ write: (inout [UInt8]) -> Void) {
        let start = bytes.count
        guard start < AnswerTextParts.textBytesMax else {
            isTooLong = true
            return
        }
        write(&bytes)
        guard bytes.count > start, !isRepetition(start..<bytes.count, kind, part) else {
            bytes.removeLast(bytes.count - start)
            return
        }
        texts.append(
            Text(
                kind: kind, part: part, range: start..<bytes.count, choice: choice, item: kind.isCall ? callItem : item)
        )
    }

    /// Reasoning that stands under two names, as some engines write it for the sake of older clients.
    private func isRepetition(_ range: Range<Int>, _ kind: AnswerTextKey.Kind, _ part: Int) -> Bool {
        guard kind == .reasoning, let last = texts.last(where: { $0.kind == .reasoning }) else { return false }
        return last.part != part && last.choice == choice && bytes[last.range] == bytes[range]
    }

    /// Content in parts: text stands under these names, at whatever depth.
    private mutating func appendParts(
        _ value: UnsafeRawBufferPointer, _ kind: AnswerTextKey.Kind, _ part: Int
    ) throws(JSONScanError) {
        var scanner = JSONScanner(value)
        try appendParts(&scanner, value, kind, part)
    }

    private mutating func appendParts(
        _ scanner: inout JSONScanner, _ value: UnsafeRawBufferPointer, _ kind: AnswerTextKey.Kind, _ part: Int
    ) throws(JSONScanError) {
        switch try scanner.kind() {
        case .string:
            let text = try scanner.string()
            append(kind, part) { $0.appendString(value, text.range) }
        case .array:
            try scanner.beginArray()
            while try scanner.nextElement() { try appendParts(&scanner, value, kind, part) }
        case .object:
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                if key.equals("text", in: value) || key.equals("content", in: value) {
                    try appendParts(&scanner, value, kind, part)
                } else if key.equals("thinking", in: value) {
                    try appendParts(&scanner, value, .reasoning, part)
                } else {
                    try scanner.skip()
                }
            }
        case .number, .bool, .null: try scanner.skip()
        }
    }

    // MARK: The end

    /// Shows each text and where it belongs. Of a plain answer (`isPlain`) each is one of its own.
    func finish(isPlain: Bool, _ body: (AnswerTextKey, Range<Int>) -> Void) {
        guard !isSpecial else { return }
        for (index, text) in texts.enumerated() {
            guard let kind = isPlain ? text.kind : kind(of: text) else { continue }
            let item = isPlain ? Int64(index) : text.item ?? 0
            body(AnswerTextKey(kind: kind, choice: text.choice ?? 0, item: item), text.range)
        }
    }

    /// Nil for what is no text: sound, pictures, a name that is said a second time.
    private func kind(of text: Text) -> AnswerTextKey.Kind? {
        guard let type, type.hasPrefix("response.") else { return text.kind }
        if text.kind == .callName { return type == "response.output_item.added" ? .callName : nil }
        guard type.hasSuffix(".delta") else { return nil }
        let name = type.dropFirst("response.".count).dropLast(".delta".count)
        if name.hasPrefix("reasoning") { return .reasoning }
        if name.hasSuffix("arguments") || name.hasSuffix("input") || name.hasSuffix("code") { return .callArguments }
        return name == "output_text" || name == "refusal" ? .visible : nil
    }
}

extension AnswerTextKey.Kind {
    fileprivate var isCall: Bool { self == .callName || self == .callArguments }
}

extension UnsafeRawBufferPointer {
    /// The end of a string that broke off, without the escape that it broke off in.
    fileprivate func endOfEscapes(from start: Int) -> Int {
        var index = start
        while index < count {
            guard self[index] == UInt8(ascii: "\\") else {
                index += 1
                continue
            }
            let length = index + 1 < count && self[index + 1] == UInt8(ascii: "u") ? 6 : 2
            guard index + length <= count else { return index }
            index += length
        }
        return count
    }
}

extension [UInt8] {
    /// Appends the value of a JSON string that stands in `range`, or of its beginning.
    mutating func appendString(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        guard bytes[range].contains(UInt8(ascii: "\\")) else { return append(contentsOf: bytes[range]) }
        append(contentsOf: JSONText(range: range, isEscaped: true).value(in: bytes).utf8)
    }
}
