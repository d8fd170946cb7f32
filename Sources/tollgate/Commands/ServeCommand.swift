import ArgumentParser

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run the parts, for production.",
        discussion: """
            gateway  the inference API with its journal; keeps itself supplied from Postgres and ingests the journal
            admin    the admin API
            jobs     posts the ledger and tidies up; invoice runs are started by `tollgate invoices run`
            all      the three in one process
            SIGTERM lets running answers end (gateway.drain_seconds_max) and then stops.
            """)

    enum Part: String, ExpressibleByArgument, CaseIterable {
        case gateway, admin, jobs, all
    }

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "gateway, admin, jobs or all.") var part: Part
    @Flag(help: "Print one JSON line when ready, for scripts.") var json = false

    func run() async throws {
        let signals = TerminationSignals()
        let parts: Set<ProgramRuntime.Part> =
            switch part {
            case .gateway: [.gateway]
            case .admin: [.admin]
            case .jobs: [.jobs]
            case .all: [.gateway, .admin, .jobs]
            }
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
