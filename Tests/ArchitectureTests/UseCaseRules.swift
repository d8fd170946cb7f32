/// The rules that a use case keeps, in the code of `Billing`.
enum UseCaseRules {
    /// Where the sessions themselves are: nothing else gets a transaction.
    static let serviceDirectory = "Sources/Billing/Service/"

    /// Use cases that show or change something without asking for a permission, and ways around the sessions.
    static func violations(_ source: SwiftSource) -> [Violation] {
        guard source.target == "Billing", !source.path.hasPrefix(serviceDirectory) else { return [] }
        let ways = source.matches(of: /\bwithTransaction\b|\bDatabase\b|\bConnectionPool\b|\bWriteSession\(/) {
            "\($0): a use case reaches the database through `look` and `change` alone"
        }
        return ways + unguarded(source)
    }

    /// The same for all files, but for the ways of those that are listed; and files that are listed for nothing.
    static func violations(_ sources: [SwiftSource], workOfSeveral exceptions: Set<String>) -> [Violation] {
        let found = sources.flatMap(violations)
        let stale = exceptions.subtracting(found.map(\.path)).sorted().map {
            Violation(path: "docs/architecture.md", line: 1, message: "\($0) is an exception, and needs none")
        }
        return found.filter { !exceptions.contains($0.path) } + stale
    }

    /// Whoever calls use cases: the REST API and the program.
    static let callers: Set<String> = ["AdminAPI", "tollgate"]

    /// Places where these read or write below the use cases.
    static func below(_ source: SwiftSource) -> [Violation] {
        guard callers.contains(source.target) else { return [] }
        let storage = source.matches(of: /\b[A-Z]\w*Storage\.[a-z]\w*/) {
            "\($0) lies below the use cases: call one of Billing's"
        }
        let transactions = source.matches(of: /\bDatabaseTransaction\b|\bdatabase\.(?:read|write)\w*/) {
            "\($0) is for use cases: call one of Billing's"
        }
        return storage + transactions
    }

    /// What lies below in files that are not listed, and files that are listed for nothing.
    static func below(_ sources: [SwiftSource], exceptions: Set<String>) -> [Violation] {
        let found = sources.flatMap(below)
        let stale = exceptions.subtracting(found.map(\.path)).sorted().map {
            Violation(path: "docs/architecture.md", line: 1, message: "\($0) is an exception, and needs none")
        }
        return found.filter { !exceptions.contains($0.path) } + stale
    }

    /// Public functions beside a session that neither look nor change through the session.
    private static func unguarded(_ source: SwiftSource) -> [Violation] {
        let sessions = ["extension ReadSession", "extension WriteSession"]
        guard source.code.contains(where: { line in sessions.contains { line.hasPrefix($0) } }) else { return [] }
        return FunctionBodies.find(in: source).compactMap { body in
            let lines = source.code[(body.start - 1)..<(body.start - 1 + body.lines)]
            guard lines.first?.contains(/\bpublic\b.*\bfunc\b/) == true else { return nil }
            guard !lines.contains(where: { $0.contains(/\b(?:look|change)\(\.(?:read\(|\w)/) }) else { return nil }
            let message = "\(body.name) is a use case without a permission: use `look(.read(…))` or `change(.kind)`"
            return Violation(path: source.path, line: body.start, message: message)
        }
    }
}
