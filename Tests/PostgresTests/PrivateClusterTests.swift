import Glibc
import TestSupport
import Testing

@testable import Postgres

@Suite(.serialized, .timeLimit(.minutes(10))) struct PrivateClusterTests {
    @Test func `the pool survives a stop, a crash and a start of Postgres`() async throws {
        let cluster = try PrivateCluster(directory: "/tmp/tollgate-restart-\(getpid())", durability: .durable)
        try await cluster.start()
        try await cluster.start()
        let pool = ConnectionPool(cluster.configuration(), connectionCountMax: 2)
        try await pool.execute("CREATE TABLE kept (a int)")
        let listener = try Listener(cluster.configuration(), channels: ["x"])
        var events = listener.events.makeAsyncIterator()
        #expect(await events.next() == .connected)

        try await cluster.stop()
        #expect(await cluster.isRunning == false)
        for _ in 0..<3 {
            let error = await #expect(throws: PostgresError.self) { try await pool.query("SELECT 1") }
            #expect(error?.kind == .unavailable)
            #expect(error?.description.contains("cannot connect to postgres@/tmp") == true)
        }
        try await cluster.start()
        try await eventually { try await pool.execute("INSERT INTO kept VALUES (1)") }
        #expect(await events.next() == .reconnected)

        await cluster.crash()
        try await cluster.start()
        try await eventually { try await pool.execute("INSERT INTO kept VALUES (2)") }
        #expect(try await pool.query("SELECT count(*) FROM kept").onlyValue(as: Int.self) == 2)

        listener.stop()
        await pool.close()
        try await cluster.remove()
        #expect(fileExists(cluster.directory) == false)
    }

    @Test func `a server whose parent was killed ends, and its directory can be used again`() async throws {
        let path = "/tmp/tollgate-orphan-\(getpid())"
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let cluster = try PrivateCluster(directory: path, durability: .fast)
            try await cluster.start()
            let connection = try await PostgresConnection.connect(cluster.configuration())
            try await connection.execute("CREATE TABLE kept (a int)")
            kill(getpid(), SIGKILL)
        }
        try await eventually {
            if fileExists("\(path)/data/postmaster.pid") { throw StillThere() }
        }
        let cluster = try PrivateCluster(directory: path, durability: .fast)
        try await cluster.start()
        let second = try PrivateCluster(directory: path, durability: .fast, previousServerTimeout: .milliseconds(100))
        let error = await #expect(throws: ClusterError.self) { try await second.start() }
        #expect(error?.description.contains("in use by another Postgres") == true)
        let connection = try await PostgresConnection.connect(cluster.configuration())
        #expect(try await connection.query("SELECT count(*) FROM kept").onlyValue(as: Int.self) == 0)
        await connection.close()
        try await cluster.remove()
    }

    @Test func `a long path gets its socket elsewhere`() async throws {
        let path = "/tmp/tollgate-\(String(repeating: "long-", count: 20))\(getpid())/deep"
        let cluster = try PrivateCluster(directory: path, durability: .fast)
        #expect(cluster.socketDirectory.utf8.count < 50)
        try await cluster.start()
        let connection = try await PostgresConnection.connect(cluster.configuration())
        #expect(try await connection.query("SHOW listen_addresses").onlyValue(as: String.self) == "")
        await connection.close()
        try await cluster.remove()
        rmdir(String(path.dropLast("/deep".count)))
        #expect(fileExists(cluster.socketDirectory) == false)
    }

    @Test func `a cluster whose making was cut short is made again`() async throws {
        let path = "/tmp/tollgate-unfinished-\(getpid())"
        for directory in ["", "/data", "/data.unfinished"] { mkdir(path + directory, 0o755) }
        for account in ["postgres", "nobody"] {
            guard geteuid() == 0, let entry = getpwnam(account) else { continue }
            chown("\(path)/data", entry.pointee.pw_uid, entry.pointee.pw_gid)
            break
        }
        let half = try #require(fopen("\(path)/data.unfinished/PG_VERSION", "w"))
        fclose(half)
        let cluster = try PrivateCluster(directory: path, durability: .fast)
        try await cluster.start()
        #expect(await cluster.isRunning)
        try await cluster.remove()
        #expect(fileExists(path) == false)
    }

    @Test func `a missing installation says what to install`() {
        let error = #expect(throws: ClusterError.self) {
            try PostgresInstallation.find(among: ["/nowhere", "/usr"])
        }
        #expect(error?.description.contains("apt-get install postgresql") == true)
        #expect(throws: ClusterError.self) { try PrivateCluster(directory: "relative", durability: .fast) }
    }

    struct StillThere: Error {}

    /// Runs the closure until it works, for at most ten seconds.
    private func eventually(_ body: () async throws -> Void) async throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while ContinuousClock.now < deadline {
            if (try? await body()) != nil { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        try await body()
    }
}
