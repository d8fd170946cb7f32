import Foundation

/// A program that ran to its end.
public struct ProgramRun: Sendable {
    public let end: ProgramEnd
    /// What it wrote to standard output.
    public let output: String
    /// What it wrote to standard error.
    public let errors: String

    /// Whether it ended with exit code 0.
    public var isSuccess: Bool { end == .exited(0) }

    /// Runs a program to its end; see ``RunningProgram/start(_:environment:directory:name:input:)``.
    public static func run(
        _ command: [String], environment: [String: String] = [:], directory: String, name: String,
        input: String = "/dev/null", within limit: Duration = .seconds(120)
    ) async throws -> ProgramRun {
        let program = try RunningProgram.start(
            command, environment: environment, directory: directory, name: name, input: input)
        let end = try await program.ended(within: limit)
        return ProgramRun(end: end, output: try program.output(), errors: program.errors)
    }

    /// The same run, or an error that shows what it said when it did not succeed.
    public func successful(_ what: String) throws -> ProgramRun {
        guard isSuccess else {
            throw ProgramFailure("\(what): \(end)\n\(output.suffix(4000))\n\(errors.suffix(4000))")
        }
        return self
    }

    /// Standard output read as JSON.
    public func json() throws -> JSONValue { try JSONValue(parsing: output) }
}

/// The built programs and scripts that tests drive.
public enum ProgramFiles {
    /// `tollgate`, beside the running test bundle; `TOLLGATE_BINARY` names another one.
    public static let tollgate: String = {
        let environment = ProcessInfo.processInfo.environment
        if let path = environment["TOLLGATE_BINARY"], !path.isEmpty { return path }
        // `swift test` hands the bundle's path to the process that runs it; the program is in the same directory.
        let candidates = ProcessInfo.processInfo.arguments + ["/proc/self/exe"]
        for candidate in candidates {
            let directory = URL(fileURLWithPath: candidate).resolvingSymlinksInPath().deletingLastPathComponent()
            let path = directory.appendingPathComponent("tollgate").path
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        return "\(repositoryRoot)/.build/debug/tollgate"
    }()

    /// The Python of the project's environment, which has the official clients; `TOLLGATE_PYTHON` names another one.
    public static let python: String = {
        if let path = ProcessInfo.processInfo.environment["TOLLGATE_PYTHON"], !path.isEmpty { return path }
        return "\(repositoryRoot)/.venv/bin/python"
    }()

    /// A client script of the project.
    public static func client(_ name: String) -> String { "\(repositoryRoot)/scripts/clients/\(name)" }
}

/// A directory of one test, with everything in it removed at the end.
public final class TemporaryDirectory: Sendable {
    public let path: String

    /// Makes a directory with a short path that every user may enter, since Postgres may run as another user.
    public init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("tollgate-e2e-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        path = url.resolvingSymlinksInPath().path
    }

    deinit {
        // What cannot be removed stays in the temporary directory; there is nobody to tell.
        if !keepsFiles { try? FileManager.default.removeItem(atPath: path) }
    }

    /// For looking into what a failed test left.
    private var keepsFiles: Bool { ProcessInfo.processInfo.environment["TOLLGATE_KEEP_FILES"] != nil }
}
