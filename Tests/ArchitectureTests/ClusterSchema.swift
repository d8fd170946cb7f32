import Foundation

/// The schema as it is, which of its tables are where on a cluster, and the statements that meet it.
struct ClusterSchema {
    let schema: Schema
    let referenceTables: Set<String>
    let localTables: Set<String>

    /// Migrations up to this one were applied before a database could be distributed.
    static let lastMigrationBefore = "0027"

    var sellerWide: Set<String> { referenceTables.union(localTables) }

    var rules: ClusterRules {
        ClusterRules(
            accountTables: Set(schema.tables.keys).subtracting(sellerWide), referenceTables: referenceTables,
            localTables: localTables)
    }

    static func read() throws -> ClusterSchema {
        var schema = Schema()
        for path in try Repository.files(under: "migrations", extensions: ["sql"]) {
            schema.apply(try Repository.text(path), path: path)
        }
        var tables: [String: Set<String>] = [:]
        let page = try Repository.text("docs/architecture.md")
        for row in try MarkdownTable(after: "seller-wide-tables", in: page, columns: 3).rows {
            tables[row[1], default: []].formUnion(row[0].split(separator: ",").map { String($0.trimmingSpaces()) })
        }
        return ClusterSchema(
            schema: schema, referenceTables: tables["reference"] ?? [], localTables: tables["local"] ?? [])
    }

    /// All of Storage's, the bodies of the schema's functions, and what later migrations do.
    func statements() throws -> [SQLStatement] {
        let files = try Repository.files(under: "Sources/Storage", extensions: ["swift"])
        var statements = SQLStatements(try files.map { ($0, try Repository.text($0)) }).all
        for path in try Repository.files(under: "migrations", extensions: ["sql"]) {
            let text = try Repository.text(path)
            statements += PLBodies.statements(in: text, path: path)
            if path.dropFirst("migrations/".count).prefix(4) > Self.lastMigrationBefore {
                statements.append(SQLStatement(path: path, line: 1, text: text))
            }
        }
        return statements
    }
}

/// The statements inside functions of PL/pgSQL.
enum PLBodies {
    private static let beginnings: Set<String> = ["select", "insert", "update", "delete", "with", "lock", "perform"]

    static func statements(in text: String, path: String) -> [SQLStatement] {
        text.matches(of: /\$(\w*)\$(?s:(.*?))\$\1\$/).flatMap { body in
            let first = text[..<body.output.2.startIndex].count { $0 == "\n" } + 1
            return SQLTokens.statements(String(body.output.2)).map { tokens in
                var depth = 0
                let start = tokens.firstIndex { token in
                    if token.text == "(" { depth += 1 }
                    if token.text == ")" { depth -= 1 }
                    return depth == 0 && beginnings.contains(token.text)
                }
                // What is no statement of SQL is an expression, or has some.
                let words = tokens[(start ?? 0)...].map { $0.text == "perform" ? "select" : $0.text }
                let line = first + (tokens.first?.line ?? 1) - 1
                return SQLStatement(
                    path: path, line: line, text: (start == nil ? ["select"] + words : words).joined(separator: " "))
            }
        }
    }
}
