import Accounts
import Billing
import Documents
import HTTPTypes
import Identity
import Invoicing
import Monetary
import Storage

/// Invoices: lists, documents, and what can be done to one.
enum InvoiceEndpoints {
    private static let shape = Shape<StoredInvoice>(
        "Invoice", "An invoice. Once finalized it never changes but for its state.",
        [
            .init("id", .id(InvoiceID.self)) { .string("\($0.id)") },
            .init("account", .id(AccountID.self)) { .string("\($0.accountID)") },
            .init("mode", .choice(AccountMode.self)) { .string($0.mode.rawValue) },
            .init(
                "number",
                .text("Such as INV-2026-000001, or INV-TEST-2026-000001 of a test account; null on a draft.")
                    .nullable
            ) { .optional($0.number) },
            .init("state", .choice(InvoiceState.self)) { .string($0.state.rawValue) },
            .init("period_start", .instant("Billing time, inside.")) { .string("\($0.period.start)") },
            .init("period_end", .instant("Billing time, no longer inside.")) { .string("\($0.period.end)") },
            .init("currency", .text("ISO 4217.", lengths: 3...3)) { .string($0.currency.code) },
            .init("total", .money("What is to be paid.")) { .string("\($0.total)") },
            .init("exact_total", .money("Before rounding.")) { .string("\($0.exactTotal)") },
            .init("credited", .money("Given back by credit notes.")) { .string("\($0.credited)") },
            .init("amount_due", .money("Still to be paid; zero unless finalized.")) {
                .string((try? $0.amountDue()).map { "\($0)" } ?? "0")
            },
            .init("created_at", .instant("Billing time, as all times here.")) { .string("\($0.createdAt)") },
            .init("issued_at", .instant().nullable) { .optional($0.issuedAt) },
            .init("issued_on", .formatted(.day, "Local day of the account's zone.").nullable) {
                .optional($0.issuedOn)
            },
            .init("due_on", .formatted(.day).nullable) { .optional($0.dueOn) },
            .init("paid_at", .instant().nullable) { .optional($0.paidAt) },
            .init("voided_at", .instant().nullable) { .optional($0.voidedAt) },
            .init("journal_positions", .map(.text(), "How far each journal was ingested: what is in it.")) { invoice in
                .object(
                    invoice.positions.marks.sorted { $0.key < $1.key }.map {
                        .init(name: "\($0.key)", value: .string("\($0.value)"))
                    })
            },
        ])

    private static let one = Parameter.path("invoice", .id(InvoiceID.self))

    static func all(_ services: AdminServices) -> [Endpoint] {
        [list, get, document] + DocumentForm.allCases.map { page($0, services) }
            + InvoiceAction.allCases.map { action($0, services) }
    }

    private static let list = Endpoint(
        .get, "/v1/invoices", "listInvoices", tag: "Invoices", "List invoices", access: .role(.viewer),
        parameters: [
            .query("account", .id(AccountID.self, "Only of this account.")),
            .mode, .query("state", .choice(InvoiceState.self)),
            .query("number", .text("The one of this number, such as INV-2026-000001.")),
            .query("period", .formatted(.month, "Only of this month, of each account in its zone.")),
        ] + Parameter.page,
        successes: [.json(200, "A page, in the order of their ids.", shape.pageSchema)], problems: [404],
        work: .look { call, session in
            var filter = InvoiceFilter(
                account: call.queryID("account"), state: call.queryChoice("state"), number: call.queryText("number"))
            filter.mode = call.mode(isNamed: filter.account != nil || filter.number != nil)
            filter.month = call.queryText("period").flatMap { CivilMonth($0) }
            let page = try session.invoices(filter, try call.page(InvoiceID.self))
            return .page(page, as: shape) { "\($0.id)" }
        })

    private static let get = Endpoint(
        .get, "/v1/invoices/{invoice}", "getInvoice", tag: "Invoices", "Show an invoice", access: .role(.viewer),
        parameters: [one], successes: [.json(200, "The invoice.", shape.schema)],
        work: .look { call, session in .ok(shape.json(try session.invoice(try call.id("invoice")))) })

    private static let document = Endpoint(
        .get, "/v1/invoices/{invoice}/document", "getInvoiceDocument", tag: "Invoices",
        "Everything that an invoice shows, as JSON",
        description: "The stored bytes: keys sorted, money as strings. Equal invoices are equal bytes.",
        access: .role(.viewer), parameters: [one],
        successes: [.json(200, "The document.", InvoiceDocumentSchema.schema)],
        work: .look { call, session in
            let invoice = try session.invoice(try call.id("invoice"))
            return Answer(status: 200, body: .jsonText(invoice.documentJSON))
        })

    /// The invoice as a page that one would send to a customer.
    private static func page(_ form: DocumentForm, _ services: AdminServices) -> Endpoint {
        Endpoint(
            .get, "/v1/invoices/{invoice}.\(form.rawValue)", "getInvoice\(form.rawValue.uppercased())", tag: "Invoices",
            "An invoice as \(form.rawValue.uppercased())", access: .role(.viewer), parameters: [one],
            successes: [.other(form.mediaType, "The page.")],
            work: .job { call in
                let id: InvoiceID = try call.id("invoice")
                let page = try await services.look(for: call) { try $0.page(of: try $0.invoice(id)) }
                let bytes = try form == .pdf ? page.pdf() : Array(page.html().utf8)
                return form.answer(bytes, name: page.document.number ?? "draft")
            })
    }

    private static func action(_ action: InvoiceAction, _ services: AdminServices) -> Endpoint {
        let summary =
            switch action {
            case .finalize: "Give a draft its number; it never changes after that"
            case .pay: "Mark a finalized invoice as paid"
            case .void: "Declare a finalized invoice not to be owed"
            }
        return Endpoint(
            .post, "/v1/invoices/{invoice}/\(action.rawValue)", "\(action.rawValue)Invoice", tag: "Invoices", summary,
            description: "Doing it twice changes nothing.", access: .role(.billing), parameters: [one],
            successes: [.json(200, "The invoice.", shape.schema)],
            work: .job { call in
                let id: InvoiceID = try call.id("invoice")
                _ = try await services.look(for: call) { try $0.invoice(id) }
                let actions = services.billing.invoiceActions(by: try call.requiredCaller)
                let outcome =
                    switch action {
                    case .finalize: try await actions.finalize(id, now: call.now)
                    case .pay: try await actions.markPaid(id, now: call.now)
                    case .void: try await actions.void(id, now: call.now)
                    }
                return .ok(shape.json(outcome.invoice))
            })
    }
}

/// A document as a page.
enum DocumentForm: String, CaseIterable {
    case html
    case pdf

    var mediaType: String {
        switch self {
        case .html: "text/html"
        case .pdf: "application/pdf"
        }
    }

    func answer(_ bytes: [UInt8], name: String) -> Answer {
        Answer(
            status: 200, body: .bytes(bytes, mediaType: self == .html ? mediaType + "; charset=utf-8" : mediaType),
            headers: [.contentDisposition: "inline; filename=\"\(name).\(rawValue)\""])
    }
}

/// The monthly run.
enum InvoiceRunEndpoints {
    private static let item = Shape<InvoiceRunReport.AccountOutcome>(
        "InvoiceRunItem", "What a run did for one account.",
        [
            .init("account", .id(AccountID.self)) { .string("\($0.accountID)") },
            .init("outcome", .choice(outcomes)) { .string($0.result.word) },
            .init("invoice", .id(InvoiceID.self).nullable) { .optional($0.invoice?.id) },
            .init("number", .text().nullable) { .optional($0.invoice?.number) },
            .init("total", .money().nullable) { .optional($0.total) },
            .init("currency", .text(lengths: 3...3).nullable) { .optional($0.currency) },
            .init("reason", .text("Why there is no final invoice.", lengths: 0...100_000)) {
                .string($0.result.reason)
            },
        ])

    private static let outcomes = [
        "finalized", "draft", "unchanged", "would_invoice", "nothing_to_bill", "waiting", "on_hold", "failed",
        "deleted",
    ]

    static func all(_ services: AdminServices) -> [Endpoint] { [run(services), preview(services)] }

    private static func preview(_ services: AdminServices) -> Endpoint {
        Endpoint(
            .get, "/v1/invoice_previews", "previewInvoice", tag: "Invoices",
            "What an account's invoice of a month would say now",
            description: "Changes nothing, and needs no end of the "
                + "month. The stored document where the invoice is final. `suspended` says how much usage "
                + "waits in suspense and is missing from it, `notes` which draft and which earlier month are not "
                + "final.",
            access: .role(.viewer),
            parameters: [
                .query("account", .id(AccountID.self), isRequired: true),
                .query("period", .formatted(.month, "Local to the account's zone."), isRequired: true),
            ], successes: [.json(200, "The document.", InvoiceDocumentSchema.preview)], problems: [404],
            work: .job { call in
                guard let account: AccountID = call.queryID("account"),
                    let month = call.queryText("period").flatMap({ CivilMonth($0) })
                else { throw Problem.invalid("period", "is missing") }
                let preview = try await services.billing.invoiceActions(by: call.requiredCaller).preview(
                    account: account, month: month)
                guard preview.document != nil else {
                    let waiting = preview.warning.map { "; " + $0 } ?? ""
                    throw Problem.notFound("invoice to preview: nothing is to be billed for \(month)\(waiting)")
                }
                return Answer(status: 200, body: .jsonText(try preview.canonicalJSON()))
            })
    }

    private static func run(_ services: AdminServices) -> Endpoint {
        Endpoint(
            .post, "/v1/invoice_runs", "runInvoices", tag: "Invoices", "Make the invoices of a month",
            description:
                "Running twice changes nothing. An account whose books do not balance is put on hold with a reason, "
                + "and the others go on.",
            access: .role(.billing),
            body: .json(
                [
                    .required("period", .formatted(.month, "The month to invoice.")),
                    .optional(
                        "accounts", .list(.id(AccountID.self), "All of the mode when not said.", countMax: 10_000)),
                    .optional(
                        "mode", .choice(AccountMode.self, "Only of these accounts; live where no accounts are named.")),
                    .optional("dry_run", .boolean("Change nothing, only say what would come out.")),
                ], named: "InvoiceRunInput"),
            successes: [
                .json(
                    200, "What became of each account.",
                    .object(
                        [
                            .required("period", .formatted(.month)), .required("dry_run", .boolean()),
                            .required("data", .list(item.schema, countMax: 1_000_000)),
                        ], named: "InvoiceRun"))
            ], problems: [404],
            work: .job { call in
                guard let period = CivilMonth(try call.body.required("period")) else {
                    throw Problem.invalid("period", "is missing")
                }
                let accounts = call.body["accounts"]?.elements?.compactMap { $0.text.flatMap { AccountID($0) } }
                let isDryRun = call.body["dry_run"]?.truth ?? false
                let mode = call.body["mode"]?.text.flatMap { AccountMode(rawValue: $0) }
                if let accounts {
                    try await services.look(for: call) { session in
                        for account in accounts { _ = try session.account(account) }
                    }
                }
                var options = InvoiceRun.Options(
                    month: period, now: call.now, accounts: accounts,
                    mode: .asked(mode, isNamed: accounts != nil))
                options.isDryRun = isDryRun
                options.graceMilliseconds = services.graceMilliseconds
                let report = try await services.billing.invoiceRun(options, by: call.requiredCaller).run()
                return .ok([
                    "period": .string("\(period)"), "dry_run": .boolean(isDryRun),
                    "data": .array(report.accounts.map(item.json)),
                ])
            })
    }
}

extension InvoiceRunReport.AccountOutcome {
    fileprivate var invoice: InvoiceSummary? {
        switch result {
        case .finalized(let invoice), .drafted(let invoice), .already(let invoice): invoice
        case .wouldInvoice, .nothingToBill, .notClosed, .onHold, .failed, .deleted: nil
        }
    }

    fileprivate var total: String? {
        if case .wouldInvoice(let document) = result { document.totals.total } else { invoice.map { "\($0.total)" } }
    }

    fileprivate var currency: String? {
        if case .wouldInvoice(let document) = result { document.currency } else { invoice?.total.currency.code }
    }
}
