import Testing

@testable import Documents
@testable import Invoicing

struct InvoiceHTMLTests {
    @Test func `number, dates, parties, amounts and totals are on the page`() throws {
        let html = InvoiceHTML.render(try SampleInvoices.everyKind())
        for words in [
            "INV-2026-000042", "1 December 2026", "15 December 2026", "1 – 30 November 2026", "Europe/Berlin",
            "Northwind Inference GmbH", "DE301234567", "Acme Robotics Ltd", "GB123456789", "182,345,678", "0.0375",
            "27.35", "−12.35", "93.84 USD", "Late usage of October 2026", "Correction of October 2026",
            "exactly 0.0041085", "93.8582467", "IBAN DE02", "Credits carried over to the next invoice: 1.20 USD",
        ] {
            #expect(html.contains(words), "\(words)")
        }
        #expect(html.contains(#"<data value="27.3518517">27.35</data>"#))
    }

    @Test func `a credit shows its evidence`() throws {
        let html = InvoiceHTML.render(try SampleInvoices.everyKind())
        for words in [
            "99% of requests: first token within 1,500 ms", "95.1235% of requests",
            "12,345: 11,743 kept the promise, 602 did not", "first token late 599, gateway lost 3",
            "not streamed 2,310, client error 12", "10% of the tier&#39;s charges of 143.456 = 14.35 USD",
            "12.35 USD, after 2.00 USD on earlier invoices", "req_0199f2a4b7c97d218e3b5a6c7d8e9f10",
            "2026-10-14 09:20:41.203 UTC", "9120 ms", "October 2026",
        ] {
            #expect(html.contains(words), "\(words)")
        }
    }

    @Test func `hostile names stay text`() throws {
        let attack = #""><script>alert('x')</script><img src=x onerror=alert(1)>&amp;"# + "\u{0}\u{1B}"
        var document = try SampleInvoices.everyKind()
        document.customer.name = attack
        document.customer.address = [attack]
        document.seller.name = attack
        document.paymentInstructions = attack
        document.number = attack
        document.period.timeZone = attack
        for index in document.lines.indices {
            document.lines[index].id = attack
            document.lines[index].tenant = attack
            document.lines[index].model = document.lines[index].model.map { _ in attack }
            document.lines[index].tier = attack
            document.lines[index].description = attack
            document.lines[index].amount = attack
            document.lines[index].exactAmount = attack
        }
        for index in document.serviceLevels.indices {
            document.serviceLevels[index].tier = attack
            document.serviceLevels[index].objective = attack
        }
        let html = InvoiceHTML.render(document)
        #expect(!html.contains("<script"))
        #expect(!html.contains("<img"))
        #expect(!html.contains("\u{0}"))
        #expect(html.contains("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&lt;img"))
        #expect(html.contains("&amp;amp;"))
    }

    @Test func `the page fetches nothing and has what screen readers need`() throws {
        let html = InvoiceHTML.render(try SampleInvoices.everyKind())
        for forbidden in ["http://", "https://", "url(", "@import", "<script", "<link", "src="] {
            #expect(!html.contains(forbidden), "\(forbidden)")
        }
        #expect(html.hasPrefix("<!DOCTYPE html>\n"))
        #expect(html.contains(#"<html lang="en">"#))
        #expect(html.contains(#"<meta charset="utf-8">"#))
        #expect(html.contains("<title>Invoice INV-2026-000042</title>"))
        #expect(html.count(of: #"scope="col""#) == 7)
        #expect(html.contains(#"scope="row""#))
        #expect(html.contains("@page { size: A4"))
    }

    @Test func `names that run from right to left are marked as such by the reader`() throws {
        let html = InvoiceHTML.render(try SampleInvoices.yen())
        #expect(html.contains(#"<p class="name" dir="auto">شركة"#))
        #expect(html.contains("1,383,505,805,533,216 JPY"))
    }

    @Test func `the style sheet uses the palette`() {
        let sheet = "\(InvoiceStylesheet.text)"
        for (name, color) in [
            ("ink", Palette.ink), ("muted", Palette.muted), ("hairline", Palette.hairline), ("wash", Palette.wash),
            ("watermark", Palette.watermark), ("accent", Palette.accent),
        ] {
            #expect(sheet.contains("--\(name): \(color.hexadecimal);"), "\(name)")
        }
    }

    @Test func `each state is told`() throws {
        let document = try SampleInvoices.everyKind()
        let draft = InvoiceHTML.render(try SampleInvoices.everyKind(isDraft: true))
        #expect(draft.contains("Draft invoice"))
        #expect(draft.contains(">DRAFT<"))
        #expect(draft.contains("This is a draft."))
        #expect(!draft.contains("IBAN"))

        let open = InvoiceHTML.render(document)
        #expect(open.contains("due on 15 December 2026"))
        #expect(!open.contains("class=\"watermark\""))

        let paid = InvoiceHTML.render(document, standing: InvoiceStatus(.paid, since: "2026-12-05"))
        #expect(paid.contains("Paid on 5 December 2026"))
        #expect(!paid.contains("IBAN"))

        let void = InvoiceHTML.render(document, standing: InvoiceStatus(.void, since: "2026-12-03"))
        #expect(void.contains(">VOID<"))
        #expect(void.contains("Void since 3 December 2026"))
        #expect(void.contains("It is not to be paid."))

        var ofTest = document
        ofTest.mode = "test"
        let trial = InvoiceHTML.render(ofTest, standing: InvoiceStatus(.finalized))
        #expect(trial.contains(">TEST<"))
        #expect(trial.contains("This invoice is of a test account"))
        #expect(!trial.contains("IBAN"))
    }
}
