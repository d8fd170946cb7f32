import Foundation
import Testing

@testable import Documents
@testable import Invoicing

struct InvoicePDFTests {
    @Test func `another program reads number, lines and totals from it`() throws {
        let text = try PDFReader.text(try InvoicePDF.render(try SampleInvoices.everyKind()))
        for words in [
            "INV-2026-000042", "1 December 2026", "15 December 2026", "Europe/Berlin", "Torstraße 140",
            "Acme Robotics Ltd", "llama-3.3-70b-instruct", "priority tier", "exactly 0.0041085",
            "Late usage of October 2026", "93.84 USD", "BYLADEM1001", "12,345: 11,743 kept the promise, 602 did not",
            "req_0199f2a4b7c97d218e3b5a6c7d8e9f19", "6321 ms", "Page 1 of 2", "Page 2 of 2",
        ] {
            #expect(text.contains(words), "\(words)")
        }
        let lines = text.split(separator: "\n").map { $0.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
        for line in [
            "Team: base fee 49.00", "Input tokens 182,345,678 0.15 27.35", "Cached input tokens 90,211,000 0.0375 3.38",
            "Output tokens 41,002,311 0.60 24.60", "Output tokens −1,000,000 0.60 −0.60",
            "Time to first token, priority tier, October 2026 −12.35", "Total due 93.84 USD",
        ] {
            #expect(lines.contains(line), "\(line)")
        }
    }

    @Test func `the file says what it is`() throws {
        let facts = try PDFReader.facts(try InvoicePDF.render(try SampleInvoices.everyKind()))
        #expect(facts["Title"] == "Invoice INV-2026-000042")
        #expect(facts["Author"] == "Northwind Inference GmbH")
        #expect(facts["Creator"] == "Tollgate")
        #expect(facts["CreationDate"] == "2026-12-01T00:00:00Z")
        #expect(facts["Page size"]?.contains("A4") == true)
    }

    @Test func `many lines take several pages, each with the table's head and what it continues`() throws {
        let document = try SampleInvoices.long()
        let pages = try PDFReader.pages(try InvoicePDF.render(document))
        #expect(pages.count == 4)
        for (index, page) in pages.enumerated() {
            #expect(page.contains("Price per 1M"))
            #expect(page.contains("Page \(index + 1) of \(pages.count)"))
        }
        #expect(pages.dropFirst().allSatisfy { $0.contains("continued") })
        let words = pages.joined(separator: "\n")
        for line in document.lines {
            #expect(words.count(of: NumberText.grouped(line.quantity ?? "")) == 1)
            #expect(words.count(of: NumberText.grouped(line.amount)) == 1)
        }
    }

    @Test func `equal documents are equal bytes`() throws {
        for document in [try SampleInvoices.everyKind(), try SampleInvoices.yen(), try SampleInvoices.long()] {
            let first = try InvoicePDF.render(document)
            _ = try InvoicePDF.render(try SampleInvoices.bare())
            #expect(try InvoicePDF.render(document) == first)
        }
    }

    @Test func `equal documents are equal bytes in another process`() async throws {
        let here = fingerprint(try InvoicePDF.render(try SampleInvoices.yen()))
        let there = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            print(fingerprint(try InvoicePDF.render(try SampleInvoices.yen())))
        }
        let output = String(decoding: there?.standardOutputContent ?? [], as: UTF8.self)
        #expect(output.contains(here))
    }

    @Test func `documents drawn at once on many threads are the same`() async throws {
        let document = try SampleInvoices.yen()
        let expected = fingerprint(try InvoicePDF.render(document))
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<8 { group.addTask { fingerprint(try InvoicePDF.render(document)) } }
            for try await drawn in group { #expect(drawn == expected) }
        }
    }

    @Test func `each state is told`() throws {
        let document = try SampleInvoices.everyKind()
        let draft = try PDFReader.text(try InvoicePDF.render(try SampleInvoices.everyKind(isDraft: true)))
        #expect(draft.contains("Draft invoice"))
        #expect(draft.contains("This is a draft."))
        let paid = try PDFReader.text(
            try InvoicePDF.render(document, standing: InvoiceStatus(.paid, since: "2026-12-05")))
        #expect(paid.contains("Paid on 5 December 2026"))
        let void = try PDFReader.text(
            try InvoicePDF.render(document, standing: InvoiceStatus(.void, since: "2026-12-03")))
        #expect(void.contains("This invoice is void."))
        var ofTest = document
        ofTest.mode = "test"
        let trial = try PDFReader.text(
            try InvoicePDF.render(ofTest, standing: InvoiceStatus(.finalized)))
        #expect(trial.contains("This invoice is of a test account"))
    }

    @Test func `an empty address, a very long name and control characters are drawn`() throws {
        var document = try SampleInvoices.bare()
        document.customer.email = "alpha\u{0}beta\ngamma"
        let text = try PDFReader.text(try InvoicePDF.render(document))
        #expect(text.contains("alpha beta gamma"))
        #expect(text.contains("Page 1 of 1"))
        #expect(text.contains("Söhne"))
    }

    @Test func `a machine without fonts is told so`() async {
        await #expect(processExitsWith: .success) {
            // Fontconfig reads this once, so it needs a process of its own.
            let name = "tollgate-\(UUID().uuidString).conf"
            let file = FileManager.default.temporaryDirectory.appendingPathComponent(name)
            try Data("<fontconfig></fontconfig>".utf8).write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }
            setenv("FONTCONFIG_FILE", file.path, 1)
            #expect(throws: DocumentError.noFonts) { try InvoicePDF.render(try SampleInvoices.bare()) }
        }
    }

    @Test func `errors say what to do`() {
        #expect("\(DocumentError.noFonts)".contains("install fonts-noto-core"))
        #expect("\(DocumentError.tooManyPages(1001))".contains("1001 pages; at most 1000"))
    }
}
