import TestSupport

/// The engine simulator as a process of its own, and the book that it keeps.
struct EngineSimulator: Sendable {
    /// What it serves, as `pricing-plans` price it.
    static let models = ["sim-small", "sim-large", "sim-embed"]

    let program: RunningProgram
    let url: String

    static func start(directory: String) async throws -> EngineSimulator {
        let program = try RunningProgram.start(
            [ProgramFiles.tollgate, "simulator", "--port", "0"], directory: directory, name: "simulator")
        let ready = try JSONValue(parsing: try await program.firstLine())
        return EngineSimulator(program: program, url: try ready.text("engine"))
    }

    /// Changes its settings from now on.
    func configure(_ json: String) throws {
        let answer = try HTTPCall.post("\(url)/simulator/configure", json: json).send()
        guard answer.status == 200 else { throw ProgramFailure("configure: \(answer.status) \(answer.body)") }
    }

    /// All lines of its book, once no request is running any more: it may notice a client's leaving a moment later.
    func book() async throws -> [BookLine] {
        let deadline = ContinuousClock.now + .seconds(120)
        while true {
            let lines = try readBook()
            if !lines.contains(where: { $0.outcome == "running" }) { return lines }
            guard ContinuousClock.now < deadline else { throw ProgramFailure("the simulator still serves a request") }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private func readBook() throws -> [BookLine] {
        var lines: [BookLine] = []
        var after: Int64 = 0
        while true {
            let page = try HTTPCall.get("\(url)/simulator/requests?after=\(after)&limit=1000").send().json()
            lines += try page.data.array.map { try BookLine($0) }
            guard page.has_more.bool == true else { return lines }
            after = try page.number("next_after")
        }
    }
}

/// What the simulator says of one request that reached it (docs/simulator.md).
struct BookLine: Sendable {
    let requestID: String
    let outcome: String
    let status: Int64
    let model: String
    let operation: String
    let promptTokens: Int64
    let cachedTokens: Int64
    let cacheWriteTokens: Int64
    let tokensProduced: Int64
    let tokensSent: Int64
    let tierServed: String?
    let isStream: Bool
    let startedMilliseconds: Int64
    let firstTokenMilliseconds: Int64

    init(_ json: JSONValue) throws {
        requestID = json.request_id.string ?? ""
        outcome = try json.text("outcome")
        status = try json.number("status")
        model = json.model.string ?? ""
        operation = json.operation.string ?? ""
        promptTokens = try json.number("prompt_tokens")
        cachedTokens = try json.number("cached_tokens")
        cacheWriteTokens = try json.number("cache_write_tokens")
        tokensProduced = try json.number("completion_tokens_produced")
        tokensSent = try json.number("completion_tokens_sent")
        tierServed = json.tier_served.string
        isStream = json.streamed.bool ?? false
        startedMilliseconds = try json.number("started_ms")
        firstTokenMilliseconds = try json.number("first_token_ms")
    }
}
