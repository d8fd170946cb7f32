import ArgumentParser
import Billing
import Documents
import Foundation
import Identity
import Invoicing
import Monetary
import Storage

struct CreditNotesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "credit-notes", abstract: "What is given back of final invoices.",
        subcommands: [List.self, Issue.self, Lines.self, Show.self, Export.self, Refund.self],
        defaultSubcommand: List.self)

    /// A credit note by id or number.
    static func find(_ text: String, options: ConfigurationOptions) async throws -> StoredCreditNote {
        let id = CreditNoteID(text)
        return try await options.look { session in
            let note = try id.map { try session.creditNote($0) } ?? session.creditNote(number: text)
            guard let note else { throw StorageError.notFound("credit note '\(text)' (by id or by number)") }
            return note
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the credit notes.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var page: PageOptions
        @Option(help: "Only this account.") var account: String?
        @OptionGroup var mode: ModeOptions
        @Option(help: "Only those that correct this invoice, by id or number.") var invoice: String?

        func run() async throws {
            let request = try page.request(IDKinds.CreditNote.self)
            var filter = CreditNoteFilter(account: try account.map { try readID($0) })
            if let invoice { filter.invoice = try await InvoicesCommand.find(invoice, options: options).id }
            filter.mode = mode.asked(isNamed: filter != CreditNoteFilter())
            let notes = try await options.look { [filter] in try $0.creditNotes(filter, request) }
            output.print(
                columns: [
                    "credit_note", "number", "account", "invoice", "issued_on", "total", "currency", "settlement",
                    "refunded_at",
                ],
                rows: notes.items.map {
                    [
                        "\($0.id)", $0.number, "\($0.accountID)", "\($0.invoiceID)", "\($0.issuedOn)", "\($0.total)",
                        $0.currency.code, $0.settlement.rawValue, $0.refundedAt.map { "\($0)" } ?? "",
                    ]
                })
            page.sayMore(notes.hasMore, after: notes.items.last?.id)
        }
    }

    struct Lines: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The lines of a final invoice, and what credit notes gave back of each.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The invoice, by id or number.") var invoice: String

        func run() async throws {
            let found = try await InvoicesCommand.find(invoice, options: options)
            let lines = try await options.look { try $0.creditableLines(of: found.id) }
            output.print(
                columns: ["line", "kind", "description", "amount", "credited"],
                rows: lines.map { ["\($0.id)", $0.kind.rawValue, $0.description, "\($0.amount)", "\($0.credited)"] })
        }
    }

    struct Issue: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give back a final invoice, or lines of it.",
            discussion: """
                Without --line it is all that earlier notes left of the invoice. Of an unpaid invoice less is to be \
                paid then; what is given back of a paid one is owed to the customer until `credit-notes refund`. The \
                month stays invoiced: nothing of it is billed again. `credit-notes lines INVOICE` lists the lines.
                """)

        @OptionGroup var options: ConfigurationOptions
        @Argument(help: "The invoice, by id or number.") var invoice: String
        @Option(help: "Why; the customer reads it.") var reason: String
        @Option(help: "A line, or part of it: il_… or il_…=12.50; repeatable.") var line: [String] = []

        func run() async throws {
            let found = try await InvoicesCommand.find(invoice, options: options)
            let scope = try Self.scope(line, found.currency)
            let note = try await options.change { try $0.issueCreditNote(for: found.id, scope, reason: reason) }
            print("\(note.number) gives back \(note.total) \(note.currency) of \(found.number ?? "\(found.id)")")
        }

        private static func scope(_ texts: [String], _ currency: Currency) throws -> CreditNoteScope {
            guard !texts.isEmpty else { return .full }
            var lines: [InvoiceLineID: Money?] = [:]
            for text in texts {
                let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                let id = try readID(parts[0], as: InvoiceLineID.self)
                var amount: Money?
                if parts.count == 2 {
                    do {
                        amount = try Money(parsing: parts[1], currency: currency)
                    } catch {
                        throw ValidationError("--line \(text): \(error)")
                    }
                }
                guard lines.updateValue(amount, forKey: id) == nil else {
                    throw ValidationError("--line names \(id) twice")
                }
            }
            return .lines(lines)
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a credit note by id or number.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The credit note, by id or number.") var note: String

        func run() async throws {
            let found = try await CreditNotesCommand.find(note, options: options)
            print(output.json ? found.documentJSON : Self.text(try found.document()))
        }

        private static func text(_ document: CreditNoteDocument) -> String {
            let title = document.isTest ? "Test credit note" : "Credit note"
            return [
                "\(title) \(document.number) to \(document.customer.name), dated \(document.issuedOn), on invoice "
                    + "\(document.invoice.number) of \(document.invoice.issuedOn)\nreason: \(document.reason)",
                Table(
                    columns: ["description", "invoiced", "exact", "credited"],
                    rows: document.lines.map { [$0.description, $0.invoiced, $0.exactAmount, $0.amount] }
                ).text,
                "total \(document.totals.total) \(document.currency)   (exactly \(document.totals.exactTotal))",
            ].joined(separator: "\n")
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write credit notes as PDF, HTML and JSON files into a directory.")

        @OptionGroup var options: ConfigurationOptions
        @Argument(help: "Credit notes, by id or number.") var notes: [String]
        @Option(help: "The directory; made when it is missing.") var to = "."

        func run() async throws {
            for text in notes {
                let note = try await CreditNotesCommand.find(text, options: options)
                let page = try await options.look { try $0.page(of: note) }
                try DocumentFiles(name: note.number, in: to).write(
                    pdf: page.pdf(), html: page.html(), json: note.documentJSON)
            }
        }
    }

    struct Refund: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say that what a credit note gave back of a paid invoice was paid back.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var reason: ReasonOptions
        @Argument(help: "The credit note, by id or number.") var note: String

        func run() async throws {
            let id = try await CreditNotesCommand.find(note, options: options).id
            let after = try await options.change(reason) { try $0.refundCreditNote(id) }
            print("\(after.number): \(after.total) \(after.currency) is paid back")
        }
    }
}
