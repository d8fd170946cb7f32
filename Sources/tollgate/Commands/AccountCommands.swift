import Accounts
import ArgumentParser
import Billing
import Identity
import Monetary
import Storage

struct AccountsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accounts",
        abstract: "Billing accounts: who gets the invoice.",
        subcommands: [List.self, Create.self, Clock.self, Unpark.self],
        defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the accounts.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var page: PageOptions
        @Option(help: "Only live or only test accounts; default: both.", transform: readMode) var mode: AccountMode?

        func run() async throws {
            let (request, mode) = (try page.request(IDKinds.Account.self), mode)
            let accounts = try await options.look { try $0.accounts(mode: mode, request) }
            output.print(
                columns: [
                    "account", "name", "mode", "currency", "time zone", "sandbox", "clock ahead ms", "on hold",
                ],
                rows: accounts.items.map {
                    [
                        "\($0.id)", $0.name, $0.mode.rawValue, $0.currency.code, $0.calendar.zoneName,
                        $0.sandboxID.map { "\($0)" } ?? "", "\($0.clockOffsetMilliseconds)", $0.holdReason ?? "",
                    ]
                })
            page.sayMore(accounts.hasMore, after: accounts.items.last?.id)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Open an account.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions

        @OptionGroup var reason: ReasonOptions

        @Argument(help: "Its name.") var name: String
        @Option(help: "ISO 4217 code.") var currency = "USD"
        @Option(help: "IANA time zone that its months and days follow.") var timeZone = "UTC"
        @Option(help: "The legal name on the invoice.") var legalName = ""
        @Option(help: "A line of the address; repeat for more.") var address: [String] = []
        @Option(help: "Tax id on the invoice.") var taxID = ""
        @Option(help: "Where invoices go.") var email = ""
        @Option(
            help: """
                live, or test: a clock that can be moved, and invoices that nobody owes. It never changes. Default: \
                live, or test under `tollgate dev`.
                """,
            transform: readMode)
        var mode: AccountMode?
        @Option(help: "Whose clock a test account has; default: one of its own.") var sandbox: String?

        func run() async throws {
            let (name, currency, mode) = (name, try Currency(code: currency), mode)
            let sandboxID: SandboxID? = try sandbox.map { try readID($0) }
            let calendar = try BillingCalendar(zoneName: timeZone)
            let billing = BillingDetails(legalName: legalName, address: address, taxID: taxID, email: email)
            let account = try await options.change(reason) {
                try $0.openAccount(
                    name: name, currency: currency, calendar: calendar, billing: billing, mode: mode,
                    joining: sandboxID)
            }
            output.print(
                fields: [("account", "\(account.id)"), ("mode", account.mode.rawValue)]
                    + (account.sandboxID.map { [("sandbox", "\($0)")] } ?? []))
        }
    }

    struct Clock: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Move a test account's clock on; it never goes back.",
            discussion: "Accounts that share a clock move with their sandbox: `tollgate sandboxes clock`.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var reason: ReasonOptions

        @Argument(help: "The account.") var account: String
        @Option(help: "The instant, RFC 3339.") var to: String

        func run() async throws {
            let id: AccountID = try readID(account)
            let instant = try readInstant(to)
            let moved = try await options.change(reason) { try $0.advanceClock(of: id, to: instant) }
            output.print(fields: [("account", "\(id)"), ("billing time", "\(moved.billingTime(at: now()))")])
        }
    }

    struct Unpark: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take an account back into the invoice run once its books are in order.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var reason: ReasonOptions

        @Argument(help: "The account.") var account: String

        func run() async throws {
            let id: AccountID = try readID(account)
            _ = try await options.change(reason) { try $0.resumeAccount(id) }
            print("\(id) takes part in the next run")
        }
    }
}

/// A page of a listing.
struct PageOptions: ParsableArguments {
    @Option(help: "Items at most, up to 1000.") var limit = PageRequest.limitDefault
    @Option(help: "Begin after this id.") var after: String?

    func validate() throws {
        guard (1...PageRequest.limitMax).contains(limit) else {
            throw ValidationError("--limit is 1 to \(PageRequest.limitMax)")
        }
    }

    func request<Kind: IDKind>(_ kind: Kind.Type) throws -> PageRequest {
        PageRequest(limit: limit, after: try after.map { try readID($0, as: TypedID<Kind>.self).uuid })
    }

    func sayMore(_ hasMore: Bool, after id: (some CustomStringConvertible)?) {
        if hasMore, let id { say("more: --after \(id)") }
    }
}
