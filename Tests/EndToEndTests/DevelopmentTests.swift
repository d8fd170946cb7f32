import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEndTests {
    /// `tollgate dev`, as a newcomer runs it.
    @Suite struct DevelopmentTests {
        @Test func `the official client works unchanged against dev, which leaves nothing behind`() async throws {
            let files = try TemporaryDirectory()
            let dev = try await Development.start(in: files)
            let conformance = try await ProgramRun.run(
                [ProgramFiles.python, ProgramFiles.client("conformance_openai.py")],
                environment: [
                    "TOLLGATE_GATEWAY_URL": dev.gateway, "TOLLGATE_KEY": dev.key,
                    "TOLLGATE_EMBEDDING_MODEL": "sim-embed",
                ],
                directory: files.path, name: "conformance")
            #expect(conformance.isSuccess, "\(conformance.output) \(conformance.errors)")

            let sockets = dev.sockets()
            #expect(!sockets.isEmpty, "dev's Postgres has a socket while it runs")
            #expect(dev.processes().count > 1, "dev's Postgres is a process of its own")
            dev.program.send(SIGTERM)
            #expect(try await dev.program.ended() == .exited(0), "\(dev.program.errors)")
            try await dev.leavesNothing()
            #expect(dev.sockets() == [])
        }

        @Test func `dev keeps its data and its keys from one start to the next`() async throws {
            let files = try TemporaryDirectory()
            let first = try await Development.start(in: files)
            #expect(try first.chat() == 200)
            first.program.send(SIGTERM)
            try await first.program.ended()
            let second = try await Development.start(in: files)
            #expect(second.key == first.key)
            #expect(try second.chat() == 200)
            second.program.send(SIGTERM)
            #expect(try await second.program.ended() == .exited(0))
            try await second.leavesNothing()
        }

        @Test func `a killed dev takes its Postgres with it`() async throws {
            let files = try TemporaryDirectory()
            let dev = try await Development.start(in: files)
            #expect(try dev.chat() == 200)
            dev.program.send(SIGKILL)
            #expect(try await dev.program.ended() == .killed(signal: SIGKILL))
            try await dev.leavesNothing()
        }
    }
}

/// A running `tollgate dev` and what it announced.
private struct Development {
    private static let markName = "END_TO_END_MARK"

    let program: RunningProgram
    let gateway: String
    let key: String
    private let databaseURL: String
    /// In the environment of everything that descends from it.
    private let mark: String

    static func start(in files: TemporaryDirectory) async throws -> Development {
        let mark = UUID().uuidString
        let program = try RunningProgram.start(
            [ProgramFiles.tollgate, "dev", "--json", "--data", "\(files.path)/dev"],
            environment: [markName: mark], directory: files.path, name: "dev")
        let ready = try JSONValue(parsing: try await program.firstLine())
        return Development(
            program: program, gateway: try ready.text("gateway"), key: try ready.text("demo_key"),
            databaseURL: try ready.text("database_url"), mark: mark)
    }

    /// Sends one chat and returns the status.
    func chat() throws -> Int {
        let body = #"{"model":"sim-small","messages":[{"role":"user","content":"Hello"}],"max_tokens":4}"#
        return try HTTPCall.post("\(gateway)/v1/chat/completions", key: key, json: body).send().status
    }

    /// The files in the directory of Postgres' socket that the announced URL names.
    func sockets() -> [String] {
        let items = URLComponents(string: databaseURL)?.queryItems ?? []
        guard let directory = items.first(where: { $0.name == "host" })?.value else { return [] }
        return (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    }

    /// Living processes that descend from it, itself included.
    func processes() -> [String] {
        let wanted = Data("\(Self.markName)=\(mark)".utf8)
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.filter { entry in
            guard Int(entry) != nil, let environment = FileManager.default.contents(atPath: "/proc/\(entry)/environ")
            else { return false }
            return environment.range(of: wanted) != nil
        }
    }

    /// Postgres needs a moment to shut down after the process that it belongs to is gone.
    func leavesNothing() async throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while true {
            let left = processes()
            if left.isEmpty { return }
            guard ContinuousClock.now < deadline else { throw ProgramFailure("still running: \(left)") }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}
