import ArgumentParser
import Postgres

struct RootCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tollgate",
        abstract: "Meters inference, prices it by plan and tier, and issues the invoices.",
        discussion: """
            `tollgate dev` runs everything on this machine over a private database. For production see `tollgate serve`.
            Exit codes: 0 done, 1 done and found something wrong (or failed), 64 called wrongly.
            """,
        version: "tollgate \(ProgramVersion.text)",
        subcommands: [
            DevCommand.self, ServeCommand.self, SimulatorCommand.self, MigrateCommand.self, PlansCommand.self,
            BackendsCommand.self, SecretsCommand.self, AccountsCommand.self, SandboxesCommand.self, TenantsCommand.self,
            KeysCommand.self,
            AdminKeysCommand.self, LimitsCommand.self, SubscriptionsCommand.self, SellerCommand.self,
            UsageCommand.self, SuspenseCommand.self, InvoicesCommand.self, CreditNotesCommand.self,
            ServiceLevelsCommand.self,
            ReconcileCommand.self, AuditCommand.self, JournalsCommand.self, ConfigCommand.self, DoctorCommand.self,
        ]
    )
}

extension RootCommand {
    /// Does what the arguments say, or ends the process with what whoever called can do about it.
    static func runOrExit() async {
        do {
            try await run(try parseAsRoot())
        } catch {
            exit(withError: error)
        }
    }

    private static func run(_ command: any ParsableCommand) async throws {
        do {
            var command = command
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let error as PostgresError where error.isOfMissingSchema {
            say("Error: the database does not have this program's schema: run `tollgate migrate`, then try again")
            throw ExitCode.failure
        } catch let error as ValidationError {
            // Thrown while running: the usage that the parser would add is that of the program as a whole.
            say("Error: \(error)")
            throw ExitCode.validationFailure
        }
    }
}
