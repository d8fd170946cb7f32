import Invoicing

/// What an invoice shows, in its words and order. Both renderings draw this and decide nothing but where it stands, so
/// they cannot say different things.
struct InvoicePresentation {
    struct Fact: Hashable {
        var label: String
        var value: String
    }

    struct Party: Hashable {
        var label: String
        var name: String
        var lines: [String]
    }

    struct Row: Hashable {
        /// `il_…`
        var lineID: String
        var title: String
        /// Small, under the title.
        var note: String?
        var quantity: String?
        var unitPrice: String?
        var amount: String
        /// Plain decimal text for machines.
        var exactAmount: String
    }

    /// Rows of one model in one tier; other rows have no title above them.
    struct Block: Hashable {
        var title: String?
        var detail: String?
        var rows: [Row]
    }

    struct Group: Hashable {
        var title: String
        var detail: String
        var blocks: [Block]
    }

    struct Evidence: Hashable {
        var title: String
        var detail: String
        var facts: [Fact]
        var worst: [MissedRequest]
    }

    struct MissedRequest: Hashable {
        var requestID: String
        var acceptedAt: String
        var measured: String
    }

    /// BCP 47, of the words that are ours.
    static let language = "en"

    /// `Invoice`, `Draft test invoice`.
    var title: String
    /// `INV-2026-000001`, or the id of a draft.
    var reference: String
    /// Behind the page: `DRAFT`, `VOID`.
    var watermark: String?
    /// Beside the title: `Paid on 5 December 2026`.
    var status: String?
    /// Above everything.
    var notices: [String]
    var facts: [Fact]
    var seller: Party
    var customer: Party
    /// `1,234.56 USD due on 15 December 2026`
    var headline: String
    var headlineDetail: String
    var columns: (description: String, quantity: String, unitPrice: String, amount: String)
    var groups: [Group]
    /// The last is what is to be paid.
    var totals: [Fact]
    /// Small, under the totals.
    var totalNotes: [String]
    var paymentTitle: String
    var payment: [String]
    var evidence: [Evidence]
    /// For the metadata: `2026-12-01`; the period's last day on a draft.
    var day: String
}

extension InvoicePresentation {
    /// Whether it is of a test account is for the document to say: an account that became one later made nothing of
    /// what it was issued before a test.
    init(_ document: InvoiceDocument, standing: InvoiceStatus) {
        let currency = document.currency
        title = Self.title(document, standing)
        reference = document.number ?? document.invoiceID
        watermark = Self.watermark(document, standing)
        status = Self.status(standing)
        notices = Self.notices(document, standing)
        facts = Self.facts(document)
        seller = Party(label: "From", document.seller)
        customer = Party(label: "Billed to", document.customer)
        headline = "\(NumberText.grouped(Self.due(document, standing))) \(currency)"
        headlineDetail = Self.headlineDetail(document, standing)
        columns = ("Description", "Quantity", "Price per 1M", "Amount (\(currency))")
        groups = Self.groups(document)
        totals = Self.totals(document, standing)
        totalNotes = Self.totalNotes(document)
        paymentTitle = "Payment"
        let isOwed =
            standing.state == .finalized && !document.isTest
            && (standing.payable.map { !NumberText.isZero($0) } ?? true)
        payment = isOwed ? Self.paragraphs(document.paymentInstructions) : []
        evidence = document.serviceLevels.map { Evidence($0, currency: currency) }
        day = document.issuedOn ?? document.period.through
    }

    /// Every row, in order.
    var rows: [Row] { groups.flatMap(\.blocks).flatMap(\.rows) }

    private static func title(_ document: InvoiceDocument, _ standing: InvoiceStatus) -> String {
        let noun = document.isTest ? "test invoice" : "invoice"
        return standing.state == .draft ? "Draft \(noun)" : noun.prefix(1).uppercased() + noun.dropFirst()
    }

    private static func watermark(_ document: InvoiceDocument, _ standing: InvoiceStatus) -> String? {
        switch standing.state {
        case .draft: "DRAFT"
        case .void: "VOID"
        case .finalized, .paid: document.isTest ? "TEST" : nil
        }
    }

    private static func status(_ standing: InvoiceStatus) -> String? {
        let day = standing.since.map { " on \(DateText.day($0))" } ?? ""
        return switch standing.state {
        case .draft, .finalized: nil
        case .paid: "Paid\(day)"
        case .void: "Void\(day.isEmpty ? "" : " since" + day.dropFirst(3))"
        }
    }

    /// What is to be paid, or was.
    private static func due(_ document: InvoiceDocument, _ standing: InvoiceStatus) -> String {
        standing.payable ?? document.totals.total
    }

    private static func notices(_ document: InvoiceDocument, _ standing: InvoiceStatus) -> [String] {
        var notices: [String] = []
        switch standing.state {
        case .draft: notices.append("This is a draft. It has no number, can still change, and is not to be paid.")
        case .void: notices.append("This invoice is void. It is not to be paid.")
        case .finalized, .paid: break
        }
        if document.isTest {
            notices.append("This invoice is of a test account: a trial run, not a request for payment.")
        }
        for credited in standing.creditNotes {
            notices.append(
                "Corrected by credit note \(credited.number), which gives back \(NumberText.grouped(credited.amount)) "
                    + "\(document.currency).")
        }
        return notices
    }

    private static func facts(_ document: InvoiceDocument) -> [Fact] {
        var facts: [Fact] = []
        if let number = document.number { facts.append(Fact(label: "Invoice number", value: number)) }
        if let issued = document.issuedOn { facts.append(Fact(label: "Issued", value: DateText.day(issued))) }
        if let due = document.dueOn { facts.append(Fact(label: "Due", value: DateText.day(due))) }
        let period = document.period
        facts.append(
            Fact(label: "Billing period", value: DateText.days(from: period.from, through: period.through)))
        facts.append(Fact(label: "Time zone", value: period.timeZone))
        if let account = document.customer.accountID { facts.append(Fact(label: "Account", value: account)) }
        return facts + [Fact(label: "Invoice id", value: document.invoiceID)]
    }

    private static func headlineDetail(_ document: InvoiceDocument, _ standing: InvoiceStatus) -> String {
        let span = DateText.span(from: document.period.from, through: document.period.through)
        switch standing.state {
        case .draft: return "so far for \(span)"
        case .paid: return "paid, for \(span)"
        case .void: return "not owed: this invoice is void"
        case .finalized:
            if document.isTest { return "not owed: a test, for \(span)" }
            if NumberText.isZero(due(document, standing)) { return "nothing to pay, for \(span)" }
            return document.dueOn.map { "due on \(DateText.day($0))" } ?? "due"
        }
    }

    private static func totals(_ document: InvoiceDocument, _ standing: InvoiceStatus) -> [Fact] {
        var totals: [Fact] = []
        if !NumberText.isZero(document.totals.credits) {
            totals.append(Fact(label: "Charges", value: NumberText.grouped(document.totals.charges)))
            totals.append(Fact(label: "Service level credits", value: NumberText.grouped(document.totals.credits)))
        }
        let total = "\(NumberText.grouped(document.totals.total)) \(document.currency)"
        if standing.state == .paid, let paid = standing.payable, !NumberText.areEqual(paid, document.totals.total) {
            totals.append(Fact(label: "Total", value: NumberText.grouped(document.totals.total)))
            return totals + [Fact(label: "Paid", value: "\(NumberText.grouped(paid)) \(document.currency)")]
        }
        guard standing.state == .finalized else { return totals + [Fact(label: "Total", value: total)] }
        let label = document.isTest ? "Total of the test" : "Total due"
        guard let due = standing.payable else { return totals + [Fact(label: label, value: total)] }
        totals.append(Fact(label: "Total", value: NumberText.grouped(document.totals.total)))
        for credited in standing.creditNotes {
            totals.append(
                Fact(label: "Credit note \(credited.number)", value: "-\(NumberText.grouped(credited.amount))"))
        }
        return totals + [Fact(label: label, value: "\(NumberText.grouped(due)) \(document.currency)")]
    }

    private static func totalNotes(_ document: InvoiceDocument) -> [String] {
        var notes: [String] = []
        let totals = document.totals
        if !NumberText.areEqual(totals.exactTotal, totals.total) {
            let exact = NumberText.grouped(totals.exactTotal)
            notes.append("Each line is rounded once. Exact sum before rounding: \(exact) \(document.currency).")
        }
        if !NumberText.isZero(totals.creditsCarriedOver) {
            let credit = NumberText.grouped(totals.creditsCarriedOver)
            notes.append("Credits carried over to the next invoice: \(credit) \(document.currency).")
        }
        return notes
    }

    private static func paragraphs(_ text: String) -> [String] {
        text.split(whereSeparator: \.isNewline).map(String.init)
    }
}

extension InvoicePresentation.Party {
    init(label: String, _ party: InvoiceDocument.Party) {
        self.label = label
        name = party.name
        lines = party.address.filter { !$0.isEmpty }
        if !party.taxID.isEmpty { lines.append("Tax ID: \(party.taxID)") }
        if !party.email.isEmpty { lines.append(party.email) }
    }
}
