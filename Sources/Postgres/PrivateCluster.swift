import Glibc
import Synchronization

/// A Postgres cluster of one's own: a directory, a server process, a Unix socket and no network.
///
/// The server ends with this process, however this process ends: the kernel sends it SIGINT (fast shutdown) when the
/// actor's thread goes away. `start` after `stop` works on the same directory and the same socket.
public actor PrivateCluster {
    /// What a crash of the machine may cost.
    public enum Durability: Sendable {
        /// Nothing that was committed.
        case durable
        /// Everything: for tests, whose data is worth nothing.
        case fast
    }

    /// The superuser that ``configuration(database:)`` connects as. Only who may enter the socket's directory can.
    static let userName = "postgres"
    static let port = 5432
    /// `sun_path` holds 108 bytes with its ending NUL (unix(7)).
    static let socketPathByteCountMax = 107
    static let startTimeout = Duration.seconds(60)
    static let stopTimeout = Duration.seconds(30)

    public nonisolated let directory: String
    public nonisolated let socketDirectory: String
    private let durability: Durability
    private let binaries: String?
    private let previousServerTimeout: Duration
    private nonisolated let executor: ThreadExecutor
    private nonisolated let serverID = Atomic<pid_t>(0)
    private var server: ChildProcess?

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameters:
    ///   - directory: an absolute path; made when it does not exist, and used again when it does.
    ///   - binaries: where `postgres` and `initdb` are, when they should not be looked for.
    ///   - previousServerTimeout: how long `start` waits for a server that is still shutting down in the directory.
    /// - Throws: ``ClusterError`` for a path that is not absolute.
    public init(
        directory: String,
        durability: Durability,
        binaries: String? = nil,
        previousServerTimeout: Duration = .seconds(30),
    ) throws {
        guard directory.hasPrefix("/") else { throw ClusterError("\(directory) is no absolute path") }
        self.directory = directory
        self.durability = durability
        self.binaries = binaries
        self.previousServerTimeout = previousServerTimeout
        socketDirectory = Self.socketDirectory(for: directory)
        executor = try .started()
    }

    isolated deinit {
        server?.send(SIGQUIT)
        if let server { _ = server.exitStatus(blocking: true) }
        executor.stop()
    }

    /// How to connect to a database of the cluster.
    public nonisolated func configuration(database: String = "postgres") -> PostgresConfiguration {
        PostgresConfiguration(host: socketDirectory, port: Self.port, database: database, user: Self.userName)
    }

    /// Whether the server process runs.
    public var isRunning: Bool {
        guard let server else { return false }
        return server.exitStatus() == nil
    }

    /// Makes the cluster when there is none yet, starts the server and waits until it answers. Returns at once when it
    /// runs already.
    public func start() throws(ClusterError) {
        if isRunning { return }
        let installation = try PostgresInstallation.find(binaries: binaries)
        let account = try ServerAccount.choose()
        try makeDirectories(account)
        if !fileExists("\(dataDirectory)/PG_VERSION") { try initialize(installation, account) }
        try waitForPreviousServer()
        let command = try account.command(
            [installation.program("postgres"), "-D", dataDirectory] + settings, endsWithParent: true,
        )
        let started = try ChildProcess.start(command, log: logPath)
        server = started
        serverID.store(started.id, ordering: .sequentiallyConsistent)
        try waitUntilReady(started)
    }

    /// Stops the server: open transactions are rolled back, connections closed (fast shutdown).
    public func stop() throws(ClusterError) {
        guard let server else { return }
        server.send(SIGINT)
        let deadline = ContinuousClock.now + Self.stopTimeout
        while server.exitStatus() == nil {
            if ContinuousClock.now > deadline {
                server.send(SIGQUIT)
                throw ClusterError("Postgres did not stop within \(Self.stopTimeout); see \(logPath)")
            }
            usleep(10_000)
        }
        forgetServer()
    }

    /// Ends the server as a crash would (SIGQUIT): the next start recovers. For tests.
    public func crash() {
        guard let server else { return }
        server.send(SIGQUIT)
        _ = server.exitStatus(blocking: true)
        forgetServer()
    }

    /// Stops the server and removes the directory with all data.
    public func remove() throws(ClusterError) {
        try stop()
        removeFiles()
    }

    /// For `atexit`, where nothing can be awaited: ends the server at once and removes everything.
    public nonisolated func removeAtExit() {
        let id = serverID.exchange(0, ordering: .sequentiallyConsistent)
        if id > 0 {
            kill(id, SIGQUIT)
            _ = ChildProcess(id: id).exitStatus(blocking: true)
        }
        removeFiles()
    }

    // MARK: files

    private nonisolated var dataDirectory: String { "\(directory)/data" }
    private nonisolated var unfinishedDirectory: String { "\(directory)/data.unfinished" }
    /// Where the server writes what it has to say.
    public nonisolated var logPath: String { "\(directory)/postgres.log" }

    /// Inside the cluster's directory, or a short path of its own when that one is too long for a socket.
    private static func socketDirectory(for directory: String) -> String {
        let inside = "\(directory)/socket"
        if "\(inside)/.s.PGSQL.\(port).lock".utf8.count <= socketPathByteCountMax { return inside }
        // FNV-1a, so that the same directory always gets the same short path.
        let hash = directory.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return "/tmp/tollgate-\(String(hash, radix: 16))"
    }

    private func makeDirectories(_ account: ServerAccount) throws(ClusterError) {
        var path = ""
        for component in directory.split(separator: "/") {
            path += "/\(component)"
            if mkdir(path, 0o755) != 0 && errno != EEXIST { throw failure("cannot make \(path)") }
        }
        try makeDirectory(dataDirectory, of: account)
        try makeDirectory(socketDirectory, of: account)
        guard account.isOther else { return }
        let reachable = try ChildProcess.run(
            try account.command(["test", "-x", dataDirectory], endsWithParent: false), log: "/dev/null",
        )
        guard reachable == 0 else {
            throw ClusterError(
                "Postgres does not run as root but as user \(account.name), who cannot enter \(directory): "
                    + "choose a data directory that all its parents let that user pass, or run as another user"
            )
        }
    }

    private func makeDirectory(_ path: String, of account: ServerAccount) throws(ClusterError) {
        if mkdir(path, 0o700) != 0 {
            guard errno == EEXIST else { throw failure("cannot make \(path)") }
            // Someone else's directory at our short path in /tmp would be someone else's server.
            var status = stat()
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == account.user
            else {
                throw ClusterError(
                    "\(path) exists and does not belong to user \(account.user): give it to that user with all that "
                        + "is in it (chown -R \(account.user)), or name another place")
            }
        } else if account.isOther, chown(path, account.user, account.group) != 0 {
            throw failure("cannot give \(path) to user \(account.name)")
        }
    }

    /// Makes the cluster beside its place and then moves it there, so that one half made is never started.
    private func initialize(_ installation: PostgresInstallation, _ account: ServerAccount) throws(ClusterError) {
        removeRecursively([unfinishedDirectory])
        try makeDirectory(unfinishedDirectory, of: account)
        var arguments = [
            installation.program("initdb"), "-D", unfinishedDirectory, "-U", Self.userName, "--auth=trust",
            "--encoding=UTF8", "--locale=C", "--no-instructions",
        ]
        if durability == .fast { arguments.append("--no-sync") }
        let status = try ChildProcess.run(try account.command(arguments, endsWithParent: true), log: logPath)
        guard status == 0 else {
            throw ClusterError("initdb failed with status \(status): \(logTail)")
        }
        guard rename(unfinishedDirectory, dataDirectory) == 0 else { throw failure("cannot make \(dataDirectory)") }
    }

    private var settings: [String] {
        var settings = [
            "listen_addresses=", "unix_socket_directories=\(socketDirectory)", "unix_socket_permissions=0700",
            "port=\(Self.port)", "max_connections=200", "timezone=UTC", "log_timezone=UTC", "log_checkpoints=off",
        ]
        if durability == .fast {
            settings += [
                "fsync=off", "full_page_writes=off", "synchronous_commit=off", "wal_level=minimal",
                "max_wal_senders=0", "max_wal_size=4GB",
            ]
        }
        return settings.flatMap { ["-c", $0] }
    }

    // MARK: the server

    /// A server whose parent was killed needs a moment to shut down before the directory is free.
    private func waitForPreviousServer() throws(ClusterError) {
        let deadline = ContinuousClock.now + previousServerTimeout
        while let pid = previousServer, kill(pid, 0) == 0 {
            guard ContinuousClock.now < deadline else {
                throw ClusterError("\(directory) is in use by another Postgres (process \(pid)): stop that one first")
            }
            usleep(50_000)
        }
    }

    /// The process named in `postmaster.pid`, when it is a Postgres.
    private var previousServer: pid_t? {
        guard let line = readFile("\(dataDirectory)/postmaster.pid")?.split(separator: "\n").first,
            let pid = pid_t(line), readFile("/proc/\(pid)/comm")?.hasPrefix("postgres") == true
        else { return nil }
        return pid
    }

    private func waitUntilReady(_ server: ChildProcess) throws(ClusterError) {
        let deadline = ContinuousClock.now + Self.startTimeout
        while true {
            if let status = server.exitStatus() {
                forgetServer()
                throw ClusterError("Postgres ended with status \(status) while it started: \(logTail)")
            }
            if (try? Session(configuration())) != nil { return }
            guard ContinuousClock.now < deadline else {
                server.send(SIGQUIT)
                _ = server.exitStatus(blocking: true)
                forgetServer()
                throw ClusterError("Postgres did not answer within \(Self.startTimeout): \(logTail)")
            }
            usleep(20_000)
        }
    }

    private func forgetServer() {
        server = nil
        serverID.store(0, ordering: .sequentiallyConsistent)
    }

    private nonisolated func removeFiles() {
        removeRecursively([dataDirectory, unfinishedDirectory, socketDirectory, logPath])
        rmdir(directory)
    }

    private nonisolated func removeRecursively(_ paths: [String]) {
        // What cannot be removed stays in the temporary directory; there is nobody left to tell.
        _ = try? ChildProcess.run(["rm", "-rf", "--one-file-system", "--"] + paths, log: "/dev/null")
    }

    private nonisolated var logTail: String {
        let lines = (readFile(logPath) ?? "").split(separator: "\n")
        return lines.suffix(5).joined(separator: "; ") + " (\(logPath))"
    }

    private func failure(_ text: String) -> ClusterError {
        ClusterError("\(text): \(String(cString: strerror(errno)))")
    }
}
