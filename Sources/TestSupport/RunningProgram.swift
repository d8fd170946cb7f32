import Foundation
public import Glibc
import Synchronization

/// A program that a test has started: a process group of its own, with its output in files.
///
/// Whatever is still running when the test process ends is killed.
public final class RunningProgram: Sendable {
    /// The process, which leads the group of the same number.
    public let id: pid_t
    /// What it wrote to standard output so far.
    public let outputPath: String
    /// What it wrote to standard error so far.
    public let errorPath: String
    private let status = Mutex<ProgramEnd?>(nil)

    private init(id: pid_t, outputPath: String, errorPath: String) {
        self.id = id
        self.outputPath = outputPath
        self.errorPath = errorPath
    }

    deinit {
        guard status.withLock({ $0 }) == nil else { return }
        kill(-id, SIGKILL)
        _ = reap(blocking: true)
    }

    /// Starts a program.
    /// - Parameters:
    ///   - command: the program, looked for along `PATH`, and its arguments.
    ///   - environment: added to this process's own, of which variables that configure the program are left out.
    ///   - directory: where its output is kept, in `NAME.out` and `NAME.err`.
    ///   - input: a file for its standard input.
    public static func start(
        _ command: [String], environment: [String: String] = [:], directory: String, name: String,
        input: String = "/dev/null"
    ) throws -> RunningProgram {
        let number = startedCount.add(1, ordering: .relaxed).newValue
        let files = (out: "\(directory)/\(name)-\(number).out", err: "\(directory)/\(name)-\(number).err")
        let id = try spawn(command, environment: environment, input: input, output: files.out, errors: files.err)
        noteStarted(id)
        return RunningProgram(id: id, outputPath: files.out, errorPath: files.err)
    }

    /// Sends a signal to the process, not to its group.
    public func send(_ signal: Int32) {
        if end == nil { kill(id, signal) }
    }

    /// How it ended; nil while it runs.
    public var end: ProgramEnd? {
        reap(blocking: false)
    }

    /// Waits until it has ended.
    /// - Throws: ``ProgramFailure`` when it still runs after `limit`; it is not killed by that.
    @discardableResult
    public func ended(within limit: Duration = .seconds(60)) async throws -> ProgramEnd {
        let deadline = ContinuousClock.now + limit
        while true {
            if let end { return end }
            guard ContinuousClock.now < deadline else { throw failure("has not ended within \(limit)") }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// The first line that it writes to standard output.
    /// - Throws: ``ProgramFailure`` when it ends before, or takes longer than `limit`.
    public func firstLine(within limit: Duration = .seconds(60)) async throws -> String {
        let deadline = ContinuousClock.now + limit
        while true {
            let hasEnded = end != nil
            let output = try output()
            if let newline = output.firstIndex(of: "\n") { return String(output[..<newline]) }
            if hasEnded { throw failure("ended without a word on standard output") }
            guard ContinuousClock.now < deadline else { throw failure("said nothing within \(limit)") }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Standard output so far.
    public func output() throws -> String { try readText(outputPath) }

    /// Standard error so far: for messages, so it never throws.
    public var errors: String { (try? readText(errorPath)) ?? "" }

    private func failure(_ words: String) -> ProgramFailure {
        let ending = end.map { " (\($0))" } ?? ""
        return ProgramFailure("process \(id) \(words)\(ending); standard error: \(errors.suffix(4000))")
    }

    @discardableResult
    private func reap(blocking: Bool) -> ProgramEnd? {
        status.withLock { status in
            if status != nil { return status }
            var raw: Int32 = 0
            let waited = waitpid(id, &raw, blocking ? 0 : WNOHANG)
            guard waited == id else { return nil }
            status = ProgramEnd(waitStatus: raw)
            noteEnded(id)
            return status
        }
    }
}

/// How a process ended.
public enum ProgramEnd: Hashable, Sendable, CustomStringConvertible {
    case exited(Int32)
    case killed(signal: Int32)

    init(waitStatus: Int32) {
        let signal = waitStatus & 0x7F
        self = signal == 0 ? .exited((waitStatus >> 8) & 0xFF) : .killed(signal: signal)
    }

    public var description: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .killed(let signal): "killed by signal \(signal)"
        }
    }
}

/// A program did not do what the test needs of it.
public struct ProgramFailure: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}

/// The text of a file, however its bytes are.
public func readText(_ path: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
}

// MARK: - What is running

private let startedCount = Atomic<Int>(0)

/// Groups to kill when the test process ends.
private let runningGroups = Mutex<Set<pid_t>>([])
private let killsAtExit = Mutex(false)

private func noteStarted(_ id: pid_t) {
    runningGroups.withLock { _ = $0.insert(id) }
    killsAtExit.withLock { isSet in
        if !isSet { atexit { runningGroups.withLock { $0.forEach { kill(-$0, SIGKILL) } } } }
        isSet = true
    }
}

private func noteEnded(_ id: pid_t) {
    runningGroups.withLock { _ = $0.remove(id) }
}

private func spawn(
    _ command: [String], environment: [String: String], input: String, output: String, errors: String
) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    for descriptor in openDescriptors() { posix_spawn_file_actions_addclose(&actions, descriptor) }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setpgroup(&attributes, 0)
    let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
    posix_spawnattr_setflags(&attributes, Int16(flags))

    // `TOLLGATE_TEST_RUN` is the mark by which the house looks for processes left behind.
    let inherited = ProcessInfo.processInfo.environment.filter {
        !$0.key.hasPrefix("TOLLGATE_") || $0.key == "TOLLGATE_TEST_RUN"
    }
    let variables = inherited.merging(environment) { $1 }.map { strdup("\($0.key)=\($0.value)") } + [nil]
    let arguments = command.map { strdup($0) } + [nil]
    defer { (variables + arguments).forEach { free($0) } }
    var id = pid_t()
    let failure = posix_spawnp(&id, command[0], &actions, &attributes, arguments, variables)
    guard failure == 0 else { throw ProgramFailure("cannot run \(command[0]): \(String(cString: strerror(failure)))") }
    return id
}

/// Descriptors beside the standard ones: a child must not keep what someone opened without O_CLOEXEC.
private func openDescriptors() -> [Int32] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return names.compactMap { Int32($0) }.filter { $0 > 2 }
}
