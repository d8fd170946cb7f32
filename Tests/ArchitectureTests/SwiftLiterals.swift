/// A string literal of a Swift file: its text, and the code of its interpolations.
struct SwiftLiteral {
    enum Piece: Equatable {
        case text(String)
        case code(String)
    }

    var pieces: [Piece]
    /// Where it begins.
    var line: Int
    /// What stands before it: the last characters, on one line.
    var before: String
}

/// Reads the string literals of a file, those inside interpolations too.
struct SwiftLiteralReader {
    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private var found: [SwiftLiteral] = []

    static func literals(in text: String, firstLine: Int = 1) -> [SwiftLiteral] {
        var reader = SwiftLiteralReader(text, line: firstLine)
        while reader.position < reader.bytes.count { reader.step() }
        return reader.found
    }

    private init(_ text: String, line: Int) {
        bytes = Array(text.utf8)
        self.line = line
    }

    private func isNext(_ text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard position + length <= bytes.count else { return false }
        return (0..<length).allSatisfy { bytes[position + $0] == text.utf8Start[$0] }
    }

    private mutating func advance(_ count: Int = 1) {
        for _ in 0..<count where position < bytes.count {
            if bytes[position] == UInt8(ascii: "\n") { line += 1 }
            position += 1
        }
    }

    private mutating func step() {
        if isNext("//") {
            while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { advance() }
        } else if isNext("\"") {
            literal()
        } else if isNext("`") {
            repeat { advance() } while position < bytes.count && !isNext("`")
            advance()
        } else {
            advance()
        }
    }

    private mutating func literal() {
        let before = String(decoding: bytes[max(0, position - 200)..<position], as: UTF8.self)
            .split(whereSeparator: \.isWhitespace).joined(separator: " ")
        let quotes: StaticString = isNext("\"\"\"") ? "\"\"\"" : "\""
        let start = line
        advance(quotes.utf8CodeUnitCount)
        var pieces: [SwiftLiteral.Piece] = []
        var text: [UInt8] = []
        while position < bytes.count, !isNext(quotes) {
            if isNext("\\(") {
                pieces.append(.text(String(decoding: text, as: UTF8.self)))
                text = []
                advance(2)
                pieces.append(.code(interpolation()))
            } else if isNext("\\") {
                advance(2)
            } else {
                text.append(bytes[position])
                advance()
            }
        }
        advance(quotes.utf8CodeUnitCount)
        pieces.append(.text(String(decoding: text, as: UTF8.self)))
        found.append(SwiftLiteral(pieces: pieces, line: start, before: before))
    }

    /// The code up to the parenthesis that closes it; literals in it are found on their own.
    private mutating func interpolation() -> String {
        let start = position
        var depth = 0
        while position < bytes.count, depth > 0 || bytes[position] != UInt8(ascii: ")") {
            if bytes[position] == UInt8(ascii: "(") { depth += 1 }
            if bytes[position] == UInt8(ascii: ")") { depth -= 1 }
            step()
        }
        let code = String(decoding: bytes[start..<min(position, bytes.count)], as: UTF8.self)
        advance()
        return code
    }
}

/// A statement of SQL as Postgres gets it, with `§` for each value.
struct SQLStatement {
    var path: String
    var line: Int
    var text: String
}

/// Finds the statements in Swift sources. Fragments that are named (`let select: SQL = "…"`, a function that returns
/// one literal) are put in where they are used; what cannot be known is the word `opaque`.
struct SQLStatements {
    private var fragments: [String: [SwiftLiteral.Piece]] = [:]
    /// What a file declares as a part of a statement, its value known or not.
    private let names: [String: Set<String>]
    private let files: [(path: String, literals: [SwiftLiteral])]

    init(_ sources: [(path: String, text: String)]) {
        files = sources.map { ($0.path, SwiftLiteralReader.literals(in: $0.text)) }
        names = Dictionary(
            uniqueKeysWithValues: sources.map { path, text in
                let declared = text.matches(of: /(\w+): SQL\b/).map { String($0.output.1) }
                let functions = text.matches(of: /func (\w+)\([^{}]*\) -> SQL\b/).map { String($0.output.1) }
                return (path, Set(declared + functions))
            })
        for (path, literals) in files {
            for literal in literals {
                guard let name = Self.declaredName(before: literal.before) else { continue }
                // A fragment that is built of several literals is not known.
                fragments["\(path)#\(name)"] = fragments["\(path)#\(name)"] == nil ? literal.pieces : [.code("")]
            }
        }
    }

    var all: [SQLStatement] {
        files.flatMap { path, literals in
            literals.compactMap { literal in
                // A part is looked at where it is used.
                guard Self.declaredName(before: literal.before) == nil else { return nil }
                let text = self.text(literal.pieces, in: path, depth: 0)
                let first = text.split(whereSeparator: \.isWhitespace).first?.lowercased()
                guard let first, Self.beginnings.contains(first) else { return nil }
                return SQLStatement(path: path, line: literal.line, text: text)
            }
        }
    }

    private static let beginnings: Set<String> = ["select", "insert", "update", "delete", "with", "lock", "copy"]

    private static func declaredName(before code: String) -> String? {
        if let match = code.firstMatch(of: /(?:let|var) (\w+): SQL (?:=|\{)$/) { return String(match.output.1) }
        guard let match = code.firstMatch(of: /func (\w+)\([^{}]*\) -> SQL \{(?: return)?$/) else { return nil }
        return String(match.output.1)
    }

    private func text(_ pieces: [SwiftLiteral.Piece], in path: String, depth: Int) -> String {
        pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .code(let code): self.text(ofInterpolation: code, in: path, depth: depth)
            }
        }.joined()
    }

    private func text(ofInterpolation code: String, in path: String, depth: Int) -> String {
        if code.isEmpty || code.hasPrefix("unescaped:") || code.hasPrefix("identifier:") { return " opaque " }
        let name = code.firstMatch(of: /^(?:(\w+)\.)?(\w+)(?:\(.*)?$/.dotMatchesNewlines())
        guard let name, depth < 5 else { return isFragment(code, in: path) ? " opaque " : "§" }
        if let type = name.output.1 {
            let home = files.first { $0.path.hasSuffix("/\(type).swift") }?.path
            if let home, let pieces = fragments["\(home)#\(name.output.2)"] {
                return " \(text(pieces, in: home, depth: depth + 1)) "
            }
        } else if let pieces = fragments["\(path)#\(name.output.2)"] {
            return " \(text(pieces, in: path, depth: depth + 1)) "
        }
        return isFragment(code, in: path) ? " opaque " : "§"
    }

    private func isFragment(_ code: String, in path: String) -> Bool {
        if code.hasSuffix(".rows") || code.hasSuffix(".unnest()") || code.contains("?") { return true }
        guard let name = code.firstMatch(of: /^\w+/) else { return false }
        return names[path]?.contains(String(name.output)) == true
    }
}
