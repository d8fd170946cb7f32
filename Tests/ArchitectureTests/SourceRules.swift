/// The rules of the house for one Swift file. Each returns the places that break it.
///
/// A word ends where letters, digits and `_` end (`.simple`). The default is prose's: there `a.b` is one word, and a
/// rule that looks for `Decimal` would miss `Decimal.zero`.
enum SourceRules {
    enum Limit {
        static let fileLines = 400
        static let functionLines = 80
        static let columns = 120
    }

    static func imports(_ source: SwiftSource) -> [(module: String, line: Int)] {
        let pattern =
            #/
            ^\s*(?:@\w+(?:\([^)]*\))?\s+)*
            (?:(?:public|package|internal|fileprivate|private)\s+)?
            import\s+(?:(?:struct|class|enum|protocol|typealias|func|let|var)\s+)?(\w+)
            /#
        return zip(1..., source.code).compactMap { number, line in
            line.firstMatch(of: pattern).map { (String($0.output.1), number) }
        }
    }

    static func importViolations(_ source: SwiftSource, table: ImportTable) -> [Violation] {
        imports(source).compactMap { module, line in
            table.objection(toImport: module, by: source.target)
                .map { Violation(path: source.path, line: line, message: $0) }
        }
    }

    static func size(_ source: SwiftSource) -> [Violation] {
        var found: [Violation] = []
        let count = source.lines.last?.isEmpty == true ? source.lines.count - 1 : source.lines.count
        if count > Limit.fileLines {
            let message = "\(count) lines; a file has at most \(Limit.fileLines)"
            found.append(Violation(path: source.path, line: count, message: message))
        }
        for (number, line) in zip(1..., source.lines) where line.count > Limit.columns {
            let message = "\(line.count) columns; a line has at most \(Limit.columns)"
            found.append(Violation(path: source.path, line: number, message: message))
        }
        return found
    }

    static func functionLengths(_ source: SwiftSource) -> [Violation] {
        FunctionBodies.find(in: source).filter { $0.lines > Limit.functionLines }.map { body in
            let message = "\(body.name) has \(body.lines) lines; a function has at most \(Limit.functionLines)"
            return Violation(path: source.path, line: body.start, message: message)
        }
    }

    static func floatingPoint(_ source: SwiftSource) -> [Violation] {
        let types = /\b(?:Double|Float|Float16|Float32|Float64|Float80|CGFloat|Decimal|NSDecimalNumber)\b/
        let literals = /(?:^|[^\w.$])[0-9][0-9_]*\.[0-9]/
        return source.matches(of: types) { "\($0) has no place beside money" }
            + source.matches(of: literals) { "a floating-point literal (\($0)…) has no place beside money" }
    }

    static func ambient(_ source: SwiftSource) -> [Violation] {
        let clock = /\b(?:Date\(\)|Date\.now|UUID\(\)|ContinuousClock|SuspendingClock|DispatchTime|clock_gettime)/
        let world = /\b(?:FileManager|FileHandle|ProcessInfo|URLSession|getenv)\b\s*[(.]|^\s*print\(/
        let message = { (found: Substring) in "\(found) reaches outside; pure code takes it as an argument" }
        return source.matches(of: clock, message: message) + source.matches(of: world, message: message)
            + randomness(source)
    }

    /// Random numbers without a generator handed in.
    private static func randomness(_ source: SwiftSource) -> [Violation] {
        zip(1..., source.code).compactMap { number, line in
            let isSystem = line.contains("SystemRandomNumberGenerator")
            let isImplicit = line.contains(/\.(?:random|shuffled|shuffle|randomElement)\(/) && !line.contains("using:")
            guard isSystem || isImplicit else { return nil }
            let message = "randomness is an argument of pure code: pass a generator with `using:`"
            return Violation(path: source.path, line: number, message: message)
        }
    }

    static func forbiddenWords(_ source: SwiftSource) -> [Violation] {
        let code = source.matches(of: /\btry!|\bas!/) { "\($0) turns an error into a crash; handle it" }
        let notes = zip(1..., source.lines).compactMap { number, line in
            line.firstMatch(of: /\b(?:TODO|FIXME)\b/.wordBoundaryKind(.simple)).map {
                let message = "\($0.output): do it, or write an issue and a decision"
                return Violation(path: source.path, line: number, message: message)
            }
        }
        let unfinished = zip(1..., source.lines).compactMap { number, line in
            line.contains(/fatalError\("(?i:not (?:yet )?implemented)/)
                ? Violation(path: source.path, line: number, message: "finish it or leave it out") : nil
        }
        return code + notes + unfinished + emptyCatches(source)
    }

    private static func emptyCatches(_ source: SwiftSource) -> [Violation] {
        let text = source.code.joined(separator: "\n")
        return text.matches(of: /\bcatch\b[^{}]*\{\s*\}/.wordBoundaryKind(.simple)).map { match in
            let line = 1 + text[..<match.range.lowerBound].count { $0 == "\n" }
            let message = "an empty catch hides an error; use it, record it, or say `try?`"
            return Violation(path: source.path, line: line, message: message)
        }
    }

    static func moduleNamedType(_ source: SwiftSource) -> [Violation] {
        let pattern = /\b(?:struct|class|enum|actor|protocol|typealias)\s+(\w+)/.wordBoundaryKind(.simple)
        return zip(1..., source.code).flatMap { number, line in
            line.matches(of: pattern).filter { String($0.output.1) == source.target }.map { _ in
                let message = "a module holds no type of its own name: nothing else in it could then be named in full"
                return Violation(path: source.path, line: number, message: message)
            }
        }
    }
}

/// Finds functions and how long they are by counting braces in the code.
struct FunctionBodies {
    struct Body: Equatable {
        var name: String
        var start: Int
        var lines: Int
    }

    static func find(in source: SwiftSource) -> [Body] {
        let pattern = /\b(?:func\s+(`[^`]+`|[^\s(<]+)|(?:init|subscript)\b(?=[?!]?\s*[<(])|deinit\b(?=\s*\{))/
            .wordBoundaryKind(.simple)
        return zip(source.code.indices, source.code).flatMap { index, line in
            line.matches(of: pattern).compactMap { match -> Body? in
                // `self.init(…)` and `Type.init(…)` are calls.
                let before = line[..<match.range.lowerBound]
                guard before.last != ".", let end = lastLine(of: source, from: index, at: match.range.upperBound)
                else { return nil }
                let name = match.output.1.map(String.init) ?? String(match.output.0)
                return Body(name: name, start: index + 1, lines: end - index + 1)
            }
        }
    }

    /// The index of the line on which the body closes; nil for a requirement, which has none.
    private static func lastLine(of source: SwiftSource, from first: Int, at start: Substring.Index) -> Int? {
        let declaration = /^\s*(?:\w+\s+)*(?:func|init|var|let)\b/.wordBoundaryKind(.simple)
        var parentheses = 0
        var braces = 0
        for index in first..<source.code.count {
            let line = source.code[index]
            let text = index == first ? line[start...] : line
            if index > first, braces == 0, parentheses == 0, text.contains(declaration) {
                return nil
            }
            for character in text {
                switch character {
                case "(", "[": parentheses += 1
                case ")", "]": parentheses -= 1
                case "{" where parentheses == 0 || braces > 0: braces += 1
                case "}" where parentheses == 0 || braces > 0:
                    braces -= 1
                    if braces == 0 { return index }
                    if braces < 0 { return nil }
                default: break
                }
            }
        }
        return nil
    }
}
