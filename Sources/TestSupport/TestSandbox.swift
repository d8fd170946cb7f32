public import Accounts
public import Identity
public import Storage

/// The clock of a test account that is a sandbox by itself.
public enum TestSandbox {
    /// Opens the sandbox that the account names.
    public static func open(of account: Account, in tx: DatabaseTransaction) throws {
        guard let id = account.sandboxID else { return }
        try SandboxStorage.insert(Sandbox(id: id, name: account.name, createdAt: account.createdAt), in: tx)
    }

    /// Moves the clock on, and returns the account as it is then.
    @discardableResult
    public static func advance(
        _ id: AccountID, byMilliseconds step: Int64, now: Timestamp, in tx: DatabaseTransaction
    ) throws -> Account {
        let account = try AccountStorage.require(id, in: tx)
        guard let sandboxID = account.sandboxID else { throw StorageError.notFound("sandbox") }
        let (offset, moves) = (account.clockOffsetMilliseconds, account.clock?.moves.count ?? 0)
        try SandboxStorage.insert(
            SandboxMove(
                sandboxID: sandboxID, number: Int64(moves + 1), movedAt: now, fromMilliseconds: offset,
                toMilliseconds: offset + step, movedBy: "test"), accounts: [id], in: tx)
        return try AccountStorage.require(id, in: tx)
    }
}
