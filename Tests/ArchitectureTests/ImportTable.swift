/// The tables of docs/architecture.md that say who may import what.
struct ImportTable {
    struct Row {
        var target: String
        var kind: String
        var line: String
        /// nil: all.
        var imports: Set<String>?
        var packages: Set<String>?
    }

    enum Kind {
        static let pure: Set<String> = ["value", "domain"]
        static let testSupport = "test support"
        static let all = pure.union(["port", "adapter", "service", "app", "program", "system library", testSupport])
    }

    var rows: [Row]
    var packageModules: [String: Set<String>]
    var toolchainModules: [String: Set<String>]

    init(markdown: String) throws {
        rows = try MarkdownTable(after: "import-table", in: markdown, columns: 5).rows.map { cells in
            Row(
                target: cells[0], kind: cells[1], line: cells[2], imports: Self.names(cells[3]),
                packages: Self.names(cells[4]))
        }
        packageModules = [:]
        for cells in try MarkdownTable(after: "package-modules", in: markdown, columns: 2).rows {
            packageModules[cells[0]] = Self.names(cells[1]) ?? []
        }
        toolchainModules = [:]
        for cells in try MarkdownTable(after: "toolchain-modules", in: markdown, columns: 2).rows {
            for kind in Self.names(cells[0]) ?? [] { toolchainModules[kind] = Self.names(cells[1]) ?? [] }
        }
    }

    func row(_ target: String) -> Row? { rows.first { $0.target == target } }

    /// Names in a cell; nil means all, a dash means none.
    private static func names(_ cell: String) -> Set<String>? {
        switch cell {
        case "all": nil
        case "–": []
        default: Set(cell.split(separator: ",").map { String($0.trimmingSpaces()) })
        }
    }

    /// What is wrong with the table itself: unknown kinds or names, and imports of a row that is not above.
    func violations() -> [Violation] {
        var found: [Violation] = []
        var above: Set<String> = []
        func complain(_ message: String) {
            found.append(Violation(path: "docs/architecture.md", line: 1, message: message))
        }
        for row in rows {
            if !Kind.all.contains(row.kind) { complain("\(row.target) has the unknown kind '\(row.kind)'") }
            if row.line.isEmpty { complain("\(row.target) has no line that says what it is") }
            if above.contains(row.target) { complain("\(row.target) has two rows") }
            for name in (row.imports ?? []).subtracting(above).sorted() {
                complain("\(row.target) imports \(name), which has no row above it")
            }
            for name in (row.packages ?? []).subtracting(packageModules.keys).sorted() {
                complain("\(row.target) uses the package \(name), whose modules are not listed")
            }
            above.insert(row.target)
        }
        return found
    }

    /// Why `target` may not import `module`; nil where it may.
    func objection(toImport module: String, by target: String) -> String? {
        guard let row = row(target) else { return "\(target) has no row in docs/architecture.md" }
        if toolchainModules[row.kind, default: []].contains(module) { return nil }
        if let imported = self.row(module) {
            if imported.kind == Kind.testSupport, row.kind != Kind.testSupport { return "\(module) is for tests only" }
            guard let imports = row.imports else { return nil }
            return imports.contains(module) ? nil : "\(target) may not import \(module)"
        }
        let packages = row.packages ?? Set(packageModules.keys)
        if packages.contains(where: { packageModules[$0, default: []].contains(module) }) { return nil }
        return "\(target) may not import \(module): it is in none of the packages of its row"
    }
}

/// A pipe table of a Markdown page, found by the comment `<!-- name -->` above it.
struct MarkdownTable {
    struct Missing: Error, CustomStringConvertible {
        var description: String
    }

    var rows: [[String]]

    init(after name: String, in markdown: String, columns: Int) throws {
        let lines = markdown.split(separator: "\n", omittingEmptySubsequences: false)
        guard let start = lines.firstIndex(of: "<!-- \(name) -->") else {
            throw Missing(description: "no <!-- \(name) --> in the page")
        }
        rows = []
        for line in lines[(start + 1)...].prefix(while: { $0.hasPrefix("|") }).dropFirst(2) {
            let cells = line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false)
                .map { String($0.trimmingSpaces()) }
            guard cells.count == columns else {
                throw Missing(description: "\(name): \(cells.count) cells instead of \(columns): \(line)")
            }
            rows.append(cells)
        }
        guard !rows.isEmpty else { throw Missing(description: "the table \(name) is empty") }
    }
}

extension Substring {
    func trimmingSpaces() -> Substring {
        var text = drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return text
    }
}
