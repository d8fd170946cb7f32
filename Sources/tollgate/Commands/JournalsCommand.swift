import ArgumentParser
import Billing
import Identity
import Storage

struct JournalsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journals", abstract: "The gateways' journals and how far they are ingested.",
        subcommands: [List.self, Damage.self, Release.self, Retire.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the journals.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let journals = try await options.look { try $0.journals() }
            output.print(
                columns: ["journal", "gateway", "epoch", "mark", "ingested through", "oldest open", "retired"],
                rows: journals.map {
                    [
                        "\($0.id)", $0.gateway, "\($0.epoch)", "\($0.mark)",
                        $0.ingestedThrough.map { "\($0)" } ?? "", $0.oldestOpenAt.map { "\($0)" } ?? "",
                        $0.retiredAt.map { "\($0)" } ?? "",
                    ]
                })
        }
    }

    struct Damage: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the places that could not be read: they hold invoices until they are released.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "Only of this journal.") var journal: String?

        func run() async throws {
            let only: JournalID? = try journal.map { try readID($0) }
            let places = try await options.look { try $0.journalDamage(of: only) }
            output.print(
                columns: ["journal", "at", "bytes", "what", "account", "found", "released", "by", "reason"],
                rows: places.map {
                    [
                        "\($0.journalID)", "\($0.mark)", "\($0.length)", $0.reason,
                        $0.accountID.map { "\($0)" } ?? "unknown", "\($0.foundAt)",
                        $0.releasedAt.map { "\($0)" } ?? "", $0.releasedBy ?? "", $0.releaseReason ?? "",
                    ]
                })
        }
    }

    struct Release: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say that someone looked at what could not be read, so that the invoices it holds can be made.")

        @OptionGroup var options: ConfigurationOptions
        @Argument(help: "The journal.") var journal: String
        @Option(help: "The place, segment:byte, as `tollgate journals damage` lists it; repeat for more.")
        var at: [String] = []
        @Flag(help: "All places of the journal.") var all = false
        @Option(help: "What was found; it stays with the journal.") var reason: String

        func run() async throws {
            let id: JournalID = try readID(journal)
            guard all != !at.isEmpty else { throw ValidationError("give --at, or --all") }
            let marks = try at.map { text in
                guard let mark = JournalPosition(text) else {
                    throw ValidationError("--at: '\(text)' is no place such as 3:4096")
                }
                return mark
            }
            let reason = reason
            let places: [JournalPosition?] = marks.isEmpty ? [nil] : marks
            let count = try await options.change { session in
                try places.reduce(0) { count, place in
                    count + (try session.releaseJournalDamage(of: id, at: place, reason: reason))
                }
            }
            print("\(count) places of \(id) are released")
        }
    }

    struct Retire: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give up a journal whose disk is lost, so that periods can close without it.")

        @OptionGroup var options: ConfigurationOptions
        @Argument(help: "The journal.") var journal: String
        @Option(help: "Why; invoice runs repeat it from then on.") var reason: String

        func run() async throws {
            let id: JournalID = try readID(journal)
            let reason = reason
            _ = try await options.change { try $0.retireJournal(id, reason: reason) }
            print("\(id) is retired")
        }
    }
}
