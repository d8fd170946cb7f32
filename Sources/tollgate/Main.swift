import ArgumentParser
import Foundation
import Identity

@main
enum Main {
    static func main() async {
        // A closed pipe is an error of one write, never the end of the process.
        signal(SIGPIPE, SIG_IGN)
        CryptographyLibrary.prepare()
        await RootCommand.main()
    }
}

struct RootCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tollgate",
        abstract: "Meters inference, prices it by plan and tier, and issues the invoices.",
        discussion: """
            `tollgate dev` runs everything on this machine over a private database. For production see `tollgate serve`.
            Exit codes: 0 done, 1 done and found something wrong (or failed), 64 called wrongly.
            """,
        subcommands: [
            DevCommand.self, ServeCommand.self, SimulatorCommand.self, MigrateCommand.self, PlansCommand.self,
            BackendsCommand.self, AccountsCommand.self, TenantsCommand.self, KeysCommand.self, AdminKeysCommand.self,
            SubscriptionsCommand.self, SellerCommand.self, UsageCommand.self, InvoicesCommand.self,
            ServiceLevelsCommand.self,
            ReconcileCommand.self, JournalsCommand.self, ConfigCommand.self, DoctorCommand.self,
        ]
    )
}
