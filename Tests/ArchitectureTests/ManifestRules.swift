/// The rules that Package.swift, the directories and the import table keep among each other.
enum ManifestRules {
    static func names(_ manifest: PackageManifest, table: ImportTable, directories: Set<String>) -> [Violation] {
        let declared = Set(manifest.targets.filter(\.isUnderSources).map(\.name))
        let rows = Set(table.rows.map(\.target))
        var found: [Violation] = []
        func complain(_ path: String, _ message: String) {
            found.append(Violation(path: path, line: 1, message: message))
        }
        for name in directories.subtracting(declared).sorted() {
            complain("Package.swift", "Sources/\(name) is no target")
        }
        for name in declared.subtracting(directories).sorted() {
            complain("Package.swift", "the target \(name) has no directory Sources/\(name)")
        }
        for name in declared.subtracting(rows).sorted() {
            complain("docs/architecture.md", "the target \(name) has no row")
        }
        for name in rows.subtracting(declared).sorted() {
            complain("docs/architecture.md", "\(name) has a row, but is no target")
        }
        return found
    }

    /// A declared dependency is one that the table allows: else it is a temptation.
    static func dependencies(_ manifest: PackageManifest, table: ImportTable) -> [Violation] {
        manifest.targets.filter(\.isUnderSources).flatMap { target in
            target.dependencies.compactMap { name in
                table.objection(toImport: name, by: target.name).map {
                    Violation(path: "Package.swift", line: 1, message: "dependency of \(target.name): \($0)")
                }
            }
        }
    }

    /// Each directory under Tests is declared, and `XTests` tests the target X (or is one of the house's own).
    static func tests(_ manifest: PackageManifest, directories: Set<String>) -> [Violation] {
        // Of several targets together: what supplies a gateway and what takes in its journal share a world of tests.
        let whole: Set<String> = ["ArchitectureTests", "EndToEndTests", "GoldenTests", "ControlPlaneTests"]
        let declared = manifest.targets.filter { !$0.isUnderSources }
        let sources = Set(manifest.targets.filter(\.isUnderSources).map(\.name))
        var found: [Violation] = []
        // What an end-to-end test runs, in another language.
        let programs: Set<String> = ["Oracle"]
        for name in directories.subtracting(declared.map(\.name)).subtracting(programs).sorted() {
            let message = "Tests/\(name) is no target: it never runs"
            found.append(Violation(path: "Package.swift", line: 1, message: message))
        }
        for target in declared where target.kind == "testTarget" && !whole.contains(target.name) {
            let subject = target.name.hasSuffix("Tests") ? String(target.name.dropLast("Tests".count)) : ""
            guard !sources.contains(subject), subject != "TestSupport" else { continue }
            let message = "\(target.name) is named after no target"
            found.append(Violation(path: "Package.swift", line: 1, message: message))
        }
        return found
    }

    /// Pages are `NNNN-title.md`, no number twice, each linked from the index.
    static func decisions(_ pages: [String], index: String) -> [Violation] {
        var found: [Violation] = []
        var numbers: Set<Substring> = []
        for page in pages.sorted() {
            let path = "docs/decisions/\(page)"
            if page.wholeMatch(of: /[0-9]{4}-[a-z0-9-]+\.md/) == nil {
                found.append(Violation(path: path, line: 1, message: "a decision is called NNNN-title.md"))
            }
            if !numbers.insert(page.prefix(4)).inserted {
                found.append(Violation(path: path, line: 1, message: "its number is taken"))
            }
            if !index.contains("](\(page))") {
                found.append(Violation(path: path, line: 1, message: "the index in README.md does not name it"))
            }
        }
        return found
    }
}
