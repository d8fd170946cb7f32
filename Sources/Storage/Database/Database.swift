public import Identity
public import Postgres

/// An open transaction, as apps that do not know Postgres name it: something to hand to this module's functions.
public typealias DatabaseTransaction = Transaction

extension Transaction {
    /// Runs the closure so that its failure undoes only its own work, what Postgres refused of it among that.
    public func isolating<Result>(_ body: () throws -> Result) throws -> Result { try savepoint { _ in try body() } }
}

/// The database as apps see it: transactions to hand to this module's functions, and the channel of changes. Statements
/// are run by this module only.
public struct Database: Sendable {
    private let pool: ConnectionPool

    public init(_ pool: ConnectionPool) {
        self.pool = pool
    }

    /// Reads, all of one moment (REPEATABLE READ, READ ONLY).
    public func read<Result: Sendable>(_ body: @Sendable (Transaction) throws -> Result) async throws -> Result {
        try await pool.withTransaction(isolation: .repeatableRead, readOnly: true, body)
    }

    /// Reads and writes (READ COMMITTED); run again on a deadlock, so the closure must change nothing else.
    public func write<Result: Sendable>(_ body: @Sendable (Transaction) throws -> Result) async throws -> Result {
        try await pool.withTransaction(isolation: .readCommitted, readOnly: false, body)
    }

    /// Reads and writes, all reads of one moment (REPEATABLE READ); run again when another transaction changed the same
    /// rows meanwhile, so the closure must change nothing else.
    public func writeAtOneMoment<Result: Sendable>(
        _ body: @Sendable (Transaction) throws -> Result
    ) async throws -> Result {
        try await pool.withTransaction(isolation: .repeatableRead, readOnly: false, body)
    }

    /// Listens for changes that gateways must learn of.
    public func listenForChanges() throws -> ChangeListener {
        try ChangeListener(configuration: pool.configuration)
    }

    /// Listens for limits of which a gateway should give back what it keeps.
    public func listenForRecalls(of gateway: UUIDv7) throws -> RecallListener {
        try RecallListener(configuration: pool.configuration, gateway: gateway)
    }
}

/// Tells that something changed, or may have: look at the numbers then. Keep it while you read its wake-ups.
public final class ChangeListener: Sendable {
    private let listener: Listener

    init(configuration: PostgresConfiguration) throws {
        listener = try Listener(configuration, channels: [ChangeStorage.channel])
    }

    /// Calls `wake` for each change, and whenever the connection came back; returns when the listener is stopped.
    public func forward(to wake: @Sendable () -> Void) async {
        for await _ in listener.events { wake() }
    }

    /// Ends `forward`.
    public func stop() { listener.stop() }
}

/// What a failure of the database means for whoever may try again.
public enum DatabaseFailure: Hashable, Sendable {
    /// Postgres is away; nothing was committed.
    case unavailable
    /// The connection broke during the commit: look before trying again.
    case commitUnknown
    /// Postgres refused; the same again may fail again.
    case refused

    /// Whether it was a value that Postgres could not take: out of range, or no value of its type.
    public static func isOfValues(_ error: any Error) -> Bool {
        guard let error = error as? PostgresError else { return false }
        if case .invalidParameter = error.kind { return true }
        // SQLSTATE class: data exception.
        return error.sqlState?.hasPrefix("22") == true
    }

    /// Nil for what did not come from Postgres.
    public init?(_ error: any Error) {
        guard let error = error as? PostgresError else { return nil }
        switch error.kind {
        case .commitUnknown: self = .commitUnknown
        case .unavailable, .connectionLost, .acquireTimedOut, .tooManyWaiters: self = .unavailable
        case .server, .closed, .decoding, .invalidParameter: self = .refused
        }
    }
}
