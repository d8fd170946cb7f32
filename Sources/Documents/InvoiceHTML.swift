public import Invoicing

/// The invoice as one self-contained HTML page: nothing is fetched, no script runs, and it prints on A4.
public enum InvoiceHTML {
    /// Renders the document. Equal arguments give equal text. Without a standing, it is the one that the document alone
    /// tells: a draft where it has no number, waiting for payment otherwise.
    public static func render(_ document: InvoiceDocument, standing: InvoiceStatus? = nil) -> String {
        render(InvoicePresentation(document, standing: standing ?? InvoiceStatus(of: document)))
    }

    /// The same of a credit note.
    public static func render(_ note: CreditNoteDocument, standing: CreditNoteStanding) -> String {
        render(InvoicePresentation(note, standing: standing))
    }

    private static func render(_ page: InvoicePresentation) -> String {
        HTMLNode.document(
            .element("html", [("lang", InvoicePresentation.language)], [head(page), body(page)]))
    }

    private static func head(_ page: InvoicePresentation) -> HTMLNode {
        .make(
            "head",
            [
                .element("meta", [("charset", "utf-8")], []),
                .element("meta", [("name", "viewport"), ("content", "width=device-width, initial-scale=1")], []),
                .element(
                    "meta",
                    [
                        ("http-equiv", "Content-Security-Policy"),
                        ("content", "default-src 'none'; style-src 'unsafe-inline'"),
                    ], []),
                .element("meta", [("name", "author"), ("content", page.seller.name)], []),
                .element("meta", [("name", "date"), ("content", page.day)], []),
                .make("title", "\(page.title) \(page.reference)"),
                .style(InvoiceStylesheet.text),
            ])
    }

    private static func body(_ page: InvoicePresentation) -> HTMLNode {
        var content: [HTMLNode] = []
        if let watermark = page.watermark {
            content.append(
                .element("div", [("class", "watermark"), ("aria-hidden", "true")], [.text(watermark)]))
        }
        content += page.notices.map { .element("p", [("class", "notice"), ("role", "note")], [.text($0)]) }
        content += [header(page), parties(page), headline(page), lines(page), totals(page)]
        if !page.payment.isEmpty {
            content.append(
                .make(
                    "section", class: "payment",
                    [.make("h2", page.paymentTitle)] + page.payment.map { .name("p", $0) }))
        }
        if !page.evidence.isEmpty {
            content.append(
                .make(
                    "section", class: "evidence",
                    [.make("h2", InvoicePresentation.evidenceTitle)] + page.evidence.flatMap(evidence)))
        }
        return .make("body", [.make("main", content)])
    }

    private static func header(_ page: InvoicePresentation) -> HTMLNode {
        var title: [HTMLNode] = [.make("h1", page.title)]
        if let status = page.status { title.append(.make("span", class: "status", status)) }
        return .make(
            "header",
            [
                .make("div", [.make("div", class: "title", title), list(page.facts)]),
                .name("div", class: "brand", page.seller.name),
            ])
    }

    private static func list(_ facts: [InvoicePresentation.Fact]) -> HTMLNode {
        .make(
            "dl",
            facts.map { .make("div", [.make("dt", $0.label), .name("dd", $0.value)]) })
    }

    private static func parties(_ page: InvoicePresentation) -> HTMLNode {
        .make(
            "section", class: "parties",
            [page.seller, page.customer].map { party in
                .make(
                    "div",
                    [.make("h2", party.label), .name("p", class: "name", party.name)]
                        + party.lines.map { .name("p", $0) })
            })
    }

    private static func headline(_ page: InvoicePresentation) -> HTMLNode {
        .make(
            "p", class: "headline",
            [.make("strong", page.headline), .text(" "), .make("span", page.headlineDetail)])
    }

    private static func lines(_ page: InvoicePresentation) -> HTMLNode {
        let columns = page.columns
        let heads: [HTMLNode] = [
            .element("th", [("scope", "col")], [.text(columns.description)]),
            .element("th", [("scope", "col"), ("class", "number")], [.text(columns.quantity)]),
            .element("th", [("scope", "col"), ("class", "number")], [.text(columns.unitPrice)]),
            .element("th", [("scope", "col"), ("class", "number")], [.text(columns.amount)]),
        ]
        return .make(
            "table", class: "lines",
            [.make("thead", [.make("tr", heads)])]
                + page.groups.flatMap { group in
                    [.make("tbody", class: "group", [heading(group.title, group.detail, class: "group-title")])]
                        + group.blocks.map(block)
                })
    }

    private static func block(_ block: InvoicePresentation.Block) -> HTMLNode {
        let title = block.title.map { [heading($0, block.detail ?? "", class: "block-title")] } ?? []
        return .make("tbody", title + block.rows.map(row))
    }

    private static func heading(_ title: String, _ detail: String, class style: String) -> HTMLNode {
        .make(
            "tr", class: style,
            [
                .element(
                    "th", [("colspan", "4"), ("scope", "rowgroup")],
                    [.name("span", title), .text(" "), .make("small", detail)])
            ])
    }

    private static func row(_ row: InvoicePresentation.Row) -> HTMLNode {
        var title: [HTMLNode] = [.name("span", row.title)]
        if let note = row.note { title.append(.name("small", note)) }
        return .element(
            "tr", [("id", row.lineID)],
            [
                .element("th", [("scope", "row")], title),
                .make("td", class: "number", row.quantity ?? ""),
                .make("td", class: "number", row.unitPrice ?? ""),
                .make("td", class: "number", [.element("data", [("value", row.exactAmount)], [.text(row.amount)])]),
            ])
    }

    private static func totals(_ page: InvoicePresentation) -> HTMLNode {
        let rows = page.totals.map { total in
            HTMLNode.make(
                "tr",
                [
                    .element("th", [("scope", "row")], [.text(total.label)]),
                    .make("td", class: "number", total.value),
                ])
        }
        return .make(
            "section", class: "totals",
            [.make("table", [.make("tbody", rows)])] + page.totalNotes.map { .make("p", class: "note", $0) })
    }

    private static func evidence(_ evidence: InvoicePresentation.Evidence) -> [HTMLNode] {
        var nodes: [HTMLNode] = [
            .make("h3", [.text(evidence.title), .text(" "), .name("small", evidence.detail)]), list(evidence.facts),
        ]
        guard !evidence.worst.isEmpty else { return nodes }
        let heads = InvoicePresentation.worstColumns.enumerated().map { index, head in
            HTMLNode.element("th", [("scope", "col")] + (index == 2 ? [("class", "number")] : []), [.text(head)])
        }
        let rows = evidence.worst.map { request in
            HTMLNode.make(
                "tr",
                [
                    .element("th", [("scope", "row")], [.make("code", request.requestID)]),
                    .make("td", request.acceptedAt), .make("td", class: "number", request.measured),
                ])
        }
        nodes.append(
            .make("table", class: "worst", [.make("thead", [.make("tr", heads)]), .make("tbody", rows)]))
        return nodes
    }
}
