/// What a statement must keep so that it also runs where accounts are on several nodes: docs/scale.md.
struct ClusterRules {
    /// Tables of accounts, which are distributed by `account_id`.
    let accountTables: Set<String>
    /// Seller-wide tables that every node has a copy of; the other seller-wide ones are on the coordinator alone.
    let referenceTables: Set<String>
    let localTables: Set<String>

    /// What is wrong, each by the name of its rule.
    struct Finding: Hashable {
        var rule: String
        var message: String
    }

    func findings(_ statement: SQLStatement) -> [Finding] {
        SQLTokens.statements(statement.text).flatMap { tokens -> [Finding] in
            let words = tokens.map(\.text)
            let scopes = SQLParser.scopes(of: words)
            let all = scopes.flatMap(\.all)
            var found = untyped(words) + tableLock(words) + mixed(all)
            for scope in all {
                found += lock(scope) + write(scope) + joins(scope) + outerJoins(scope, all) + grouping(scope)
            }
            for scope in scopes { found += correlated(scope) }
            return found
        }
    }

    private func account(_ item: SQLScope.Item) -> Bool { accountTables.contains(item.table) }

    /// A table of accounts, or a subquery of one.
    private func rowsOfAccounts(_ item: SQLScope.Item) -> Bool {
        account(item) || item.scopes.contains { $0.all.contains { $0.tables.contains(where: account) } }
    }

    /// Whether the condition says one account, outside of any OR.
    private func names(account condition: [String], several: Bool = false) -> Bool {
        guard !Self.topLevel(condition).contains("or") else { return false }
        let words = Self.topLevel(condition).filter { $0 != "(" }
        return words.indices.contains { index in
            guard words[index] == "account_id", index + 2 < words.count, words[index + 1] == "=" else { return false }
            let value = words[index + 2]
            return value == "§" || value == "new" || value == "old" || (several && value == "any")
        }
    }

    /// The words outside parentheses; those of a pair that follows a word stay out with it.
    private static func topLevel(_ words: [String]) -> [String] {
        var depth = 0
        return words.filter { word in
            if word == ")" { depth -= 1 }
            defer { if word == "(" { depth += 1 } }
            return depth == 0 && word != ")"
        }
    }

    // MARK: locks and writes

    private func lock(_ scope: SQLScope) -> [Finding] {
        guard scope.isLocking, let table = scope.items.first(where: account) else { return [] }
        guard !names(account: scope.condition) else { return [] }
        return [Finding(rule: "lock", message: "a lock on \(table.table) names no account: `account_id = …`")]
    }

    private func tableLock(_ words: [String]) -> [Finding] {
        guard words.starts(with: ["lock", "table"]), words.count > 2, accountTables.contains(words[2]) else {
            return []
        }
        return [Finding(rule: "table lock", message: "\(words[2]) is locked for all accounts on all nodes")]
    }

    private func write(_ scope: SQLScope) -> [Finding] {
        guard scope.kind == .update || scope.kind == .delete, let target = scope.target, account(target) else {
            return []
        }
        guard !names(account: scope.condition, several: true) else { return [] }
        return [Finding(rule: "write", message: "a write to \(target.table) names no account: `account_id = …`")]
    }

    // MARK: joins

    private func mixed(_ scopes: [SQLScope]) -> [Finding] {
        let tables = Set(scopes.flatMap(\.tables).map(\.table))
        guard let own = tables.intersection(accountTables).min(), let local = tables.intersection(localTables).min()
        else { return [] }
        return [
            Finding(rule: "local join", message: "\(own) and \(local) are in one statement, and may be on other nodes")
        ]
    }

    /// Each table of accounts is joined to the ones before it by the account.
    private func joins(_ scope: SQLScope) -> [Finding] {
        let tables = scope.tables.filter(account)
        guard let first = tables.first else { return [] }
        return tables.dropFirst().compactMap { table in
            if table.columns.contains("account_id") { return nil }
            let said = table.condition + scope.condition
            guard !joinsByAccount(said) else { return nil }
            return Finding(rule: "join", message: "\(table.table) is joined to \(first.table), but not by account_id")
        }
    }

    private func joinsByAccount(_ words: [String]) -> Bool {
        words.indices.contains { index in
            guard words[index] == "account_id", index + 4 < words.count, words[index + 1] == "=" else { return false }
            return words[index + 3] == "." && words[index + 4] == "account_id"
        }
    }

    /// Where the side that keeps all its rows is no table of accounts, the other one cannot be looked up node by node.
    private func outerJoins(_ scope: SQLScope, _ all: [SQLScope]) -> [Finding] {
        let named = all.filter { !$0.name.isEmpty && $0.all.contains { $0.tables.contains(where: account) } }
        let ctes = Set(named.map(\.name))
        func isOfAccounts(_ item: SQLScope.Item) -> Bool { ctes.contains(item.table) || rowsOfAccounts(item) }
        return scope.items.indices.compactMap { index in
            let item = scope.items[index]
            let left = scope.items[..<index].contains(where: isOfAccounts)
            let isWrong =
                switch item.join {
                case .left: isOfAccounts(item) && !left
                case .right: left && !isOfAccounts(item)
                case .full: left != isOfAccounts(item)
                default: false
                }
            guard isWrong else { return nil }
            return Finding(
                rule: "outer join", message: "an outer join keeps the rows of what is no table of accounts")
        }
    }

    /// A subquery that looks at the rows around it does so by the account, and sums only where there is one account.
    private func correlated(_ scope: SQLScope, outer: [SQLScope.Item] = [], isPinned: Bool = false) -> [Finding] {
        let own = scope.tables.filter(account)
        let pinned = isPinned || names(account: scope.condition)
        var found: [Finding] = []
        let said = scope.condition + scope.items.flatMap(\.condition)
        let around = Set(outer.filter(rowsOfAccounts).flatMap { [$0.alias, $0.table] })
        let refers = said.indices.contains { $0 + 1 < said.count && said[$0 + 1] == "." && around.contains(said[$0]) }
        if refers, !own.isEmpty, !isPinned {
            if !joinsByAccount(said) && !names(account: said) {
                found.append(
                    Finding(rule: "join", message: "a subquery looks at the rows around it, but not by account_id"))
            }
            if scope.grouping.isEmpty, scope.selected.contains(where: Self.aggregates) {
                found.append(
                    Finding(
                        rule: "correlated sum",
                        message:
                            "a subquery sums for each row of many accounts: gather the values with ARRAY(…), or group"))
            }
        }
        for inner in scope.inner + scope.items.flatMap(\.scopes) {
            found += correlated(inner, outer: outer + scope.items + [scope.target].compactMap(\.self), isPinned: pinned)
        }
        return found
    }

    // MARK: words

    /// Values whose type Postgres guesses from what stands around them, which a planner of parts does not see.
    private func untyped(_ words: [String]) -> [Finding] {
        var found: [Finding] = []
        var callers: [String] = []
        let careful: Set<String> = ["coalesce", "greatest", "least", "nullif", "unnest"]
        for (index, word) in words.enumerated() {
            if word == "(" { callers.append(index > 0 ? words[index - 1] : "") }
            if word == ")" { _ = callers.popLast() }
            guard word == "§", !(index + 1 < words.count && words[index + 1] == ":") else { continue }
            let before = index > 0 ? words[index - 1] : ""
            let after = index + 1 < words.count ? words[index + 1] : ""
            if ["case", "when", "then", "else"].contains(before) {
                found.append(
                    Finding(rule: "type", message: "a value after \(before.uppercased()) has no type: `::text`"))
            } else if let caller = callers.last, careful.contains(caller), [",", "("].contains(before) {
                found.append(Finding(rule: "type", message: "a value of \(caller) has no type: `::text`"))
            } else if after == "is" {
                found.append(Finding(rule: "type", message: "a value before IS has no type: `::text`"))
            }
        }
        return found
    }

    private static let aggregateNames: Set<String> = [
        "sum", "count", "min", "max", "avg", "bool_and", "bool_or", "array_agg", "string_agg", "json_agg", "jsonb_agg",
    ]

    private static func aggregates(_ words: [String]) -> Bool {
        words.indices.contains { aggregateNames.contains(words[$0]) && $0 + 1 < words.count && words[$0 + 1] == "(" }
    }

    private static let noColumns: Set<String> = [
        "as", "and", "or", "not", "null", "is", "case", "when", "then", "else", "end", "at", "time", "zone", "interval",
        "distinct", "from", "true", "false", "in", "any", "array", "between", "subquery", "opaque", "desc", "asc",
    ]

    /// Every column that is selected is grouped by or summed: that another one follows from them is known only to the
    /// node that has the key.
    private func grouping(_ scope: SQLScope) -> [Finding] {
        guard !scope.grouping.isEmpty, !scope.grouping.joined().contains("opaque") else { return [] }
        let grouped = Set(scope.grouping.flatMap(Self.columns))
        return scope.selected.enumerated().compactMap { index, item in
            if Self.aggregates(item) || scope.grouping.contains([String(index + 1)]) { return nil }
            if let alias = item.last, item.dropLast().last == "as", grouped.contains(alias) { return nil }
            let expression = item.dropLast().last == "as" ? Array(item.dropLast(2)) : item
            guard let column = Self.columns(expression).first(where: { !grouped.contains($0) }) else { return nil }
            return Finding(rule: "grouping", message: "\(column) is selected, but neither grouped by nor summed")
        }
    }

    /// The columns in an expression, without their tables.
    private static func columns(_ words: [String]) -> [String] {
        words.indices.compactMap { index in
            let word = words[index]
            guard let first = word.first, first.isLetter || first == "_", !noColumns.contains(word) else { return nil }
            let after = index + 1 < words.count ? words[index + 1] : ""
            let isType = index >= 2 && words[index - 1] == ":" && words[index - 2] == ":"
            return after == "(" || after == "." || isType ? nil : word
        }
    }
}
