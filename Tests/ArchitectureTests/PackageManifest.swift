/// The targets that Package.swift names, read from its text: a test may not run the package manager.
struct PackageManifest {
    struct Target: Equatable {
        var kind: String
        var name: String
        var path: String?
        /// Names of targets and products.
        var dependencies: [String]

        var isUnderSources: Bool { kind != "testTarget" && !(path ?? "Sources/").hasPrefix("Tests/") }
    }

    var targets: [Target]

    init(text: String) {
        let start = /\.(target|executableTarget|systemLibrary|testTarget)\(\s*name:\s*"([^"]+)"/
        targets = text.matches(of: start).compactMap { match in
            // In the products list and in dependency lists, `.target(name:)` is a reference; declarations begin a line.
            let before = text[..<match.range.lowerBound].reversed().prefix { $0 != "\n" }
            guard before.allSatisfy({ $0 == " " }) else { return nil }
            let body = Self.call(in: text[match.range.lowerBound...])
            let path = body.firstMatch(of: /(?:^|\W)path:\s*"([^"]+)"/).map { String($0.output.1) }
            var dependencies: [String] = []
            if let list = body.firstMatch(of: /(?:^|\W)dependencies:\s*\[([^\]]*)\]/) {
                let text = list.output.1.replacing(/package:\s*"[^"]*"/, with: "")
                dependencies = text.matches(of: /"([^"]+)"/).map { String($0.output.1) }
            }
            return Target(
                kind: String(match.output.1), name: String(match.output.2), path: path, dependencies: dependencies)
        }
    }

    /// A call's text, from its name to its closing parenthesis.
    private static func call(in text: Substring) -> Substring {
        var depth = 0
        for index in text.indices {
            if text[index] == "(" { depth += 1 }
            if text[index] == ")" {
                depth -= 1
                if depth == 0 { return text[...index] }
            }
        }
        return text
    }
}
