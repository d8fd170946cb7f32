import Testing

/// Each checker must be able to fail: it is given a small snippet that breaks its rule, and one that only looks so.
@Suite struct CheckerTests {
    private static let page = """
        <!-- import-table -->
        | target | kind | one line | imports | packages |
        |---|---|---|---|---|
        | Monetary | value | money | – | – |
        | Pricing | domain | prices | Monetary | Yams |
        | Gateway | app | the data plane | Monetary | swift-nio |
        | tollgate | program | joins | all | all |
        | TestSupport | test support | doubles | all | all |

        <!-- package-modules -->
        | package | modules |
        |---|---|
        | Yams | Yams |
        | swift-nio | NIOCore, NIOHTTP1 |

        <!-- toolchain-modules -->
        | kinds | modules |
        |---|---|
        | value, domain | Foundation |
        | app, program | Foundation, Glibc |
        """

    private func source(_ text: String, in target: String = "Pricing") -> SwiftSource {
        SwiftSource(path: "Sources/\(target)/Example.swift", text: text)
    }

    private func importsRefused(_ text: String, in target: String) throws -> [String] {
        let table = try ImportTable(markdown: Self.page)
        return SourceRules.importViolations(source(text, in: target), table: table).map(\.message)
    }

    @Test func `comments and literals are blanked, interpolated code is not`() {
        let masked = source(
            ##"""
            let a = "Double \(Float(1)) \" Double" // Double
            /* Double /* Double */ Double */ let b = #"Double \(Double) \#(Int(2))"#
            """##)
        #expect(masked.code.joined().matches(of: /Double/).isEmpty)
        #expect(masked.code[0].contains("Float(1)"))
        #expect(masked.code[1].contains("let b"))
        #expect(masked.code[1].contains("Int(2)"))
        #expect(masked.code.map(\.count) == masked.lines.map(\.count))
    }

    @Test func `a multi-line literal is blanked and keeps its lines`() {
        let masked = source("let a = \"\"\"\n  Double \"quoted\"\n  \"\"\"\nlet b: Double")
        #expect(SourceRules.floatingPoint(masked).map(\.line) == [4])
    }

    @Test func `an import outside the table is refused in every spelling`() throws {
        #expect(try importsRefused("import Gateway", in: "Pricing").count == 1)
        #expect(try importsRefused("public import Gateway", in: "Pricing").count == 1)
        #expect(try importsRefused("@preconcurrency internal import NIOCore", in: "Pricing").count == 1)
        #expect(try importsRefused("@_spi(Some) import struct Gateway.Route", in: "Pricing").count == 1)
        #expect(try importsRefused("    import Glibc", in: "Pricing").count == 1)
        #expect(try importsRefused("import Unheard", in: "tollgate").count == 1)
        #expect(try importsRefused("import TestSupport", in: "tollgate").count == 1)
        #expect(try importsRefused("import Foundation", in: "Nowhere").count == 1)
    }

    @Test func `an import inside the table passes`() throws {
        let text = "public import Monetary\nimport Yams\nimport Foundation\n// import Gateway\na(\"import Gateway\")"
        #expect(try importsRefused(text, in: "Pricing").isEmpty)
        #expect(try importsRefused("import Gateway\nimport Yams\nimport Glibc", in: "tollgate").isEmpty)
    }

    @Test func `a table with an unknown kind, an unknown package or an import from below is unsound`() throws {
        #expect(try ImportTable(markdown: Self.page).violations().isEmpty)
        let kind = Self.page.replacing("| Monetary | value |", with: "| Monetary | thing |")
        #expect(try ImportTable(markdown: kind).violations().count == 1)
        let package = Self.page.replacing("| Monetary | swift-nio |", with: "| Monetary | swift-oil |")
        #expect(try ImportTable(markdown: package).violations().count == 1)
        let below = Self.page.replacing("| money | – | – |", with: "| money | Gateway | – |")
        #expect(try ImportTable(markdown: below).violations().count == 1)
    }

    @Test func `a missing or ragged table is an error`() {
        #expect(throws: MarkdownTable.Missing.self) { try ImportTable(markdown: "no table here") }
        #expect(throws: MarkdownTable.Missing.self) {
            try ImportTable(markdown: Self.page.replacing("| money | – | – |", with: "| money | – |"))
        }
    }

    /// What the page above says in a manifest's words, with three mistakes.
    private static let manifest = PackageManifest(
        text: """
            products: [.executable(name: "tollgate", targets: ["tollgate"])],
            targets: [
                .target(name: "Monetary", swiftSettings: settings),
                .target(
                    name: "Pricing",
                    dependencies: [
                        "Gateway", .product(name: "Yams", package: "Yams"), .target(name: "Monetary"),
                    ]
                ),
                .executableTarget(name: "tollgate", dependencies: ["Pricing"]),
                .target(name: "Extra"),
                .target(name: "TestSupport", path: "Tests/TestSupport"),
                .testTarget(name: "PricingTests", dependencies: ["Pricing"]),
                .testTarget(name: "PricngTests", dependencies: ["Pricing"]),
            ]
            """)

    @Test func `a target missing in the manifest, the table or on disk is found`() throws {
        let table = try ImportTable(markdown: Self.page)
        let manifest = Self.manifest
        #expect(manifest.targets.map(\.name).prefix(4) == ["Monetary", "Pricing", "tollgate", "Extra"])
        let found = ManifestRules.names(manifest, table: table, directories: ["Monetary", "Pricing", "Gateway"])
        #expect(
            found.map(\.message) == [
                "Sources/Gateway is no target",
                "the target Extra has no directory Sources/Extra",
                "the target tollgate has no directory Sources/tollgate",
                "the target Extra has no row",
                "Gateway has a row, but is no target",
                "TestSupport has a row, but is no target",
            ])
    }

    @Test func `a dependency outside the table, an undeclared test and one named after nothing are found`() throws {
        let manifest = Self.manifest
        let table = try ImportTable(markdown: Self.page)
        let dependencies = ManifestRules.dependencies(manifest, table: table)
        #expect(dependencies.map(\.message) == ["dependency of Pricing: Pricing may not import Gateway"])
        let tests = ManifestRules.tests(manifest, directories: ["PricingTests", "PricngTests", "LedgerTests"])
        #expect(
            tests.map(\.message) == [
                "Tests/LedgerTests is no target: it never runs", "PricngTests is named after no target",
            ])
    }

    @Test func `a long file, a long line and a long function are found`() {
        let line = "let a = 1\n"
        #expect(SourceRules.size(source(String(repeating: line, count: 400))).isEmpty)
        #expect(SourceRules.size(source(String(repeating: line, count: 401))).count == 1)
        #expect(SourceRules.size(source(String(repeating: "x", count: 121))).count == 1)
        let body = String(repeating: "    if a { b(\"}\") }\n", count: 79)
        #expect(SourceRules.functionLengths(source("func a() {\n\(body)}")).map(\.line) == [1])
        #expect(SourceRules.functionLengths(source("init?(a: Int = { 1 }()) {\n\(body)}")).count == 1)
        #expect(SourceRules.functionLengths(source("func a(\n    b: Int\n) throws {\n\(body)}")).count == 1)
    }

    @Test func `a function of the longest allowed length and a requirement pass`() {
        let body = String(repeating: "    b()\n", count: 78)
        #expect(SourceRules.functionLengths(source("func a() {\n\(body)}")).isEmpty)
        let requirements = source("protocol P {\n    func a()\n    func b(c: Int) throws\n}\nstruct S {\n\(body)}")
        #expect(SourceRules.functionLengths(requirements).isEmpty)
        let generic = FunctionBodies.find(in: source("func a<T>(_ b: T) -> [T] where T: P {\n    c { d in }\n}"))
        #expect(generic == [FunctionBodies.Body(name: "a", start: 1, lines: 3)])
    }

    @Test(arguments: ["var a: Double", "Float(1)", "Decimal.zero", "let a = 0.5", "f(1.25)"])
    func `floating point is found`(text: String) {
        #expect(SourceRules.floatingPoint(source(text)).count == 1)
    }

    @Test(arguments: ["var doubled: Int", "a.0.1", "$0.1", "// Double", "\"0.5 Double\"", "0...5", "1_000_000"])
    func `what only looks like floating point passes`(text: String) {
        #expect(SourceRules.floatingPoint(source(text)).isEmpty)
    }

    @Test(arguments: [
        "Date()", "Date.now", "ContinuousClock.now", "UUID()", "SystemRandomNumberGenerator()", "Int.random(in: 0..<9)",
        "list.shuffled()", "FileManager.default", "ProcessInfo.processInfo", "    print(1)",
    ])
    func `a clock, randomness or the outside is found`(text: String) {
        #expect(SourceRules.ambient(source(text)).count == 1)
    }

    @Test(arguments: ["Int.random(in: 0..<9, using: &generator)", "Date(timeIntervalSince1970: 0)", "func print(a: B)"])
    func `what is handed in passes`(text: String) {
        #expect(SourceRules.ambient(source(text)).isEmpty)
    }

    @Test(arguments: [
        "try! a()", "a as! B", "do { try a() } catch { }", "do {\n} catch let error as E {\n    // nothing\n}",
        "// TODO: later", "/* FIXME */", "fatalError(\"not implemented\")",
    ])
    func `a forbidden word is found`(text: String) {
        #expect(SourceRules.forbiddenWords(source(text)).count == 1)
    }

    @Test(arguments: ["try? a()", "a as? B", "catch { throw E(error) }", "\"try!\"", "entry!", "let todo = 1"])
    func `what only looks forbidden passes`(text: String) {
        #expect(SourceRules.forbiddenWords(source(text)).isEmpty)
    }

    @Test func `a decision without a number of its own or outside the index is found`() {
        let index = "[1](0001-a.md) [2](0002-b.md)"
        #expect(ManifestRules.decisions(["0001-a.md", "0002-b.md"], index: index).isEmpty)
        let found = ManifestRules.decisions(["0001-a.md", "0001-c.md", "note.md"], index: index + "(note.md)")
        #expect(found.filter { $0.path.hasSuffix("0001-c.md") }.count == 2)
        #expect(found.filter { $0.path.hasSuffix("note.md") }.count == 2)
    }

    @Test func `a type named as its module is found`() {
        #expect(SourceRules.moduleNamedType(source("public enum Pricing {}")).count == 1)
        #expect(SourceRules.moduleNamedType(source("struct PricingError {}\nlet a: Pricing")).isEmpty)
    }

    @Test func `a use case without a permission, and a way around the session, are found`() {
        func found(_ text: String) -> Int { UseCaseRules.violations(source(text, in: "Billing")).count }
        #expect(found("extension ReadSession {\n    public func a() -> Int {\n        3\n    }\n}") == 1)
        #expect(found("extension WriteSession {\n    public func a() { withTransaction { b($0) } }\n}") == 2)
        #expect(found("extension WriteSession {\n    public func a(_ d: Database) { d.write {} }\n}") == 2)
        #expect(found("extension WriteSession {\n    public func a() { change(b) }\n}") == 1)
        #expect(
            found("extension ReadSession {\n    public func a() -> Int {\n        look(.read(.b)) { 3 }\n    }\n}") == 0
        )
        #expect(found("extension WriteSession {\n    public func a() { change(.b) { c($0) } }\n}") == 0)
        #expect(found("extension WriteSession {\n    private func a() -> Int { 3 }\n}") == 0)
    }

    @Test func `what goes below the use cases is found, and so is an exception that nothing needs`() {
        func found(_ text: String, in target: String = "AdminAPI", except: Set<String> = []) -> Int {
            UseCaseRules.below([source(text, in: target)], exceptions: except).count
        }
        #expect(found("let a = try PlanStorage.history(of: b, in: tx)") == 1)
        #expect(found("func a(_ tx: DatabaseTransaction) { services.database.read { b($0) } }") == 2)
        #expect(found("let a = await database.writeAtOneMoment { b($0) }", in: "tollgate") == 1)
        #expect(found("let a: SecretStorage.Entry") == 0)
        #expect(found("let a = try PlanStorage.history(of: b, in: tx)", in: "Billing") == 0)
        let path = "Sources/AdminAPI/Example.swift"
        #expect(found("let a = try PlanStorage.history(of: b, in: tx)", except: [path]) == 0)
        #expect(found("let a = 1", except: [path]) == 1)
    }
}
