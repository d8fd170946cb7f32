import Accounts
import Billing
import Documents
import HTTPTypes
import Identity
import Invoicing
import Monetary
import Storage

/// Credit notes: what is given back of a final invoice.
enum CreditNoteEndpoints {
    private static let shape = Shape<StoredCreditNote>(
        "CreditNote", "What is given back of a final invoice. It never changes but for its refund.",
        [
            .init("id", .id(CreditNoteID.self)) { .string("\($0.id)") },
            .init("account", .id(AccountID.self)) { .string("\($0.accountID)") },
            .init("invoice", .id(InvoiceID.self, "The one that it corrects.")) { .string("\($0.invoiceID)") },
            .init("number", .text("Such as CN-2026-000001.")) { .string($0.number) },
            .init("currency", .text("ISO 4217.", lengths: 3...3)) { .string($0.currency.code) },
            .init("total", .money("What the customer is given back.")) { .string("\($0.total)") },
            .init("exact_total", .money("Before rounding.")) { .string("\($0.exactTotal)") },
            .init(
                "settlement",
                .choice(
                    CreditNoteSettlement.allCases.map(\.rawValue),
                    "`open_invoice`: less of the invoice is to be paid. `customer_balance`: it was paid, and the money "
                        + "is owed to the customer until it is refunded.")
            ) { .string($0.settlement.rawValue) },
            .init("reason", .text(lengths: 1...1000)) { .string($0.reason) },
            .init("issued_by", .text(lengths: 0...1000)) { .string($0.issuedBy) },
            .init("issued_at", .instant("Billing time.")) { .string("\($0.issuedAt)") },
            .init("issued_on", .formatted(.day, "Local day of the account's zone.")) { .string("\($0.issuedOn)") },
            .init("refunded_at", .instant("Billing time; null where nothing was paid back.").nullable) {
                .optional($0.refundedAt)
            },
        ])

    private static let one = Parameter.path("credit_note", .id(CreditNoteID.self))

    static func all(_ services: AdminServices) -> [Endpoint] {
        [issue, list, get, document, refund] + DocumentForm.allCases.map { page($0, services) }
    }

    private static let issue = Endpoint(
        .post, "/v1/invoices/{invoice}/credit_notes", "issueCreditNote", tag: "Invoices",
        "Give back a final invoice, or lines of it",
        description: "Without `lines` all that earlier notes left of it. Of an unpaid invoice less is to be paid then; "
            + "what is given back of a paid one is owed to the customer until it is refunded. The month stays "
            + "invoiced: nothing of it is billed again.",
        access: .role(.billing), parameters: [.path("invoice", .id(InvoiceID.self))],
        body: .json(
            [
                .required("reason", .text("Why; the customer reads it.", lengths: 1...WriteSession.reasonLengthMax)),
                .optional(
                    "lines",
                    .list(
                        .object(
                            [
                                .required("line", .id(InvoiceLineID.self, "A charge of the invoice.")),
                                .optional("amount", .money("Above zero; all that is left if not said.")),
                            ], named: "CreditNoteLineInput"), countMax: InvoiceDraft.linesMax)),
            ], named: "CreditNoteInput"),
        successes: [.json(201, "The credit note.", shape.schema)], problems: [404, 409],
        work: .change { call, session in
            let invoice = try session.invoice(try call.id("invoice"))
            let note = try session.issueCreditNote(
                for: invoice.id, try scope(call.body, invoice), reason: try call.body.required("reason"))
            return .created(shape.json(note))
        })

    private static func scope(_ body: JSONValue, _ invoice: StoredInvoice) throws -> CreditNoteScope {
        guard let items = body["lines"]?.elements else { return .full }
        guard !items.isEmpty else {
            throw Problem.invalid("lines", "names no line: leave it out to give back the whole invoice")
        }
        var lines: [InvoiceLineID: Money?] = [:]
        for item in items {
            guard let id = item["line"]?.text.flatMap({ InvoiceLineID($0) }) else {
                throw Problem.invalid("lines", "names a line that is none")
            }
            let amount = try item["amount"]?.text.map { try money($0, invoice.currency) }
            guard lines.updateValue(amount, forKey: id) == nil else {
                throw Problem.invalid("lines", "names line \(id) twice")
            }
        }
        return .lines(lines)
    }

    private static func money(_ text: String, _ currency: Currency) throws -> Money {
        do {
            return try Money(parsing: text, currency: currency)
        } catch {
            throw Problem.invalid("lines", "amount '\(text)': \(error)")
        }
    }

    private static let list = Endpoint(
        .get, "/v1/credit_notes", "listCreditNotes", tag: "Invoices", "List credit notes", access: .role(.viewer),
        parameters: [
            .query("account", .id(AccountID.self, "Only of this account.")), .mode,
            .query("invoice", .id(InvoiceID.self, "Only those that correct this invoice.")),
            .query("number", .text("The one of this number, such as CN-2026-000001.")),
        ] + Parameter.page,
        successes: [.json(200, "A page, in the order of their ids.", shape.pageSchema)], problems: [404],
        work: .look { call, session in
            var filter = CreditNoteFilter(
                account: call.queryID("account"), invoice: call.queryID("invoice"), number: call.queryText("number"))
            filter.mode = call.mode(isNamed: filter != CreditNoteFilter())
            return .page(try session.creditNotes(filter, try call.page(CreditNoteID.self)), as: shape) { "\($0.id)" }
        })

    private static let get = Endpoint(
        .get, "/v1/credit_notes/{credit_note}", "getCreditNote", tag: "Invoices", "Show a credit note",
        access: .role(.viewer), parameters: [one], successes: [.json(200, "The credit note.", shape.schema)],
        work: .look { call, session in .ok(shape.json(try session.creditNote(try call.id("credit_note")))) })

    private static let document = Endpoint(
        .get, "/v1/credit_notes/{credit_note}/document", "getCreditNoteDocument", tag: "Invoices",
        "Everything that a credit note shows, as JSON",
        description: "The stored bytes: keys sorted, money as strings.",
        access: .role(.viewer), parameters: [one],
        successes: [.json(200, "The document.", CreditNoteDocumentSchema.schema)],
        work: .look { call, session in
            let note = try session.creditNote(try call.id("credit_note"))
            return Answer(status: 200, body: .jsonText(note.documentJSON))
        })

    private static let refund = Endpoint(
        .post, "/v1/credit_notes/{credit_note}/refund", "refundCreditNote", tag: "Invoices",
        "Book that what a credit note gave back of a paid invoice was paid back",
        description: "Doing it twice changes nothing.", access: .role(.billing), parameters: [one],
        successes: [.json(200, "The credit note.", shape.schema)], problems: [409],
        work: .change { call, session in
            .ok(shape.json(try session.refundCreditNote(try call.id("credit_note"))))
        })

    /// The note as a page that one would send to a customer.
    private static func page(_ form: DocumentForm, _ services: AdminServices) -> Endpoint {
        Endpoint(
            .get, "/v1/credit_notes/{credit_note}.\(form.rawValue)", "getCreditNote\(form.rawValue.uppercased())",
            tag: "Invoices", "A credit note as \(form.rawValue.uppercased())", access: .role(.viewer),
            parameters: [one], successes: [.other(form.mediaType, "The page.")],
            work: .job { call in
                let id: CreditNoteID = try call.id("credit_note")
                let page = try await services.look(for: call) { try $0.page(of: try $0.creditNote(id)) }
                let bytes = try form == .pdf ? page.pdf() : Array(page.html().utf8)
                return form.answer(bytes, name: page.document.number)
            })
    }
}

/// The stored document of a credit note, as `Invoicing.CreditNoteDocument` writes it.
enum CreditNoteDocumentSchema {
    static let schema: Schema = .object(
        [
            .required("schema", .text("`\(CreditNoteDocument.currentSchema)`")),
            .optional("mode", .choice(["test"], "On a note of a test account; left out on one that is meant.")),
            .required("credit_note_id", .id(CreditNoteID.self)),
            .required("number", .text()), .required("issued_on", .formatted(.day)),
            .required("currency", .text("ISO 4217.", lengths: 3...3)),
            .required("seller", InvoiceDocumentSchema.party), .required("customer", InvoiceDocumentSchema.party),
            .required("invoice", invoice), .required("reason", .text(lengths: 1...1000)),
            .required("lines", .list(line, countMax: 1_000_000)),
            .required(
                "totals",
                .object(
                    [
                        .required("total", .money("What is given back.")),
                        .required("exact_total", .money("Before rounding.")),
                    ], named: "CreditNoteTotals")),
        ], named: "CreditNoteDocument", "Everything that a credit note shows, frozen with it.")

    private static let invoice: Schema = .object(
        [
            .required("id", .id(InvoiceID.self)), .required("number", .text()),
            .required("issued_on", .formatted(.day)), .required("period", InvoiceDocumentSchema.period),
            .required("total", .money("What was to be paid.")),
        ], named: "CreditedInvoice")

    private static let line: Schema = .object(
        [
            .required("id", .id(CreditNoteLineID.self)), .required("invoice_line_id", .id(InvoiceLineID.self)),
            .required("kind", .choice(InvoiceLineKind.allCases.map(\.rawValue))),
            .required("description", .text(lengths: 0...10_000)), .required("tenant", .text(lengths: 0...255)),
            .required("from", .formatted(.day)), .required("through", .formatted(.day)),
            .required("invoiced", .money("Of the invoice's line.")), .required("exact_amount", .money()),
            .required("amount", .money("Given back; negative where a credit of the invoice is owed again.")),
        ], named: "CreditNoteDocumentLine")
}
