import Synchronization

/// One connection to Postgres: an actor on a thread of its own, because libpq blocks.
///
/// Each call is one actor method, so statements of different tasks never mix; for several statements that belong
/// together use ``transaction(isolation:readOnly:attempts:_:)``.
public actor PostgresConnection {
    private nonisolated let executor: ThreadExecutor
    private nonisolated let reusable = Atomic<Bool>(false)
    private nonisolated let socket = Atomic<Int32>(-1)
    private nonisolated let isCancelled = Atomic<Bool>(false)
    private nonisolated let cancellation = Mutex<StatementCancellation?>(nil)
    private var session: Session?

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private init(executor: ThreadExecutor) { self.executor = executor }

    isolated deinit {
        session = nil
        executor.stop()
    }

    /// Connects. Throws `.unavailable` when Postgres cannot be reached.
    public static func connect(_ configuration: PostgresConfiguration) async throws(PostgresError) -> PostgresConnection
    {
        let connection = PostgresConnection(executor: try .started())
        try await connection.open(configuration)
        return connection
    }

    /// Runs a statement and returns its rows.
    public func query(_ sql: SQL) throws(PostgresError) -> Rows {
        defer { noteState() }
        return try opened().run(sql)
    }

    /// Runs a statement and returns how many rows it touched.
    @discardableResult
    public func execute(_ sql: SQL) throws(PostgresError) -> Int {
        try query(sql).affectedCount
    }

    /// Runs trusted text that may hold several statements, without parameters.
    public func script(_ text: String) throws(PostgresError) {
        defer { noteState() }
        try opened().script(text)
    }

    /// Runs the closure inside a transaction and commits it.
    ///
    /// The closure runs on the connection's thread and must not wait for anything but Postgres. It runs again, up to
    /// `attempts` times in all with growing random pauses, when Postgres reports a serialization failure or a deadlock;
    /// so it must not change anything outside the database.
    /// - Throws: what the closure throws; ``PostgresError`` `.commitUnknown` when the connection broke during COMMIT.
    public func transaction<Result: Sendable>(
        isolation: IsolationLevel = .readCommitted,
        readOnly: Bool = false,
        attempts: Int = 5,
        _ body: @Sendable (Transaction) throws -> Result,
    ) async throws -> Result {
        for attempt in 1..<max(attempts, 1) {
            do {
                return try attemptOnce(isolation, readOnly, body)
            } catch let error as PostgresError where error.isRetryable {
                try await Task.sleep(for: .milliseconds(Int.random(in: 1...10) << min(attempt, 6)))
            }
        }
        return try attemptOnce(isolation, readOnly, body)
    }

    /// Closes the connection; later calls throw `.closed`.
    public func close() {
        session = nil
        reusable.store(false, ordering: .relaxed)
        socket.store(-1, ordering: .relaxed)
    }

    /// Makes the server give up the statement that runs now (57014), from any thread. The request may arrive late and
    /// hit a later statement, so that the pool does not lend the connection again.
    public nonisolated func cancelStatement() {
        isCancelled.store(true, ordering: .relaxed)
        cancellation.withLock { $0 }?.send()
    }

    /// Whether the last statement left the connection as new: alive and outside any transaction.
    nonisolated var isReusable: Bool {
        reusable.load(ordering: .relaxed) && !isCancelled.load(ordering: .relaxed)
    }

    /// Whether the server has closed an idle connection, asked of the socket without a round trip.
    nonisolated var isClosedByServer: Bool { hasUnexpectedInput(socket.load(ordering: .relaxed)) }

    private func open(_ configuration: PostgresConfiguration) throws(PostgresError) {
        let session = try Session(configuration)
        self.session = session
        let handle = StatementCancellation(session)
        cancellation.withLock { $0 = handle }
        socket.store(session.socket, ordering: .relaxed)
        reusable.store(true, ordering: .relaxed)
    }

    private func opened() throws(PostgresError) -> Session {
        guard let session else { throw PostgresError(kind: .closed, message: "the connection is closed") }
        return session
    }

    private func attemptOnce<Result>(
        _ isolation: IsolationLevel, _ readOnly: Bool, _ body: (Transaction) throws -> Result,
    ) throws -> Result {
        defer { noteState() }
        return try opened().attempt(isolation: isolation, readOnly: readOnly, body)
    }

    private func noteState() { reusable.store(session?.isReusable ?? false, ordering: .relaxed) }
}
