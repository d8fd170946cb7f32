import Accounts
import ArgumentParser
import Billing
import Documents
import Foundation
import Identity
import Invoicing
import Monetary
import Storage

struct InvoicesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invoices", abstract: "The monthly job and its results.",
        subcommands: [
            List.self, InvoiceRunCommand.self, Preview.self, Finalize.self, Show.self, Export.self, Pay.self,
            VoidInvoice.self,
        ],
        defaultSubcommand: List.self)

    /// A calendar month of an argument.
    static func month(_ text: String) throws -> CivilMonth {
        guard let month = CivilMonth(text) else {
            throw ValidationError("'\(text)' is not a month such as 2026-11, from 1970 on")
        }
        return month
    }

    /// An invoice by id or number.
    static func find(_ text: String, options: ConfigurationOptions) async throws -> StoredInvoice {
        let id = InvoiceID(text)
        return try await options.look { session in
            let invoice = try id.map { try session.invoice($0) } ?? session.invoice(number: text)
            guard let invoice else { throw StorageError.notFound("invoice '\(text)' (by id or by number)") }
            return invoice
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the invoices.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var page: PageOptions
        @Option(help: "Only this account.") var account: String?
        @OptionGroup var mode: ModeOptions
        @Option(help: "Only this calendar month, such as 2026-11, of each account in its own zone.")
        var period: String?

        func run() async throws {
            let request = try page.request(IDKinds.Invoice.self)
            var filter = InvoiceFilter(account: try account.map { try readID($0) })
            filter.mode = mode.asked(isNamed: account != nil)
            filter.month = try period.map { try InvoicesCommand.month($0) }
            let invoices = try await options.look { [filter] in try $0.invoices(filter, request) }
            output.print(
                columns: [
                    "invoice", "number", "account", "mode", "from", "to", "state", "total", "credited", "due",
                    "currency",
                ],
                rows: try invoices.items.map {
                    [
                        "\($0.id)", $0.number ?? "", "\($0.accountID)", $0.mode.rawValue, "\($0.period.start)",
                        "\($0.period.end)", $0.state.rawValue, "\($0.total)", "\($0.credited)",
                        "\(try $0.amountDue())", $0.currency.code,
                    ]
                })
            page.sayMore(invoices.hasMore, after: invoices.items.last?.id)
        }
    }

    /// Brings an invoice into a state, and says whether it was there already.
    private static func change(
        _ invoice: String, to state: String, options: ConfigurationOptions, _ reason: ReasonOptions,
        _ action: @Sendable (InvoiceActions, InvoiceID) async throws -> InvoiceActions.Outcome
    ) async throws {
        let id = try await find(invoice, options: options).id
        let actor = Actor.here.because(reason.reason)
        let outcome = try await options.withBilling { try await action($0.invoiceActions(by: actor), id) }
        print("\(outcome.invoice.number ?? "\(id)") is \(outcome.changed ? "" : "already ")\(state)")
    }

    struct Preview: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What an account's invoice of a month would say now; stores nothing.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "The account.") var account: String
        @Option(help: "The calendar month, such as 2026-11.") var period: String

        func run() async throws {
            let (id, month) = (try readID(account, as: AccountID.self), try InvoicesCommand.month(period))
            let preview = try await options.withBilling { billing in
                try await billing.invoiceActions(by: .here).preview(account: id, month: month)
            }
            if let document = preview.document {
                print(output.json ? try preview.canonicalJSON() : InvoiceText(document: document).text)
            } else {
                print("nothing to bill")
            }
            if !output.json { for note in preview.notes { say(note) } }
            if let warning = preview.warning { say("\(warning): `tollgate suspense list --account \(id)`") }
        }
    }

    struct Finalize: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make one draft final.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var reason: ReasonOptions
        @Argument(help: "The invoice, by id or number.") var invoice: String

        func run() async throws {
            try await InvoicesCommand.change(invoice, to: "final", options: options, reason) { actions, id in
                try await actions.finalize(id, now: now())
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show an invoice by id or number.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The invoice, by id or number.") var invoice: String

        func run() async throws {
            let found = try await InvoicesCommand.find(invoice, options: options)
            print(output.json ? found.documentJSON : InvoiceText(document: try found.document()).text)
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write invoices as PDF, HTML and JSON files into a directory.")

        @OptionGroup var options: ConfigurationOptions
        @Argument(help: "Invoices, by id or number.") var invoices: [String]
        @Option(help: "The directory; made when it is missing.") var to = "."

        func run() async throws {
            for text in invoices {
                let invoice = try await InvoicesCommand.find(text, options: options)
                let page = try await options.look { try $0.page(of: invoice) }
                try DocumentFiles(name: invoice.number ?? "\(invoice.id)", in: to).write(
                    pdf: page.pdf(), html: page.html(), json: invoice.documentJSON)
            }
        }
    }

    struct Pay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Say that an invoice was paid in full.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var reason: ReasonOptions
        @Argument(help: "The invoice, by id or number.") var invoice: String

        func run() async throws {
            try await InvoicesCommand.change(invoice, to: "paid", options: options, reason) { actions, id in
                try await actions.markPaid(id, now: now())
            }
        }
    }

    struct VoidInvoice: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "void",
            abstract: "Declare a final invoice not to be owed; its number stays.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var reason: ReasonOptions
        @Argument(help: "The invoice, by id or number.") var invoice: String

        func run() async throws {
            try await InvoicesCommand.change(invoice, to: "void", options: options, reason) { actions, id in
                try await actions.void(id, now: now())
            }
        }
    }
}

/// A document's files in a directory, which is made when it is missing.
struct DocumentFiles {
    let name: String
    let directory: String

    init(name: String, in directory: String) {
        self.name = name
        self.directory = directory
    }

    func write(pdf: [UInt8], html: String, json: String) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let base = "\(directory)/\(name)"
        try Data(pdf).write(to: URL(fileURLWithPath: base + ".pdf"))
        try Data(html.utf8).write(to: URL(fileURLWithPath: base + ".html"))
        try Data(json.utf8).write(to: URL(fileURLWithPath: base + ".json"))
        print("\(base).pdf")
    }
}
