import Accounts
import ArgumentParser
import Billing
import Identity
import Storage

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Who changed what, and whether the trail of it is whole.",
        subcommands: [List.self, Verify.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the changes, the first one first.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var page: PageOptions
        @Option(help: "Only of this account, or `seller` for what belongs to none.") var chain: String?
        @Option(help: "Only about this id or name.") var subject: String?
        @Option(help: "Only what happened so, such as api_key.rotated.") var action: String?
        @Option(help: "Only by this admin key, user or job.") var actor: String?

        func run() async throws {
            let filter = AuditStorage.Filter(
                chain: try chain.map(AuditCommand.readChain), subject: subject, action: action, actor: actor)
            let request = try page.request(IDKinds.AuditEntry.self)
            let entries = try await options.look { try $0.auditEntries(filter, request) }
            if output.json {
                print("[" + entries.items.map(AuditCommand.json).joined(separator: ",") + "]")
            } else {
                output.print(
                    columns: ["at", "chain", "number", "by", "from", "what", "of", "reason"],
                    rows: entries.items.map {
                        [
                            "\($0.recordedAt)", "\($0.chain)", "\($0.number)", "\($0.principal)", $0.principal.origin,
                            $0.action, $0.subject, $0.reason,
                        ]
                    })
            }
            page.sayMore(entries.hasMore, after: entries.items.last?.id)
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Follow each chain to its end; exit 1 where an entry was changed, removed or put elsewhere.",
            discussion: """
                With --json it prints the newest digest of each chain. Kept elsewhere, it also shows later whether a \
                chain was written anew as a whole.
                """)

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "Only the chain of this account, or `seller`.") var chain: String?

        func run() async throws {
            let only = try chain.map(AuditCommand.readChain)
            let report = try await options.look { try $0.verifyAuditTrail(only) }
            if output.json {
                print(AuditCommand.json(report))
            } else {
                for fault in report.faults { print("\(fault)") }
                let verdict = report.faults.isEmpty ? "whole" : "\(report.faults.count) faults"
                print("\(report.entryCount) entries in \(report.chains.count) chains: \(verdict)")
            }
            if !report.faults.isEmpty { throw ExitCode.failure }
        }
    }

    private static func readChain(_ text: String) throws -> AuditChain {
        guard let chain = AuditChain(text) else {
            throw ValidationError("--chain: '\(text)' is neither the id of an account nor 'seller'")
        }
        return chain
    }

    private static func json(_ entry: AuditEntry) -> String {
        let principal = entry.principal
        let actor = [
            ("kind", principal.kind.rawValue), ("id", principal.id), ("name", principal.name),
            ("from", principal.origin),
        ]
        return JSONText.object([
            ("id", JSONText.string("\(entry.id)")), ("chain", JSONText.string("\(entry.chain)")),
            ("number", "\(entry.number)"), ("recorded_at", JSONText.string("\(entry.recordedAt)")),
            ("action", JSONText.string(entry.action)), ("subject", JSONText.string(entry.subject)),
            ("actor", JSONText.object(actor.map { ($0.0, JSONText.string($0.1)) })),
            ("before", entry.before ?? "null"), ("after", entry.after ?? "null"),
            ("reason", JSONText.string(entry.reason)),
            ("previous_sha256", JSONText.string(entry.previous.hexadecimal)),
            ("sha256", JSONText.string(entry.digest.hexadecimal)),
        ])
    }

    private static func json(_ report: AuditReport) -> String {
        let chains = report.chains.map {
            JSONText.object([
                ("chain", JSONText.string("\($0.chain)")), ("number", "\($0.head.number)"),
                ("sha256", JSONText.string($0.head.digest.hexadecimal)),
            ])
        }
        let faults = report.faults.map {
            JSONText.object([
                ("chain", JSONText.string("\($0.chain)")), ("number", "\($0.number)"),
                ("message", JSONText.string($0.message)),
            ])
        }
        return JSONText.object([
            ("entries", "\(report.entryCount)"), ("chains", "[" + chains.joined(separator: ",") + "]"),
            ("faults", "[" + faults.joined(separator: ",") + "]"),
        ])
    }
}
