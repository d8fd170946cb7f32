import Accounts
import ArgumentParser
import Billing
import Foundation
import Identity
import Storage

/// A mode as an argument.
func readMode(_ text: String) throws -> AccountMode {
    guard let mode = AccountMode(rawValue: text) else { throw ValidationError("'\(text)' is neither live nor test") }
    return mode
}

/// Which accounts a command across accounts is about.
struct ModeOptions: ParsableArguments {
    @Option(
        help: "live or test accounts; default: live, or whatever the accounts are that are named.", transform: readMode)
    var mode: AccountMode?

    func asked(isNamed: Bool) -> AccountMode? { .asked(mode, isNamed: isNamed) }
}

struct SandboxesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sandboxes", abstract: "Test accounts that share a clock.",
        discussion: "A test account that joined none when it was opened is one of its own.",
        subcommands: [List.self, Create.self, Clock.self, Moves.self, Delete.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the sandboxes.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var page: PageOptions

        func run() async throws {
            let request = try page.request(IDKinds.Sandbox.self)
            let (sandboxes, counts) = try await options.look { session in
                let page = try session.sandboxes(request)
                return (page, try page.items.map { try session.accounts(of: $0.id).count })
            }
            let time = now()
            output.print(
                columns: ["sandbox", "name", "accounts", "billing time", "clock ahead ms", "deleted at"],
                rows: zip(sandboxes.items, counts).map { sandbox, count in
                    [
                        "\(sandbox.id)", sandbox.name, "\(count)", "\(sandbox.billingTime(at: time))",
                        "\(sandbox.clock.offsetMilliseconds)", sandbox.deletedAt.map { "\($0)" } ?? "",
                    ]
                })
            page.sayMore(sandboxes.hasMore, after: sandboxes.items.last?.id)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a sandbox; accounts join it when they are opened: accounts create --sandbox.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var reason: ReasonOptions
        @Argument(help: "Its name.") var name: String

        func run() async throws {
            let name = name
            let sandbox = try await options.change(reason) { try $0.createSandbox(name: name) }
            output.print(fields: [("sandbox", "\(sandbox.id)")])
        }
    }

    struct Clock: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Move the clock of all its accounts on, together; it never goes back.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var reason: ReasonOptions
        @Argument(help: "The sandbox.") var sandbox: String
        @Option(help: "The instant, RFC 3339.") var to: String

        func run() async throws {
            let id: SandboxID = try readID(sandbox)
            let instant = try readInstant(to)
            let moved = try await options.change(reason) { try $0.advanceClock(of: id, .to(instant)) }
            output.print(fields: [("sandbox", "\(id)"), ("billing time", "\(moved.billingTime(at: now()))")])
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a sandbox with all of its accounts and what they had.",
            discussion: """
                Keys, usage, books and documents of its test accounts go, and what still comes in of them is \
                dropped; the audit trail stays. It cannot be undone. A command that was cut short goes on when it is \
                given again; so do the jobs.
                """)

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var reason: ReasonOptions
        @Argument(help: "The sandbox.") var sandbox: String

        func run() async throws {
            let id: SandboxID = try readID(sandbox)
            let deleted = try await options.change(reason) { try $0.deleteSandbox(id) }
            let isWatched = isatty(STDERR_FILENO) == 1
            let removal = try await options.withBilling { billing in
                try await billing.removeDeletedAccounts(of: id) { done, total in
                    if isWatched { say("\(done) of \(total) accounts") }
                }
            }
            let accounts = try await options.look { try $0.tombstones(of: id) }
            output.print(
                fields: [
                    ("sandbox", "\(id)"), ("deleted at", deleted.deletedAt.map { "\($0)" } ?? ""),
                    ("accounts", "\(accounts.count)"),
                    ("requests dropped since", "\(accounts.reduce(0) { $0 + $1.droppedRequests })"),
                ])
            for failure in removal.failures { say("account \(failure.account): \(failure.reason)") }
            if !removal.failures.isEmpty { throw ExitCode.failure }
        }
    }

    struct Moves: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the moves of its clock.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The sandbox.") var sandbox: String

        func run() async throws {
            let id: SandboxID = try readID(sandbox)
            let moves = try await options.look { try $0.clockMoves(of: id) }
            output.print(
                columns: ["number", "moved at", "from", "to", "moved by"],
                rows: moves.map { ["\($0.number)", "\($0.movedAt)", "\($0.from)", "\($0.to)", $0.movedBy] })
        }
    }
}
