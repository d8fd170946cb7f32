import ArgumentParser
import Postgres
import Storage

struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Bring the database's schema up to this program's.")

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Change nothing: exit 1 when migrations are missing or do not fit.")
    var check = false

    @Flag(help: "Then spread the accounts over the nodes of a Citus cluster (docs/scale.md). Again: what is missing.")
    var distributed = false

    func validate() throws {
        guard !check || !distributed else { throw ValidationError("--check changes nothing: leave out --distributed") }
    }

    func run() async throws {
        let configuration = try options.load()
        let database = try PostgresConfiguration(url: configuration.required("database.url"))
        let migrator = Migrator(directory: try configuration.migrationsDirectory(), configuration: database)
        if check {
            let status = try await migrator.check()
            switch status {
            case .current(let version): print("the schema is at version \(version)")
            case .pending(let names):
                print("missing: \(names.joined(separator: ", ")); run `tollgate migrate`")
                throw ExitCode.failure
            }
        } else {
            let applied = try await migrator.migrate { say($0) }
            print(applied.isEmpty ? "the schema is up to date" : "applied \(applied.joined(separator: ", "))")
            if distributed {
                let moved = try await Distribution(configuration: database).run { print($0) }
                print(moved == 0 ? "every table is where it belongs" : "\(moved) tables are spread over the cluster")
            }
        }
    }
}
