public import Invoicing

/// How a credit note is settled. It is shown beside the document and is no part of it.
public struct CreditNoteStanding: Hashable, Sendable {
    public var settlement: CreditNoteSettlement
    /// The local day on which the money went back, such as `2026-12-05`.
    public var refundedOn: String?

    public init(_ settlement: CreditNoteSettlement, refundedOn: String? = nil) {
        self.settlement = settlement
        self.refundedOn = refundedOn
    }
}

extension InvoicePresentation {
    init(_ note: CreditNoteDocument, standing: CreditNoteStanding) {
        let currency = note.currency
        title = note.isTest ? "Test credit note" : "Credit note"
        reference = note.number
        watermark = note.isTest ? "TEST" : nil
        status = standing.refundedOn.map { "Paid back on \(DateText.day($0))" }
        notices = note.isTest ? ["This credit note is of a test account: no money will be refunded."] : []
        facts = Self.facts(note)
        seller = Party(label: "From", note.seller)
        customer = Party(label: "Credited to", note.customer)
        headline = "\(NumberText.grouped(note.totals.total)) \(currency)"
        headlineDetail = "credited on invoice \(note.invoice.number)"
        columns = ("Description", "", "Invoiced", "Credited (\(currency))")
        groups = Self.groups(note)
        totals = [Fact(label: "Total credited", value: "\(NumberText.grouped(note.totals.total)) \(currency)")]
        totalNotes =
            NumberText.areEqual(note.totals.exactTotal, note.totals.total)
            ? [] : ["Exact sum before rounding: \(NumberText.grouped(note.totals.exactTotal)) \(currency)."]
        paymentTitle = "Settlement"
        payment = [Self.settlement(note, standing)]
        evidence = []
        day = note.issuedOn
    }

    private static func facts(_ note: CreditNoteDocument) -> [Fact] {
        let invoice = note.invoice
        var facts = [
            Fact(label: "Number", value: note.number), Fact(label: "Issued", value: DateText.day(note.issuedOn)),
            Fact(label: "Corrects invoice", value: "\(invoice.number) of \(DateText.day(invoice.issuedOn))"),
            Fact(
                label: "Billing period",
                value: DateText.days(from: invoice.period.from, through: invoice.period.through)),
            Fact(label: "Time zone", value: invoice.period.timeZone),
        ]
        if let account = note.customer.accountID { facts.append(Fact(label: "Account", value: account)) }
        return facts + [
            Fact(label: "Credit note id", value: note.creditNoteID), Fact(label: "Reason", value: note.reason),
        ]
    }

    private static func groups(_ note: CreditNoteDocument) -> [Group] {
        var groups: [Group] = []
        for line in note.lines {
            let isOfCredit = line.kind == InvoiceLineKind.serviceLevelCredit.rawValue
            let title = isOfCredit ? "Service level credits" : line.tenant
            let row = Row(line, note)
            if let last = groups.indices.last, groups[last].title == title {
                groups[last].blocks[0].rows.append(row)
            } else {
                let detail = isOfCredit ? "Owed again" : "Credited"
                let block = Block(title: nil, detail: nil, rows: [row])
                groups.append(Group(title: title, detail: detail, blocks: [block]))
            }
        }
        return groups
    }

    private static func settlement(_ note: CreditNoteDocument, _ standing: CreditNoteStanding) -> String {
        switch standing.settlement {
        case .openInvoice: "This amount is taken off invoice \(note.invoice.number): so much less is to be paid."
        case .customerBalance:
            standing.refundedOn.map { "Paid back on \(DateText.day($0))." }
                ?? "Invoice \(note.invoice.number) was paid: we owe you this amount."
        }
    }
}

extension InvoicePresentation.Row {
    fileprivate init(_ line: CreditNoteDocument.Line, _ note: CreditNoteDocument) {
        lineID = line.id
        title = line.description
        let period = note.invoice.period
        var notes: [String] = []
        if (line.from, line.through) != (period.from, period.through) {
            notes.append(DateText.days(from: line.from, through: line.through))
        }
        if !NumberText.areEqual(line.exactAmount, line.amount) {
            notes.append("exactly \(NumberText.grouped(line.exactAmount))")
        }
        self.note = notes.isEmpty ? nil : notes.joined(separator: " · ")
        quantity = nil
        unitPrice = NumberText.grouped(line.invoiced)
        amount = NumberText.grouped(line.amount)
        exactAmount = line.exactAmount
    }
}
