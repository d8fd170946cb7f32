/// A Swift file with its comments and the texts of its literals blanked out, so that rules look at code alone.
struct SwiftSource {
    let path: String
    let lines: [Substring]
    /// The same lines, of the same lengths, with blanks for comments and literal text. Code inside `\( )` stays.
    let code: [Substring]

    init(path: String, text: String) {
        self.path = path
        self.lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var mask = SourceMask(text)
        self.code = mask.masked().split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// The target that a path under Sources or Tests belongs to.
    var target: String {
        let parts = path.split(separator: "/")
        return parts.count > 1 ? String(parts[1]) : ""
    }

    /// Violations at every match of a pattern in the code.
    func matches(of pattern: Regex<Substring>, message: (Substring) -> String) -> [Violation] {
        zip(1..., code).flatMap { number, line in
            line.matches(of: pattern.wordBoundaryKind(.simple)).map {
                Violation(path: path, line: number, message: message($0.output))
            }
        }
    }
}

/// Replaces comments and literal text by blanks, keeping every line break where it is.
struct SourceMask {
    private let characters: [Character]
    private var output: [Character] = []
    private var position = 0

    init(_ text: String) {
        characters = Array(text)
        output.reserveCapacity(characters.count)
    }

    mutating func masked() -> String {
        code(until: nil)
        return String(output)
    }

    private func isNext(_ text: String, at offset: Int = 0) -> Bool {
        var index = position + offset
        for character in text {
            guard index < characters.count, characters[index] == character else { return false }
            index += 1
        }
        return true
    }

    private mutating func keep() {
        output.append(characters[position])
        position += 1
    }

    private mutating func blank(_ count: Int = 1) {
        for _ in 0..<count where position < characters.count {
            output.append(characters[position].isNewline ? characters[position] : " ")
            position += 1
        }
    }

    /// Code up to the closing parenthesis of an interpolation, or to the file's end.
    private mutating func code(until closing: Character?) {
        var depth = 0
        while position < characters.count {
            if isNext("//") {
                while position < characters.count, !characters[position].isNewline { blank() }
            } else if isNext("/*") {
                blockComment()
            } else if let hashes = hashesBeforeQuote() {
                literal(hashes: hashes)
            } else if characters[position] == "`" {
                rawIdentifier()
            } else if characters[position] == "(" {
                depth += 1
                keep()
            } else if characters[position] == ")" {
                if depth == 0, closing == ")" { return }
                depth -= 1
                keep()
            } else {
                keep()
            }
        }
    }

    /// A name in backticks may hold quotation marks and slashes that begin nothing.
    private mutating func rawIdentifier() {
        keep()
        while position < characters.count, characters[position] != "`", !characters[position].isNewline { keep() }
        if isNext("`") { keep() }
    }

    private mutating func blockComment() {
        var depth = 0
        repeat {
            if isNext("/*") {
                depth += 1
                blank(2)
            } else if isNext("*/") {
                depth -= 1
                blank(2)
            } else {
                blank()
            }
        } while depth > 0 && position < characters.count
    }

    /// How many `#` stand before a quotation mark here; nil where no string begins.
    private func hashesBeforeQuote() -> Int? {
        var hashes = 0
        while isNext("#", at: hashes) { hashes += 1 }
        return isNext("\"", at: hashes) ? hashes : nil
    }

    private mutating func literal(hashes: Int) {
        let fence = String(repeating: "#", count: hashes)
        let quotes = isNext("\"\"\"", at: hashes) ? "\"\"\"" : "\""
        blank(hashes + quotes.count)
        while position < characters.count {
            if isNext(quotes + fence) {
                blank(quotes.count + hashes)
                return
            }
            if isNext("\\" + fence + "(") {
                blank(hashes + 1)
                keep()
                code(until: ")")
                if position < characters.count { keep() }
            } else if isNext("\\" + fence) {
                blank(hashes + 2)
            } else if quotes.count == 1, characters[position].isNewline {
                return
            } else {
                blank()
            }
        }
    }
}
