import NaiveArithmetic
import Testing

@testable import Documents
@testable import Invoicing

/// Documents that no one thought of. Every line has a number of its own, so that it can be found again.
struct RandomDocumentTests {
    @Test func `every line is shown once and in its order`() throws {
        for seed in Seeds.all {
            var generator = SeededGenerator(seed: seed)
            let document = try RandomDocument.make(&generator)
            let page = InvoicePresentation(document, standing: InvoiceStatus(of: document))
            #expect(page.rows.map(\.lineID) == document.lines.map(\.id), "seed \(seed)")
            #expect(page.evidence.count == document.serviceLevels.count, "seed \(seed)")

            let html = InvoiceHTML.render(document)
            let rows = html.split(separator: "<tr id=\"").dropFirst()
            #expect(rows.count == document.lines.count, "seed \(seed)")
            for (row, line) in zip(rows, document.lines) {
                let amount = #"<data value="\#(line.exactAmount)">\#(NumberText.grouped(line.amount))</data>"#
                #expect(row.hasPrefix(line.id) && row.contains(amount), "seed \(seed), \(line.id)")
            }
            #expect(html == InvoiceHTML.render(document), "seed \(seed)")
        }
    }

    @Test func `every line is drawn once`() throws {
        // Each seed starts a program to read the PDF: one in ten of them is enough for a run.
        for seed in Seeds.all where seed.isMultiple(of: 10) {
            var generator = SeededGenerator(seed: seed)
            let document = try RandomDocument.make(&generator)
            let pdf = try InvoicePDF.render(document)
            let text = try PDFReader.text(pdf)
            let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
            let counts = Dictionary(words.map { ($0, 1) }, uniquingKeysWith: +)
            for line in document.lines {
                #expect(counts[NumberText.grouped(line.amount)] == 1, "seed \(seed), amount of \(line.id)")
                if let quantity = line.quantity {
                    #expect(counts[NumberText.grouped(quantity)] == 1, "seed \(seed), quantity of \(line.id)")
                }
            }
            let pages = Int(try PDFReader.facts(pdf)["Pages"] ?? "") ?? 0
            #expect(text.contains("Page \(pages) of \(pages)"), "seed \(seed)")
        }
    }
}

enum RandomDocument {
    static func make(_ generator: inout SeededGenerator) throws -> InvoiceDocument {
        let count = Int.random(in: 0...90, using: &generator)
        var lines: [InvoiceDocument.Line] = []
        var promises: [InvoiceDocument.ServiceLevel] = []
        for number in 1...(count + 1) {
            let line = line(number, &generator)
            if line.kind == "sla_credit", Bool.random(using: &generator) {
                promises.append(try SampleInvoices.promise(lineID: line.id))
            }
            lines.append(line)
        }
        var document = try SampleInvoices.document(
            lines, charges: "1.00", total: "1.00", exactTotal: "1", serviceLevels: promises,
            isDraft: Bool.random(using: &generator))
        document.customer.name = name(&generator)
        document.customer.address = (0..<Int.random(in: 0...6, using: &generator)).map { _ in name(&generator) }
        return document
    }

    private static func line(_ number: Int, _ generator: inout SeededGenerator) -> InvoiceDocument.Line {
        let kinds = ["usage", "usage", "usage", "base_fee", "adjustment", "sla_credit", "kind_of_tomorrow"]
        let kind = kinds[Int.random(in: 0..<kinds.count, using: &generator)]
        let isUsage = kind == "usage" || kind == "adjustment"
        let meters = ["input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "images"]
        let sign = kind == "sla_credit" || generator.flip(oneIn: 9) ? "-" : ""
        let size = String(repeating: "7", count: Int.random(in: 0...9, using: &generator))
        // The last five digits are the line's own number: no other line has this amount or quantity.
        let amount = "\(sign)1\(size)\(10_000 + number).25"
        return SampleInvoices.line(
            number, kind: kind, description: name(&generator), model: isUsage ? name(&generator) : nil,
            meter: isUsage ? meters[Int.random(in: 0..<meters.count, using: &generator)] : nil,
            tier: isUsage ? ["standard", "priority"][Int.random(in: 0...1, using: &generator)] : nil,
            tenant: generator.flip(oneIn: 5) ? name(&generator) : "Acme",
            subscription: Int.random(in: 0...2, using: &generator),
            quantity: isUsage ? "2\(size)\(20_000 + number)" : nil, price: isUsage ? "0.125" : nil,
            exact: "\(amount)\(number)", amount: amount, planVersion: Int.random(in: 1...2, using: &generator))
    }

    private static let pieces = [
        "Acme", "Ω-Gruppe", "株式会社", "شركة", "בע״מ", "ไทย", "हिन्दी", "<b>", "&", "\"quoted\"", "👩‍🔬", "\u{202E}evil",
        "\u{301}", "very-long-name-without-a-break-", "\t", " ",
    ]

    private static func name(_ generator: inout SeededGenerator) -> String {
        let count = generator.flip(oneIn: 12) ? 40 : Int.random(in: 0...6, using: &generator)
        return (0..<count).map { _ in pieces[Int.random(in: 0..<pieces.count, using: &generator)] }.joined()
    }
}
