/// Connections to one database, lent to one task at a time.
///
/// It connects when someone needs it, so it outlives Postgres: while Postgres is away callers get `.unavailable` at
/// once, and the first caller after it came back connects again.
public actor ConnectionPool {
    /// A moment's numbers, for metrics.
    public struct Statistics: Sendable, Hashable {
        public var idle: Int
        public var leased: Int
        public var connecting: Int
        public var waiting: Int
    }

    private typealias Grant = PoolStateMachine.Grant

    public nonisolated let configuration: PostgresConfiguration
    private let began = ContinuousClock.now
    private var machine: PoolStateMachine
    private var connections: [PoolStateMachine.ConnectionID: PostgresConnection] = [:]
    private var waiters: [PoolStateMachine.WaiterID: CheckedContinuation<Grant, any Error>] = [:]
    private var lastFailure: PostgresError?
    private var isTimerRunning = false

    public init(_ configuration: PostgresConfiguration, limits: PoolLimits) {
        self.configuration = configuration
        machine = PoolStateMachine(limits: limits)
    }

    /// A pool with the usual limits.
    public init(_ configuration: PostgresConfiguration, connectionCountMax: Int = 4) {
        self.init(configuration, limits: PoolLimits(connectionCountMax: connectionCountMax))
    }

    /// Lends a connection for the time of the closure. When the task is cancelled, so is the statement that runs.
    /// - Throws: what the closure throws; ``PostgresError`` with `.unavailable`, `.acquireTimedOut`, `.tooManyWaiters`
    ///   or `.closed` when there is no connection to lend.
    public func withConnection<Result: Sendable>(
        _ body: @Sendable (PostgresConnection) async throws -> Result
    ) async throws -> Result {
        let (id, connection) = try await acquire()
        defer { release(id) }
        return try await withTaskCancellationHandler {
            try await body(connection)
        } onCancel: {
            connection.cancelStatement()
        }
    }

    /// Runs the closure in a transaction; see ``PostgresConnection/transaction(isolation:readOnly:attempts:_:)``.
    public func withTransaction<Result: Sendable>(
        isolation: IsolationLevel = .readCommitted,
        readOnly: Bool = false,
        attempts: Int = 5,
        _ body: @Sendable (Transaction) throws -> Result,
    ) async throws -> Result {
        try await withConnection { connection in
            try await connection.transaction(isolation: isolation, readOnly: readOnly, attempts: attempts, body)
        }
    }

    /// Runs one statement and returns its rows.
    public func query(_ sql: SQL) async throws -> Rows {
        try await withConnection { try await $0.query(sql) }
    }

    /// Runs one statement and returns how many rows it touched.
    @discardableResult
    public func execute(_ sql: SQL) async throws -> Int {
        try await withConnection { try await $0.execute(sql) }
    }

    /// Refuses new callers, closes idle connections, and lent ones when they come back.
    public func close() { apply(machine.close()) }

    public var statistics: Statistics {
        Statistics(
            idle: machine.idleCount, leased: machine.leasedCount,
            connecting: machine.connectingCount, waiting: machine.waiterCount,
        )
    }

    private var now: Duration { ContinuousClock.now - began }

    // MARK: lending

    private func acquire() async throws -> (PoolStateMachine.ConnectionID, PostgresConnection) {
        while true {
            try Task.checkCancellation()
            switch try await nextGrant() {
            case .connect(let id):
                return (id, try await connect(id))
            case .lend(let id, let probe):
                // The machine hands out only ids that `connect` stored and `apply` has not closed.
                guard let connection = connections[id] else { continue }
                if await isAlive(connection, probe: probe) { return (id, connection) }
                apply(machine.release(id, reusable: false, now: now))
            }
        }
    }

    private func nextGrant() async throws -> Grant {
        let (answer, closing) = machine.acquire(now: now)
        closing.forEach(drop)
        switch answer {
        case .grant(let grant): return grant
        case .refuse(let refusal): throw error(for: refusal)
        case .wait(let waiter):
            startTimer()
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { waiters[waiter] = $0 }
            } onCancel: {
                Task { await self.cancel(waiter) }
            }
        }
    }

    private func connect(_ id: PoolStateMachine.ConnectionID) async throws -> PostgresConnection {
        do {
            let connection = try await PostgresConnection.connect(configuration)
            connections[id] = connection
            machine.connected(id, now: now, jitter: .random(in: 0...100), of: 100)
            lastFailure = nil
            return connection
        } catch {
            lastFailure = error
            apply(machine.connectFailed(id, now: now))
            throw error
        }
    }

    private func isAlive(_ connection: PostgresConnection, probe: Bool) async -> Bool {
        guard connection.isReusable, !connection.isClosedByServer else { return false }
        guard probe else { return true }
        return (try? await connection.query("SELECT 1")) != nil
    }

    private func release(_ id: PoolStateMachine.ConnectionID) {
        apply(machine.release(id, reusable: connections[id]?.isReusable ?? false, now: now))
    }

    // MARK: the machine's effects

    private func apply(_ effects: PoolStateMachine.Effects) {
        effects.close.forEach(drop)
        for grant in effects.grant {
            if let waiter = waiters.removeValue(forKey: grant.waiter) {
                waiter.resume(returning: grant.grant)
            }
        }
        for refusal in effects.refuse {
            waiters.removeValue(forKey: refusal.waiter)?.resume(throwing: error(for: refusal.refusal))
        }
    }

    /// The actor's end closes the connection, on the connection's own thread.
    private func drop(_ id: PoolStateMachine.ConnectionID) { connections[id] = nil }

    private func cancel(_ waiter: PoolStateMachine.WaiterID) {
        guard machine.cancel(waiter) else { return }
        waiters.removeValue(forKey: waiter)?.resume(throwing: CancellationError())
    }

    private func startTimer() {
        guard !isTimerRunning else { return }
        isTimerRunning = true
        Task { await runTimer() }
    }

    private func runTimer() async {
        while let deadline = machine.nextDeadline {
            // Nothing cancels this task; were the sleep to fail, the loop would only look early.
            try? await Task.sleep(until: began + deadline)
            apply(machine.expire(now: now))
        }
        isTimerRunning = false
    }

    private func error(for refusal: PoolStateMachine.Refusal) -> PostgresError {
        let limits = machine.limits
        switch refusal {
        case .timedOut:
            let message =
                "no connection became free within \(limits.acquireTimeout): "
                + "all \(limits.connectionCountMax) are busy, \(machine.waiterCount) callers wait"
            return PostgresError(kind: .acquireTimedOut, message: message)
        case .tooManyWaiters:
            let message = "\(limits.waiterCountMax) callers already wait for \(limits.connectionCountMax) connections"
            return PostgresError(kind: .tooManyWaiters, message: message)
        case .unavailable:
            let message = "Postgres cannot be reached at \(configuration); the next attempt follows shortly"
            return lastFailure ?? PostgresError(kind: .unavailable, message: message)
        case .closed:
            return PostgresError(kind: .closed, message: "the connection pool is closed")
        }
    }
}
