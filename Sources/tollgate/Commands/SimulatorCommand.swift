import ArgumentParser
import EngineSimulator

struct SimulatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulator",
        abstract: "An inference engine that generates nothing of value, at a set speed, and keeps count.",
        discussion: "For demos, tests and benchmarks. Its behaviour is set by POST /simulator/configure."
    )

    @Option(help: "Address to listen on; its control surface is open, so keep it on loopback.")
    var host = "127.0.0.1"

    @Option(help: "Port; 0 takes a free one.")
    var port = 0

    @Option(help: "When given, /v1 asks for this key.")
    var apiKey: String?

    @Option(help: "Threads that serve connections.")
    var threads = 1

    func run() async throws {
        let signals = TerminationSignals()
        let simulator = try await SimulatedEngine.start(
            SimulatedEngine.Configuration(
                host: host, port: port, apiKey: apiKey, models: DemoCatalogue.models, threads: threads))
        print(JSONText.object([("engine", JSONText.string(simulator.url))]))
        flushOutput()
        await signals.wait()
        try await simulator.stop()
    }
}
