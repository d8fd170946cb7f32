import ArgumentParser

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run the parts, for production.",
        discussion: """
            gateway  the inference API with its journal; keeps itself supplied from Postgres and ingests the journal
            ingest   ingests the journal of a gateway that runs beside it (gateway.ingest: apart)
            admin    the admin API
            jobs     posts the ledger and tidies up; invoice runs are started by `tollgate invoices run`
            all      gateway, admin and jobs
            Several parts run in one process: `tollgate serve ingest admin jobs`.
            SIGTERM lets running answers end (gateway.drain_seconds_max) and then stops.
            """)

    enum Part: String, ExpressibleByArgument, CaseIterable {
        case gateway, ingest, admin, jobs, all

        var parts: Set<ProgramRuntime.Part> {
            switch self {
            case .gateway: [.gateway]
            case .ingest: [.ingest]
            case .admin: [.admin]
            case .jobs: [.jobs]
            case .all: [.gateway, .admin, .jobs]
            }
        }
    }

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "gateway, ingest, admin, jobs or all; several to run them in one process.") var parts: [Part]
    @Flag(help: "Print one JSON line when ready, for scripts.") var json = false

    func run() async throws {
        let signals = TerminationSignals()
        let parts = parts.reduce(into: Set<ProgramRuntime.Part>()) { $0.formUnion($1.parts) }
        let program = try await ProgramRuntime.start(try options.load(), parts: parts)
        if json {
            let ports = [("gateway_port", program.gatewayPort), ("admin_port", program.adminPort)]
            print(JSONText.object(ports.compactMap { name, port in port.map { (name, "\($0)") } }))
            flushOutput()
        }
        await signals.wait()
        await program.stop()
    }
}
