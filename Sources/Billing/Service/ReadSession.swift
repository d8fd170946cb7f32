public import Identity
public import Storage

/// A transaction of one actor, who may look at what its permissions say.
public class ReadSession {
    public let actor: Actor
    /// Real time.
    public let now: Timestamp
    private let transaction: DatabaseTransaction

    init(_ transaction: DatabaseTransaction, _ actor: Actor, now: Timestamp) {
        self.transaction = transaction
        self.actor = actor
        self.now = now
    }

    /// The one way of a use case to what it shows.
    public func look<Result>(
        _ permission: Permission, _ body: (DatabaseTransaction) throws -> Result
    ) throws -> Result {
        assert(permission.verb == .read)
        try actor.require(permission)
        return try body(transaction)
    }

    /// For the session itself.
    func withTransaction<Result>(_ body: (DatabaseTransaction) throws -> Result) rethrows -> Result {
        try body(transaction)
    }
}
