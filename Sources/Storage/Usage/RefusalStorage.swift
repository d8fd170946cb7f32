public import Identity
import Metering
public import Postgres

/// Requests refused at the gate: counts by key, reason and minute.
public enum RefusalStorage {
    /// A count as it is stored.
    public struct Total: Hashable, Sendable {
        /// Nil when the key was not known.
        public let accountID: AccountID?
        /// Nil when the key was not known.
        public let keyID: KeyID?
        public let reason: String
        public let count: Int64
    }

    /// Adds counts up; in key order, so that two ingesters never wait for each other in a circle.
    static func add(_ refusals: [RefusalCount], in tx: Transaction) throws {
        var sums: [Key: Int64] = [:]
        for refusal in refusals { sums[Key(refusal), default: 0] += refusal.count }
        var batch = InsertBatch(columns: [
            .init("account_id", "uuid"), .init("key_id", "uuid"), .init("minute", "timestamptz"),
            .init("reason", "text"), .init("count", "bigint"),
        ])
        for (key, count) in sums.sorted(by: { $0.key < $1.key }) {
            try batch.append([key.account, key.key, key.minute, key.reason, count])
        }
        guard !batch.isEmpty else { return }
        try tx.execute(
            batch.insert(
                into: "refusals",
                """
                ON CONFLICT (account_id, key_id, minute, reason) DO UPDATE SET count = refusals.count + excluded.count
                """))
    }

    /// Counts within a span of billing time, summed by key and reason.
    public static func totals(
        account: AccountID? = nil, from: Timestamp, to: Timestamp, in tx: Transaction
    ) throws -> [Total] {
        try tx.query(
            """
            SELECT account_id, key_id, reason, sum(count)::bigint AS total FROM refusals
            WHERE minute >= \(from) AND minute < \(to) AND (\(account)::uuid IS NULL OR account_id = \(account))
            GROUP BY account_id, key_id, reason ORDER BY total DESC, account_id, key_id, reason
            LIMIT \(PageRequest.limitMax)
            """
        ).map { row in
            let account = try row.decode("account_id", as: UUIDv7.self)
            let key = try row.decode("key_id", as: UUIDv7.self)
            return Total(
                accountID: account == unknown ? nil : AccountID(account), keyID: key == unknown ? nil : KeyID(key),
                reason: try row.decode("reason"), count: try row.decode("total"))
        }
    }

    /// What stands for an account or key that was not known.
    private static let unknown = UUIDv7(high: 0, low: 0)

    private struct Key: Hashable, Comparable {
        let account: UUIDv7
        let key: UUIDv7
        let minute: Timestamp
        let reason: String

        init(_ refusal: RefusalCount) {
            account = refusal.accountID?.uuid ?? unknown
            key = refusal.keyID?.uuid ?? unknown
            minute = refusal.minute
            reason = refusal.reason
        }

        static func < (left: Key, right: Key) -> Bool {
            (left.account, left.key, left.minute, left.reason) < (right.account, right.key, right.minute, right.reason)
        }
    }
}
