/// The regular expressions by which byte-level tokenizers cut a text into words, written out by hand. A word's end
/// depends on what follows it, never on what stands before it.
enum SplitPattern: CaseIterable, Sendable {
    case gpt2
    case llama3
    case qwen2

    /// As it stands in `tokenizer.json`. GPT-2's does not: it is the one of the pre-tokenizer `ByteLevel`.
    var expression: String {
        switch self {
        case .gpt2: #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
        case .llama3: Self.newer(numbers: #"\p{N}{1,3}"#)
        case .qwen2: Self.newer(numbers: #"\p{N}"#)
        }
    }

    private static func newer(numbers: String) -> String {
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + numbers
            + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    }

    /// Where the word ends that begins at `start`.
    func wordEnd(in text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        let scan = Scan(text: text)
        if text[start] == UInt8(ascii: "'") {
            let length = scan.contraction(at: start, ignoresCase: self != .gpt2)
            if length > 0 { return start + length }
        }
        return self == .gpt2 ? scan.oldWordEnd(start) : scan.newWordEnd(start, numbersMax: self == .llama3 ? 3 : 1)
    }
}

private struct Scan {
    let text: UnsafeBufferPointer<UInt8>

    private func classified(_ offset: Int) -> (kind: ScalarClass, length: Int) {
        let (value, length) = decodedScalar(text, at: offset)
        return (ScalarClass(value), length)
    }

    /// The end of the run of one class.
    private func runEnd(of kind: ScalarClass, from start: Int, countMax: Int = .max) -> Int {
        var offset = start
        var count = 0
        while offset < text.count, count < countMax {
            let next = classified(offset)
            guard next.kind == kind else { break }
            offset += next.length
            count += 1
        }
        return offset
    }

    /// The length of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d`; 0 where there is none.
    func contraction(at start: Int, ignoresCase: Bool) -> Int {
        let fold: UInt8 = ignoresCase ? 0x20 : 0
        guard start + 1 < text.count else { return 0 }
        let first = text[start + 1]
        // The long s is an s where case does not count.
        if ignoresCase, first == 0xC5, start + 2 < text.count, text[start + 2] == 0xBF { return 3 }
        switch first | fold {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return 2
        default: break
        }
        guard start + 2 < text.count else { return 0 }
        switch (first | fold, text[start + 2] | fold) {
        case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
            (UInt8(ascii: "l"), UInt8(ascii: "l")):
            return 3
        default: return 0
        }
    }

    /// ` ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    func oldWordEnd(_ start: Int) -> Int {
        let body = text[start] == 0x20 && start + 1 < text.count ? start + 1 : start
        let kind = classified(body).kind
        return kind.isSpace ? spaceEnd(start) : runEnd(of: kind, from: body)
    }

    /// `[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
    func newWordEnd(_ start: Int, numbersMax: Int) -> Int {
        let first = classified(start)
        switch first.kind {
        case .letter: return runEnd(of: .letter, from: start)
        case .number: return runEnd(of: .number, from: start, countMax: numbersMax)
        case .other, .space:
            let end = runEnd(of: .letter, from: start + first.length)
            if end > start + first.length { return end }
            let body = text[start] == 0x20 ? start + 1 : start
            let others = runEnd(of: .other, from: body)
            if others > body { return runEnd(of: .lineBreak, from: others) }
        case .lineBreak: break
        }
        return lineBreaksEnd(start) ?? spaceEnd(start)
    }

    /// `\s*[\r\n]+`: up to the last line break of the white space.
    private func lineBreaksEnd(_ start: Int) -> Int? {
        var offset = start
        var end: Int?
        while offset < text.count {
            let next = classified(offset)
            guard next.kind.isSpace else { break }
            offset += next.length
            if next.kind == .lineBreak { end = offset }
        }
        return end
    }

    /// `\s+(?!\S)|\s+`: all white space at the text's end; before something else, all but its last, if there is more.
    private func spaceEnd(_ start: Int) -> Int {
        var offset = start
        var last = start
        while offset < text.count {
            let next = classified(offset)
            guard next.kind.isSpace else { break }
            last = offset
            offset += next.length
        }
        return offset == text.count || last == start ? offset : last
    }
}
