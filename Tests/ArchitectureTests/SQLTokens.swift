struct SQLToken {
    var text: String
    var line: Int
}

extension [SQLToken] {
    func starts(with words: [String]) -> Bool { map(\.text).starts(with: words) }
}

/// Cuts SQL into words and signs. Comments vanish; a literal is the one token `''`.
enum SQLTokens {
    static func statements(_ sql: String) -> [[SQLToken]] {
        let pattern =
            #/
            (?<blank> \s+ | --[^\n]* | \/\*(?s:.*?)\*\/ )
            | (?<dollar> \$(?<tag>\w*)\$(?s:.*?)\$\k<tag>\$ )
            | (?<literal> '(?:[^']|\'\')*' )
            | (?<quoted> "[^"]+" )
            | (?<word> [A-Za-z_][A-Za-z0-9_]* )
            | (?<sign> . )
            /#
        var line = 1
        var statements: [[SQLToken]] = [[]]
        for match in sql.matches(of: pattern) {
            let start = line
            line += match.output.0.count { $0 == "\n" }
            var text: String?
            if let word = match.output.word {
                text = word.lowercased()
            } else if let quoted = match.output.quoted {
                text = String(quoted.dropFirst().dropLast())
            } else if match.output.literal != nil || match.output.dollar != nil {
                text = "''"
            } else if let sign = match.output.sign {
                text = String(sign)
            }
            if text == ";" {
                statements.append([])
            } else if let text {
                statements[statements.count - 1].append(SQLToken(text: text, line: start))
            }
        }
        return statements.filter { !$0.isEmpty }
    }
}

/// Reads along one statement.
struct SQLReader {
    private let tokens: [SQLToken]
    private var position = 0

    init(tokens: [SQLToken]) { self.tokens = tokens }

    var isAtEnd: Bool { position >= tokens.count }
    var line: Int { (isAtEnd ? tokens.last : tokens[position])?.line ?? 1 }

    mutating func skip() { position += 1 }

    /// Steps over the words if all of them stand here.
    @discardableResult
    mutating func take(_ words: String...) -> Bool {
        guard position + words.count <= tokens.count,
            zip(words, tokens[position...]).allSatisfy({ $0 == $1.text })
        else { return false }
        position += words.count
        return true
    }

    /// A name; the schema before it is dropped.
    mutating func name() -> String? {
        guard !isAtEnd else { return nil }
        var name = tokens[position].text
        position += 1
        while take("."), !isAtEnd {
            name = tokens[position].text
            position += 1
        }
        return name
    }

    /// The elements between parentheses that begin here, cut at their commas.
    mutating func list() -> [[SQLToken]] {
        guard take("(") else { return [] }
        var elements: [[SQLToken]] = [[]]
        var depth = 0
        while !isAtEnd {
            let token = tokens[position]
            position += 1
            if token.text == "(" { depth += 1 }
            if token.text == ")" {
                if depth == 0 { break }
                depth -= 1
            }
            if token.text == ",", depth == 0 {
                elements.append([])
            } else {
                elements[elements.count - 1].append(token)
            }
        }
        return elements.filter { !$0.isEmpty }
    }

    /// All up to the next comma outside parentheses, which is stepped over.
    mutating func upToComma() -> [SQLToken] {
        var found: [SQLToken] = []
        var depth = 0
        while !isAtEnd {
            let token = tokens[position]
            position += 1
            if token.text == "(" { depth += 1 }
            if token.text == ")" { depth -= 1 }
            if token.text == ",", depth == 0 { break }
            found.append(token)
        }
        return found
    }
}
