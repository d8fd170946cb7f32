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

extension SchemaRules {
    /// Foreign keys stay within an account's tables, by `account_id`, or within the seller's.
    static func foreignKeys(_ schema: Schema, sellerWide: Set<String>) -> [Violation] {
        schema.tables.values.sorted { $0.name < $1.name }.flatMap { table in
            table.references.compactMap { key in
                let isSellers = sellerWide.contains(table.name)
                let message: String
                if isSellers != sellerWide.contains(key.table) {
                    message =
                        "a foreign key leads from \(isSellers ? "the seller's tables" : "an account's tables") "
                        + "to \(key.table)"
                } else if !isSellers, key.columns.first != "account_id" {
                    message = "a foreign key to \(key.table) does not begin with account_id"
                } else {
                    return nil
                }
                return Violation(path: key.path, line: key.line, message: "\(table.name): \(message)")
            }
        }
    }
}

/// The tables and their keys after all migrations, as far as the rules need them.
struct Schema {
    struct Key: Equatable {
        var isPrimary: Bool
        var columns: [String]
        var line: Int
    }

    struct Reference: Equatable {
        var name: String
        var columns: [String]
        /// The table that it leads to.
        var table: String
        var path: String
        var line: Int
    }

    struct Table {
        var name: String
        var path: String
        var line: Int
        var keys: [Key] = []
        var references: [Reference] = []
    }

    private(set) var tables: [String: Table] = [:]

    mutating func apply(_ sql: String, path: String) {
        for statement in SQLTokens.statements(sql) {
            var reader = SQLReader(tokens: statement)
            if reader.take("create") {
                create(&reader, path: path)
            } else if reader.take("alter"), reader.take("table") {
                alter(&reader, path: path)
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
        for element in reader.list() {
            table.keys += Self.keys(ofElement: element)
            table.references += Self.references(ofElement: element, of: name, path: path)
        }
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

    private mutating func alter(_ reader: inout SQLReader, path: String) {
        reader.take("if", "exists")
        reader.take("only")
        guard let name = reader.name() else { return }
        while !reader.isAtEnd {
            let action = reader.upToComma()
            if action.first?.text == "add" {
                let element = Array(action.dropFirst())
                tables[name]?.keys += Self.keys(ofElement: element)
                tables[name]?.references += Self.references(ofElement: element, of: name, path: path)
            }
            if action.starts(with: ["drop", "constraint"]), let constraint = action.last?.text {
                tables[name]?.references.removeAll { $0.name == constraint }
            }
        }
    }

    /// The foreign keys that one element declares.
    private static func references(ofElement element: [SQLToken], of table: String, path: String) -> [Reference] {
        guard let place = element.firstIndex(where: { $0.text == "references" }) else { return [] }
        var target = SQLReader(tokens: Array(element[(place + 1)...]))
        guard let name = target.name() else { return [] }
        var reader = SQLReader(tokens: element)
        let constraint = reader.take("constraint") ? reader.name() : nil
        reader.take("column")
        let columns = reader.take("foreign", "key") ? reader.list().map { $0.first?.text ?? "" } : [reader.name() ?? ""]
        return [
            Reference(
                name: constraint ?? "\(table)_\(columns.joined(separator: "_"))_fkey", columns: columns, table: name,
                path: path, line: element[place].line)
        ]
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
