import EngineSimulator

/// Runs a test against a simulator of its own.
func withSimulator<Result>(
    _ settings: String = "",
    configuration: SimulatedEngine.Configuration = .init(),
    _ work: (RunningSimulator) async throws -> Result
) async throws -> Result {
    var configuration = configuration
    try configuration.behavior.apply(settings: settings)
    let simulator = try await SimulatedEngine.start(configuration)
    do {
        let result = try await work(simulator)
        try await simulator.stop()
        return result
    } catch {
        try await simulator.stop()
        throw error
    }
}

extension RunningSimulator {
    /// Asks for a chat with a body of the usual members and some more.
    func chat(
        _ more: String = "", id: String = "req_1", settings: String = "", prompt: String = "Count from one to five."
    ) async throws -> RawAnswer {
        let members = more.isEmpty ? "" : ",\(more)"
        return try await RawClient.send(
            port: port, "POST", "/v1/chat/completions",
            headers: ["x-request-id": id, "x-simulator": settings],
            body: #"{"model":"m","messages":[{"role":"user","content":"\#(prompt)"}]\#(members)}"#
        )
    }

    /// The book's only line, once it is closed.
    func onlyLine() async throws -> ServedRequest {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            let lines = requests()
            if lines.count == 1, lines[0].outcome != .running { return lines[0] }
            guard ContinuousClock.now < deadline else { throw BookNotClosed(lines: lines) }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}

struct BookNotClosed: Error {
    let lines: [ServedRequest]
}
