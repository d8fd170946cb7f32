import Glibc
import TestSupport

/// Load by the official client: requests that go on whatever happens to the gateway, each with what its client saw.
struct Load {
    private let program: RunningProgram
    private let observationsPath: String

    /// Starts it; `options` are further ones of scripts/clients/load.py.
    static func start(
        _ installation: Installation, keys: [String], seed: UInt64, options: [String] = []
    ) throws -> Load {
        let path = "\(installation.files.path)/observations-\(seed).jsonl"
        let command = [
            ProgramFiles.python, ProgramFiles.client("load.py"), "--gateway", installation.gatewayURL,
            "--output", path, "--seed", "\(seed)", "--drain", "20", "--timeout", "30",
        ]
        let program = try RunningProgram.start(
            command + keys.flatMap { ["--key", $0] } + options, directory: installation.files.path, name: "load")
        return Load(program: program, observationsPath: path)
    }

    /// What was seen so far.
    func observations() throws -> [Observation] {
        guard access(observationsPath, F_OK) == 0 else { return [] }
        // The last line may be half written.
        let lines = try readText(observationsPath).split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        return try lines.map { try JSONValue(parsing: $0) }.filter(\.summary.isNull).map { try Observation($0) }
    }

    /// Waits until so many answers more were seen complete.
    func completes(_ count: Int, within limit: Duration = .seconds(120)) async throws {
        let before = try observations().count(where: \.isComplete)
        let deadline = ContinuousClock.now + limit
        while try observations().count(where: \.isComplete) < before + count {
            guard program.end == nil else { throw ProgramFailure("the load ended: \(program.errors)") }
            guard ContinuousClock.now < deadline else {
                throw ProgramFailure("no \(count) answers within \(limit): \(try observations().suffix(5))")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Sends nothing new, lets what runs come to its end, and returns everything that was seen.
    func stop() async throws -> [Observation] {
        program.send(SIGTERM)
        guard try await program.ended(within: .seconds(60)) == .exited(0) else {
            throw ProgramFailure("the load failed: \(program.errors)")
        }
        return try observations()
    }
}

/// What a client saw of one request (scripts/clients/observing.py).
struct Observation: Sendable {
    let requestID: String?
    let outcome: String
    /// The whole plain answer, or a stream's `[DONE]`.
    let isComplete: Bool
    let isStreamed: Bool
    let client: String
    let kind: String
    /// As it was asked for; nil when it was not.
    let tier: String?
    let textChunks: Int64
    let promptTokens: Int64?
    let completionTokens: Int64?
    let error: String?

    init(_ json: JSONValue) throws {
        requestID = json.request_id.string
        outcome = try json.text("outcome")
        isComplete = json.complete.bool == true
        client = json.client.string ?? ""
        kind = json.kind.string ?? ""
        tier = json.tier.string
        isStreamed = json.streamed.bool ?? (kind.contains("stream") || kind == "leaves" || kind == "fails_midway")
        textChunks = try json.number("text_chunks")
        promptTokens = json.usage.prompt_tokens.integer
        completionTokens = json.usage.completion_tokens.integer
        error = json.error.string
    }
}
