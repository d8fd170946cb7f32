import TestSupport
import Testing

/// Whole months, from what a gateway's journal holds to the bytes of the invoices, ledger balances and reconcile. A
/// change of what a case comes to is a change for customers: `scripts/golden --accept` writes it down, and the diff
/// stands in the commit that says why.
@Suite(.timeLimit(.minutes(10))) struct GoldenTests {
    @Test(.database, arguments: GoldenCase.all)
    func `a period comes to the same bytes as ever`(golden: GoldenCase) async throws {
        let world = try await GoldenWorld.make(golden)
        do {
            for step in try GoldenStep.read(try golden.text("case.txt")) { try await world.play(step) }
            let files = try await world.results()
            await world.close()
            try golden.compare(files)
        } catch {
            await world.close()
            throw error
        }
    }

    @Test func `there are cases, and one of them is the demo`() {
        #expect(GoldenCase.all.count >= 21)
        #expect(GoldenCase.all.contains { $0.name == "demo" })
    }

    @Test func `documents made before keep their bytes and their page`() throws {
        let old = GoldenCase(name: "documents-of-version-1")
        for number in 1...3 {
            let file = "INV-2025-00000\(number)"
            let json = try GoldenFiles.together(old.text("\(file).json"))
            let (again, page) = try GoldenWorld.read(document: json)
            #expect(again == json)
            #expect(page == (try old.text("\(file).html")), "\(file)")
        }
    }

    @Test func `laid out JSON differs where the JSON differs`() {
        let json = #"{"a":[],"b":["x, {y}","\"",1],"c":null}"#
        let text = GoldenFiles.laidOut(json)
        #expect(text.contains("\n    \"x, {y}\",\n    \"\\\"\",\n    1\n  ],"))
        #expect(GoldenFiles.together(text) == json)
        #expect(GoldenFiles.firstDifference("a\nb", "a\nc").hasPrefix("line 2"))
    }
}
