public import Accounts
public import Identity
public import Postgres

/// Test clocks: billing time of one account, ahead of real time.
public enum ClockStorage {
    /// The furthest that a test clock may be ahead: ten years.
    public static let offsetMillisecondsMax: Int64 = 3_653 * 86_400_000

    /// Moves the account's billing time on by so many milliseconds; never backwards.
    @discardableResult
    public static func advance(
        _ id: AccountID, byMilliseconds milliseconds: Int64, in tx: Transaction
    ) throws -> Account {
        let account = try locked(id, in: tx)
        return try move(account, to: account.clockOffsetMilliseconds + min(milliseconds, offsetMillisecondsMax), in: tx)
    }

    /// Moves the account's billing time to `instant`, given the real time `now`; never backwards.
    @discardableResult
    public static func advance(
        _ id: AccountID, to instant: Timestamp, now: Timestamp, in tx: Transaction
    ) throws -> Account {
        let account = try locked(id, in: tx)
        let billingNow = account.billingTime(at: now)
        guard instant >= billingNow else {
            throw StorageError.conflict(
                "billing time of account \(account.id) is \(billingNow) already and never goes back: "
                    + "choose a later instant")
        }
        return try move(account, to: instant.milliseconds - now.milliseconds, in: tx)
    }

    private static func move(_ account: Account, to offset: Int64, in tx: Transaction) throws -> Account {
        guard offset >= account.clockOffsetMilliseconds else {
            throw StorageError.conflict(
                "the clock of account \(account.id) is \(account.clockOffsetMilliseconds) ms ahead of real time and "
                    + "never goes back; choose a later instant")
        }
        guard offset <= offsetMillisecondsMax else {
            throw StorageError.invalid(
                parameter: "clock", message: "it may be at most \(offsetMillisecondsMax) ms (ten years) ahead")
        }
        if offset == account.clockOffsetMilliseconds { return account }
        let change = try ChangeStorage.record(.clock, entity: account.id.description, in: tx)
        try tx.execute(
            """
            UPDATE accounts SET clock_offset_ms = \(offset), clock_change = \(change) WHERE account_id = \(account.id)
            """)
        return try AccountStorage.require(account.id, in: tx)
    }

    private static func locked(_ id: AccountID, in tx: Transaction) throws -> Account {
        _ = try tx.query("SELECT 1 FROM accounts WHERE account_id = \(id) FOR UPDATE")
        return try AccountStorage.require(id, in: tx)
    }
}
