/// The rules of the schema, on the text of the migrations.
enum SchemaRules {
    /// Migrations are `NNNN_snake_name.sql`, from 0001 without a gap.
    static func numbering(_ names: [String]) -> [Violation] {
        var found: [Violation] = []
        for (expected, name) in zip(1..., names.sorted()) {
            let path = "migrations/\(name)"
            guard let match = name.wholeMatch(of: /([0-9]{4})_[a-z0-9_]+\.sql/) else {
                found.append(Violation(path: path, line: 1, message: "a migration is called NNNN_snake_name.sql"))
                continue
            }
            if Int(match.output.1) != expected {
                found.append(Violation(path: path, line: 1, message: "the number after \(expected - 1) is \(expected)"))
            }
        }
        return found
    }

    /// Each table either stands in the list of seller-wide tables, or has `account_id` first in its primary key and in
    /// each unique index.
    static func distribution(_ schema: Schema, sellerWide: Set<String>) -> [Violation] {
        var found: [Violation] = []
        for table in schema.tables.values.sorted(by: { $0.name < $1.name }) where !sellerWide.contains(table.name) {
            func complain(_ message: String, line: Int) {
                found.append(Violation(path: table.path, line: line, message: "\(table.name): \(message)"))
            }
            if !table.keys.contains(where: \.isPrimary) { complain("has no primary key", line: table.line) }
            for key in table.keys where key.columns.first != "account_id" {
                let kind = key.isPrimary ? "primary key" : "unique index"
                let columns = key.columns.joined(separator: ", ")
                complain("account_id is not first in the \(kind) (\(columns))", line: key.line)
            }
        }
        for name in sellerWide.subtracting(schema.tables.keys).sorted() {
            let message = "\(name) is listed as seller-wide but no migration makes it"
            found.append(Violation(path: "docs/architecture.md", line: 1, message: message))
        }
        return found
    }
}

/// The tables and their keys after all migrations, as far as the rules need them.
struct Schema {
    struct Key: Equatable {
        var isPrimary: Bool
        var columns: [String]
        var line: Int
    }

    struct Table {
        var name: String
        var path: String
        var line: Int
        var keys: [Key] = []
    }

    private(set) var tables: [String: Table] = [:]

    mutating func apply(_ sql: String, path: String) {
        for statement in SQLTokens.statements(sql) {
            var reader = SQLReader(tokens: statement)
            if reader.take("create") {
                create(&reader, path: path)
            } else if reader.take("alter"), reader.take("table") {
                alter(&reader)
            } else if reader.take("drop"), reader.take("table") {
                reader.take("if", "exists")
                if let name = reader.name() { tables[name] = nil }
            }
        }
    }

    private mutating func create(_ reader: inout SQLReader, path: String) {
        if reader.take("unique") {
            uniqueIndex(&reader)
            return
        }
        if reader.take("temp") || reader.take("temporary") { return }
        reader.take("unlogged")
        guard reader.take("table") else { return }
        reader.take("if", "not", "exists")
        let line = reader.line
        guard let name = reader.name(), !reader.take("partition", "of") else { return }
        var table = Table(name: name, path: path, line: line)
        for element in reader.list() { table.keys += Self.keys(ofElement: element) }
        tables[name] = table
    }

    private mutating func uniqueIndex(_ reader: inout SQLReader) {
        guard reader.take("index") else { return }
        reader.take("concurrently")
        reader.take("if", "not", "exists")
        if !reader.take("on") {
            _ = reader.name()
            guard reader.take("on") else { return }
        }
        reader.take("only")
        let line = reader.line
        guard let name = reader.name() else { return }
        if reader.take("using") { _ = reader.name() }
        let columns = reader.list().map { $0.first?.text ?? "" }
        tables[name]?.keys.append(Key(isPrimary: false, columns: columns, line: line))
    }

    private mutating func alter(_ reader: inout SQLReader) {
        reader.take("if", "exists")
        reader.take("only")
        guard let name = reader.name() else { return }
        while !reader.isAtEnd {
            let action = reader.upToComma()
            if action.first?.text == "add" { tables[name]?.keys += Self.keys(ofElement: Array(action.dropFirst())) }
        }
    }

    /// The keys that one element between a table's parentheses declares: a constraint, or a column with its own.
    private static func keys(ofElement element: [SQLToken]) -> [Key] {
        var reader = SQLReader(tokens: element)
        let line = reader.line
        if reader.take("constraint") { _ = reader.name() }
        if reader.take("primary", "key") {
            return [Key(isPrimary: true, columns: reader.list().map { $0.first?.text ?? "" }, line: line)]
        }
        if reader.take("unique") {
            reader.take("nulls", "not", "distinct")
            return [Key(isPrimary: false, columns: reader.list().map { $0.first?.text ?? "" }, line: line)]
        }
        reader.take("column")
        guard let column = reader.name() else { return [] }
        var found: [Key] = []
        while !reader.isAtEnd {
            if reader.take("primary", "key") {
                found.append(Key(isPrimary: true, columns: [column], line: line))
            } else if reader.take("unique") {
                found.append(Key(isPrimary: false, columns: [column], line: line))
            } else {
                reader.skip()
            }
        }
        return found
    }
}

struct SQLToken {
    var text: String
    var line: Int
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
