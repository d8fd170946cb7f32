import ArgumentParser
import Postgres

struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Bring the database's schema up to this program's.")

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Change nothing: exit 1 when migrations are missing or do not fit.")
    var check = false

    func run() async throws {
        let configuration = try options.load()
        let migrator = Migrator(
            directory: try configuration.migrationsDirectory(),
            configuration: try PostgresConfiguration(url: configuration.required("database.url")))
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
        }
    }
}
