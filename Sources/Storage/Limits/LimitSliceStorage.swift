public import Identity
public import Limits
public import Postgres

/// What is left of each limit, and what each gateway holds: the rules are `SliceLedger`'s, here is where it is kept.
public enum LimitSliceStorage {
    /// The channel on which gateways are told to give back what they keep in reserve.
    static let recallChannel = "tollgate_limit_recalls"
    /// Limits named in one notification; Postgres takes less than 8,000 bytes.
    private static let recallMax = 200

    /// Takes a gateway's reports and answers its wishes. One short transaction: it locks the limits in the order of
    /// their keys, so that no two gateways wait for one another, and waits for no disk; losing the last few
    /// milliseconds of it with the database's power costs nobody anything.
    public static func exchange(
        _ requests: [SliceRequest], gateway: UUIDv7, in tx: Transaction
    ) throws -> [SliceGrant] {
        try tx.execute("SET LOCAL synchronous_commit = off")
        let accountOf = Dictionary(requests.map { ($0.limitID, $0.accountID) }) { first, _ in first }
        let levels = try lockedLevels(accountOf, in: tx)
        var (now, slices) = try self.slices(accountOf, in: tx)
        var ledgers: [LimitID: SliceLedger] = [:]
        for row in levels {
            let id: LimitID = try row.decode("limit_id")
            let updatedAt: Timestamp = try row.decode("updated_at")
            now = max(now, updatedAt)
            // Of a limit that does not read nothing is granted; the others go on.
            guard let kind = LimitKind(rawValue: try row.decode("kind")) else { continue }
            ledgers[id] = SliceLedger(
                limitID: id, kind: kind, value: try row.decode("value"),
                bucket: TokenBucket(level: try row.decode("level"), updatedAt: updatedAt.milliseconds),
                slices: slices.removeValue(forKey: id) ?? [:])
        }
        let before = ledgers
        var grants: [SliceGrant] = []
        var recalled: [LimitID] = []
        for request in requests {
            let grant = ledgers[request.limitID]?.exchange(request, gateway: gateway, now: now.milliseconds)
            guard let grant else { continue }
            grants.append(grant)
            if grant.isHeldElsewhere, request.wanted > 0, grant.amount < request.wanted {
                recalled.append(request.limitID)
            }
        }
        try store(ledgers, before, accountOf, in: tx)
        try recall(recalled, from: gateway, in: tx)
        return grants
    }

    /// The rows of the limits, account by account: a lock names its account, and accounts are locked in their order.
    private static func lockedLevels(_ accountOf: [LimitID: AccountID], in tx: Transaction) throws -> [Row] {
        var byAccount: [AccountID: [LimitID]] = [:]
        for (id, account) in accountOf { byAccount[account, default: []].append(id) }
        return try byAccount.sorted { $0.key < $1.key }.flatMap { account, ids in
            try Array(
                tx.query(
                    """
                    SELECT limit_id, kind, value, level, l.updated_at
                    FROM limit_levels l JOIN limits USING (account_id, limit_id)
                    WHERE account_id = \(account) AND limit_id = ANY(\(ids)::uuid[])
                    ORDER BY limit_id
                    FOR UPDATE OF l
                    """))
        }
    }

    /// The database's time, which is read when all locks are held, and the slices.
    private static func slices(
        _ accountOf: [LimitID: AccountID], in tx: Transaction
    ) throws -> (now: Timestamp, slices: [LimitID: [UUIDv7: SliceLedger.Slice]]) {
        let now: Timestamp = try tx.query("SELECT clock_timestamp()").onlyValue()
        let rows = try tx.query(
            """
            SELECT account_id, limit_id, gateway, held, reserved, spent, lapses_at FROM limit_slices
            WHERE account_id = ANY(\(Array(Set(accountOf.values)))::uuid[])
                AND limit_id = ANY(\(Array(accountOf.keys))::uuid[])
            """)
        var slices: [LimitID: [UUIDv7: SliceLedger.Slice]] = [:]
        for row in rows {
            let id: LimitID = try row.decode("limit_id")
            // Limits' ids are their own, but the key that makes them so is (account, limit).
            guard try row.decode("account_id") == accountOf[id] else { continue }
            slices[id, default: [:]][try row.decode("gateway")] = SliceLedger.Slice(
                held: try row.decode("held"), reserved: try row.decode("reserved"), spent: try row.decode("spent"),
                lapsesAt: try row.decode("lapses_at", as: Timestamp.self).milliseconds)
        }
        return (now, slices)
    }

    private static func store(
        _ ledgers: [LimitID: SliceLedger], _ before: [LimitID: SliceLedger], _ accounts: [LimitID: AccountID],
        in tx: Transaction
    ) throws {
        var levels = InsertBatch(
            columns: keyColumns + [.init("level", "bigint"), .init("updated_at", "timestamptz")])
        var slices = InsertBatch(
            columns: keyColumns + [
                .init("gateway", "uuid"), .init("held", "bigint"), .init("reserved", "bigint"),
                .init("spent", "bigint"), .init("lapses_at", "timestamptz"),
            ])
        var forgotten = false
        for (id, ledger) in ledgers {
            guard let account = accounts[id], let old = before[id] else { continue }
            if ledger.kind.isRate, ledger.bucket != old.bucket {
                try levels.append([
                    account, id, ledger.bucket.level, Timestamp(milliseconds: ledger.bucket.updatedAt),
                ])
            }
            for (gateway, slice) in ledger.slices where old.slices[gateway] != slice {
                try slices.append([
                    account, id, gateway, slice.held, slice.reserved, slice.spent,
                    Timestamp(milliseconds: slice.lapsesAt),
                ])
            }
            forgotten = forgotten || old.slices.keys.contains { ledger.slices[$0] == nil }
        }
        if !levels.isEmpty {
            try tx.execute(
                levels.insert(
                    into: "limit_levels",
                    """
                    ON CONFLICT (account_id, limit_id) DO UPDATE SET level = excluded.level,
                        updated_at = excluded.updated_at
                    """))
        }
        if !slices.isEmpty {
            try tx.execute(
                slices.insert(
                    into: "limit_slices",
                    """
                    ON CONFLICT (account_id, limit_id, gateway) DO UPDATE SET held = excluded.held,
                        reserved = excluded.reserved, spent = excluded.spent, lapses_at = excluded.lapses_at
                    """))
        }
        if forgotten { try forget(ledgers, accounts, in: tx) }
    }

    private static let keyColumns: [InsertBatch.Column] = [.init("account_id", "uuid"), .init("limit_id", "uuid")]

    /// Deletes the slices of gateways that are long gone.
    private static func forget(
        _ ledgers: [LimitID: SliceLedger], _ accounts: [LimitID: AccountID], in tx: Transaction
    ) throws {
        for (id, ledger) in ledgers.sorted(by: { $0.key < $1.key }) {
            try tx.execute(
                """
                DELETE FROM limit_slices
                WHERE account_id = \(accounts[id]) AND limit_id = \(id)
                    AND NOT gateway = ANY(\(Array(ledger.slices.keys))::uuid[])
                """)
        }
    }

    private static func recall(_ ids: [LimitID], from gateway: UUIDv7, in tx: Transaction) throws {
        var rest = ids[...]
        while !rest.isEmpty {
            let names = rest.prefix(recallMax).map(\.uuid.hexadecimal).joined(separator: ",")
            try tx.notify(channel: recallChannel, payload: "\(gateway.hexadecimal):\(names)")
            rest = rest.dropFirst(recallMax)
        }
    }
}

/// Tells which limits other gateways need more of.
public final class RecallListener: Sendable {
    private let listener: Listener
    private let gateway: String

    init(configuration: PostgresConfiguration, gateway: UUIDv7) throws {
        listener = try Listener(configuration, channels: [LimitSliceStorage.recallChannel])
        self.gateway = gateway.hexadecimal
    }

    /// Calls `recall` with limits of which this gateway should give back what it keeps; returns when stopped.
    public func forward(to recall: @Sendable ([LimitID]) -> Void) async {
        for await case .notification(_, let payload) in listener.events {
            let parts = payload.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0] != gateway else { continue }
            recall(parts[1].split(separator: ",").compactMap { UUIDv7($0) }.map { LimitID($0) })
        }
    }

    /// Ends `forward`.
    public func stop() { listener.stop() }
}
