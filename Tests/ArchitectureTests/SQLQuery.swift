/// One SELECT, UPDATE, DELETE or INSERT, as far as the rules for a cluster need it.
struct SQLScope {
    enum Kind { case select, insert, update, delete }
    enum Join { case first, comma, inner, left, right, full, cross }

    /// What stands in FROM: a table, a function's rows, or a subquery.
    struct Item {
        /// Empty for a function and a subquery.
        var table = ""
        var alias = ""
        var join = Join.first
        var isLateral = false
        var columns: [String] = []
        var condition: [String] = []
        /// Of a subquery.
        var scopes: [SQLScope] = []
    }

    var kind = Kind.select
    /// What is written, of an INSERT, UPDATE or DELETE; with its alias.
    var target: Item?
    var items: [Item] = []
    var selected: [[String]] = []
    var condition: [String] = []
    var grouping: [[String]] = []
    var isLocking = false
    /// Subqueries anywhere else, CTEs among them.
    var inner: [SQLScope] = []
    /// What a CTE is called.
    var name = ""

    var all: [SQLScope] { [self] + (inner + items.flatMap(\.scopes)).flatMap(\.all) }
    /// Tables that this scope reads or writes by itself.
    var tables: [Item] { ([target].compactMap(\.self) + items).filter { !$0.table.isEmpty } }
}

/// Cuts a statement into its scopes.
struct SQLParser {
    private let tokens: [String]
    private var position = 0

    static func scopes(of tokens: [String]) -> [SQLScope] {
        var parser = SQLParser(tokens: tokens)
        return parser.query()
    }

    private init(tokens: [String]) { self.tokens = tokens }

    private var next: String { position < tokens.count ? tokens[position] : "" }
    private func peek(_ offset: Int) -> String { position + offset < tokens.count ? tokens[position + offset] : "" }

    private mutating func take(_ words: String...) -> Bool {
        guard words.indices.allSatisfy({ peek($0) == words[$0] }) else { return false }
        position += words.count
        return true
    }

    /// What stands between the parentheses that begin here.
    private mutating func parenthesised() -> [String] {
        guard take("(") else { return [] }
        var depth = 0
        var inside: [String] = []
        while position < tokens.count {
            if next == ")", depth == 0 { break }
            if next == "(" { depth += 1 }
            if next == ")" { depth -= 1 }
            inside.append(next)
            position += 1
        }
        position += 1
        return inside
    }

    private static let openers: Set<String> = ["select", "with", "values", "update", "delete", "insert"]

    /// WITH …, then one or more parts between UNION and its like.
    private mutating func query() -> [SQLScope] {
        var ctes: [SQLScope] = []
        if take("with") {
            _ = take("recursive")
            repeat {
                let name = next
                position += 1
                if next == "(" { _ = parenthesised() }
                _ = take("as")
                _ = take("not")
                _ = take("materialized")
                for var scope in Self.scopes(of: parenthesised()) {
                    scope.name = name
                    ctes.append(scope)
                }
            } while take(",")
        }
        var parts: [SQLScope] = []
        repeat {
            _ = take("all")
            parts += next == "(" ? Self.scopes(of: parenthesised()) : [part()]
        } while take("union") || take("intersect") || take("except")
        if !parts.isEmpty { parts[0].inner += ctes }
        return parts
    }

    private static let clauses: Set<String> = [
        "from", "where", "group", "having", "order", "limit", "offset", "for", "union", "intersect", "except", "window",
        "returning", "set", "values", "on", "using",
    ]

    private mutating func part() -> SQLScope {
        var scope = SQLScope()
        if take("insert", "into") {
            scope.kind = .insert
            scope.target = item(.first)
            if next == "(" { _ = parenthesised() }
        } else if take("update") {
            scope.kind = .update
            scope.target = item(.first)
        } else if take("delete", "from") {
            scope.kind = .delete
            scope.target = item(.first)
        }
        while position < tokens.count, !["union", "intersect", "except"].contains(next) {
            clause(into: &scope)
        }
        return scope
    }

    private mutating func clause(into scope: inout SQLScope) {
        if take("select") {
            _ = take("distinct")
            if take("on") { _ = parenthesised() }
            scope.selected = Self.elements(words(into: &scope))
        } else if take("from") || (scope.kind == .delete && take("using")) {
            repeat { from(into: &scope) } while take(",")
        } else if take("where") {
            scope.condition = words(into: &scope)
        } else if take("group", "by") {
            scope.grouping = Self.elements(words(into: &scope))
        } else if take("for") {
            scope.isLocking = ["update", "share", "no", "key"].contains(next)
            _ = words(into: &scope)
        } else {
            position += 1
            _ = words(into: &scope)
        }
    }

    /// All up to the next clause; subqueries in it are taken out as `subquery`.
    private mutating func words(into scope: inout SQLScope, until stops: Set<String> = []) -> [String] {
        var found: [String] = []
        while position < tokens.count {
            let isDistinctFrom = next == "from" && found.last == "distinct"
            if !isDistinctFrom, Self.clauses.contains(next) || stops.contains(next) { break }
            if next == "(" {
                let inside = parenthesised()
                if Self.openers.contains(inside.first ?? "") {
                    scope.inner += Self.scopes(of: inside)
                    found += ["(", "subquery", ")"]
                } else {
                    var nested = SQLParser(tokens: inside)
                    found += ["("] + nested.flat(into: &scope) + [")"]
                }
            } else {
                found.append(next)
                position += 1
            }
        }
        return found
    }

    /// The words inside parentheses, where FROM and its like begin no clause.
    private mutating func flat(into scope: inout SQLScope) -> [String] {
        var found: [String] = []
        while position < tokens.count {
            found += words(into: &scope)
            if position < tokens.count {
                found.append(next)
                position += 1
            }
        }
        return found
    }

    // MARK: FROM

    private static let joinWords: Set<String> = ["join", "inner", "left", "right", "full", "cross", "natural", ","]

    private mutating func from(into scope: inout SQLScope) {
        scope.items.append(item(scope.items.isEmpty ? .first : .comma))
        while let join = joinKind() {
            var joined = item(join)
            if take("using") {
                joined.columns = parenthesised().filter { $0 != "," }
            } else if take("on") {
                joined.condition = words(into: &scope, until: Self.joinWords)
            }
            scope.items.append(joined)
        }
    }

    private mutating func joinKind() -> SQLScope.Join? {
        if take("join") || take("inner", "join") { return .inner }
        if take("cross", "join") { return .cross }
        for (word, kind) in [("left", SQLScope.Join.left), ("right", .right), ("full", .full)]
        where take(word, "join") || take(word, "outer", "join") {
            return kind
        }
        return nil
    }

    private mutating func item(_ join: SQLScope.Join) -> SQLScope.Item {
        var item = SQLScope.Item(join: join)
        item.isLateral = take("lateral")
        if next == "(" {
            let inside = parenthesised()
            if Self.openers.contains(inside.first ?? "") { item.scopes = Self.scopes(of: inside) }
        } else {
            let name = next
            position += 1
            if next == "(" { _ = parenthesised() } else { item.table = name }
        }
        _ = take("with", "ordinality")
        if take("as") || isAlias(next) {
            item.alias = next
            position += 1
        }
        if next == "(", item.table.isEmpty || !item.alias.isEmpty { _ = parenthesised() }
        return item
    }

    private func isAlias(_ word: String) -> Bool {
        guard let first = word.first, first.isLetter || first == "_" else { return false }
        return !Self.clauses.contains(word) && !Self.joinWords.contains(word) && word != "opaque"
    }

    /// Cuts at the commas outside parentheses and brackets.
    private static func elements(_ words: [String]) -> [[String]] {
        var depth = 0
        var found: [[String]] = [[]]
        for word in words {
            if word == "(" || word == "[" { depth += 1 }
            if word == ")" || word == "]" { depth -= 1 }
            if word == ",", depth == 0 { found.append([]) } else { found[found.count - 1].append(word) }
        }
        return found.filter { !$0.isEmpty }
    }
}
