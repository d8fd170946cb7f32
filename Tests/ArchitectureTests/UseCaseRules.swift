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

    /// Public functions that neither look nor change through the session.
    private static func unguarded(_ source: SwiftSource) -> [Violation] {
        FunctionBodies.find(in: source).compactMap { body in
            let lines = source.code[(body.start - 1)..<(body.start - 1 + body.lines)]
            guard lines.first?.contains(/\bpublic\b.*\bfunc\b/) == true else { return nil }
            guard !lines.contains(where: { $0.contains(/\b(?:look|change)\(\.(?:read\(|\w)/) }) else { return nil }
            let message = "\(body.name) is a use case without a permission: use `look(.read(…))` or `change(.kind)`"
            return Violation(path: source.path, line: body.start, message: message)
        }
    }
}
