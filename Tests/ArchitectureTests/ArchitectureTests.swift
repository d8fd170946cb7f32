import Foundation
import Testing

/// The rules of the house, on the tree as it is. What the rules mean: docs/architecture.md.
@Suite struct ArchitectureTests {
    private let table: ImportTable
    private let manifest: PackageManifest
    private let sources: [SwiftSource]
    /// Read once for all tests.
    private static let read = Result { try Repository.swiftSources() }

    init() throws {
        table = try ImportTable(markdown: Repository.text("docs/architecture.md"))
        manifest = try PackageManifest(text: Repository.text("Package.swift"))
        sources = try Self.read.get()
    }

    private func expectNone(_ violations: [Violation], sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(violations.isEmpty, "\(violations.report)", sourceLocation: sourceLocation)
    }

    @Test func `the sources are found`() {
        #expect(sources.count > 20)
        #expect(table.rows.count > 20)
        #expect(manifest.targets.count > 20)
        // `make test` runs this target by its name, after the others.
        #expect(manifest.targets.contains { $0.name == "EndToEndTests" && $0.kind == "testTarget" })
    }

    @Test func `the import table is sound`() {
        expectNone(table.violations())
    }

    @Test func `every import obeys the table`() {
        expectNone(sources.flatMap { SourceRules.importViolations($0, table: table) })
    }

    @Test func `a target's dependencies in the manifest obey the table`() {
        expectNone(ManifestRules.dependencies(manifest, table: table))
    }

    @Test func `directories, manifest and table name the same targets`() throws {
        let directories = try Repository.directories(under: "Sources")
        expectNone(ManifestRules.names(manifest, table: table, directories: directories))
    }

    @Test func `tests mirror sources`() throws {
        let tests = try Repository.directories(under: "Tests")
        expectNone(ManifestRules.tests(manifest, directories: tests))
    }

    @Test func `no target is without content`() throws {
        for target in try Repository.directories(under: "Sources").sorted() {
            let files = try Repository.files(under: "Sources/\(target)", extensions: ["swift", "c", "h", "modulemap"])
            let text = try files.map { try SwiftSource(path: $0, text: Repository.text($0)).code.joined() }.joined()
            #expect(text.contains { !$0.isWhitespace }, "Sources/\(target) has no content")
        }
    }

    @Test func `files, functions and lines keep their limits`() throws {
        let all = try sources + Repository.swiftSources(under: "Tests")
        expectNone(all.flatMap { SourceRules.size($0) + SourceRules.functionLengths($0) })
    }

    @Test func `no floating point beside money`() {
        let money: Set<String> = ["Monetary", "Pricing", "Ledger", "Invoicing"]
        expectNone(sources.filter { money.contains($0.target) }.flatMap(SourceRules.floatingPoint))
    }

    @Test func `values and domain read no clock, no randomness and nothing outside`() {
        let pure = Set(table.rows.filter { ImportTable.Kind.pure.contains($0.kind) }.map(\.target))
        expectNone(sources.filter { pure.contains($0.target) }.flatMap(SourceRules.ambient))
    }

    @Test func `no crash on an error, no empty catch, no note in place of work`() {
        expectNone(sources.flatMap(SourceRules.forbiddenWords))
    }

    @Test func `no use case is without a permission, and none goes around the session`() throws {
        #expect(sources.contains { $0.target == "Billing" && !$0.path.hasPrefix(UseCaseRules.serviceDirectory) })
        let page = try Repository.text("docs/architecture.md")
        let several = try MarkdownTable(after: "work-of-several-transactions", in: page, columns: 2).rows.map { $0[0] }
        expectNone(UseCaseRules.violations(sources, workOfSeveral: Set(several)))
    }

    @Test func `REST API and command line go through the use cases`() throws {
        let page = try Repository.text("docs/architecture.md")
        let exceptions = try MarkdownTable(after: "below-the-use-cases", in: page, columns: 2).rows.map { $0[0] }
        expectNone(UseCaseRules.below(sources, exceptions: Set(exceptions)))
    }

    @Test func `no type is named as its module`() {
        expectNone(sources.flatMap(SourceRules.moduleNamedType))
    }

    @Test func `every decision stands in the index, under a number of its own`() throws {
        let index = try Repository.text("docs/decisions/README.md")
        let pages = try Repository.files(under: "docs/decisions", extensions: ["md"])
            .map { URL(filePath: $0).lastPathComponent }.filter { $0 != "README.md" }
        expectNone(ManifestRules.decisions(pages, index: index))
    }

    @Test func `migrations are numbered without a gap`() throws {
        let files = try Repository.files(under: "migrations", extensions: ["sql"])
        #expect(!files.isEmpty)
        expectNone(SchemaRules.numbering(files.map { URL(filePath: $0).lastPathComponent }))
    }

    @Test func `every table is the account's or is listed as seller-wide`() throws {
        let cluster = try ClusterSchema.read()
        expectNone(SchemaRules.distribution(cluster.schema, sellerWide: cluster.sellerWide))
        expectNone(SchemaRules.foreignKeys(cluster.schema, sellerWide: cluster.sellerWide))
    }

    @Test func `the program makes reference tables of those that the page says`() throws {
        let cluster = try ClusterSchema.read()
        let source = try Repository.text("Sources/Storage/Database/Distribution.swift")
        let list = try #require(source.firstMatch(of: /referenceTables = \[([^\]]*)\]/)).output.1
        let named = list.matches(of: /"(\w+)"/).map { String($0.output.1) }
        #expect(Set(named) == cluster.referenceTables)
    }

    @Test func `every statement also runs where accounts are on several nodes`() throws {
        let cluster = try ClusterSchema.read()
        let statements = try cluster.statements()
        #expect(statements.count > 200)
        let found = statements.flatMap { statement in
            cluster.rules.findings(statement).map { (statement, $0) }
        }
        let page = try Repository.text("docs/architecture.md")
        let rows = try MarkdownTable(after: "cluster-exceptions", in: page, columns: 3).rows
        let exceptions = Set(rows.map { "\($0[0]) \($0[1])" })
        let used = Set(found.map { "\($0.path) \($1.rule)" })
        expectNone(
            found.filter { !exceptions.contains("\($0.path) \($1.rule)") }
                .map { Violation(path: $0.path, line: $0.line, message: "\($1.message) (\($1.rule))") })
        expectNone(
            exceptions.subtracting(used).sorted().map {
                Violation(path: "docs/architecture.md", line: 1, message: "\($0) is an exception, and needs none")
            })
    }
}
