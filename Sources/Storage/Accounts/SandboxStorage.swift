public import Accounts
public import Identity
public import Postgres

/// Sandboxes and the moves of their clocks.
public enum SandboxStorage {
    public static func insert(_ sandbox: Sandbox, in tx: Transaction) throws {
        try StorageError.requireName(sandbox.name)
        try tx.execute(
            """
            INSERT INTO sandboxes (sandbox_id, name, created_at)
            VALUES (\(sandbox.id), \(sandbox.name), \(sandbox.createdAt))
            """)
    }

    public static func find(_ id: SandboxID, in tx: Transaction) throws -> Sandbox? {
        try tx.query("\(select) WHERE sandbox_id = \(id)").first.map(sandbox)
    }

    /// `.notFound` when there is none.
    public static func require(_ id: SandboxID, in tx: Transaction) throws -> Sandbox {
        guard let sandbox = try find(id, in: tx) else { throw StorageError.notFound("sandbox \(id)") }
        return sandbox
    }

    /// The sandbox, held until the transaction ends: nobody else moves its clock or joins it.
    public static func lock(_ id: SandboxID, in tx: Transaction) throws -> Sandbox {
        _ = try tx.query("SELECT 1 FROM sandboxes WHERE sandbox_id = \(id) FOR UPDATE")
        return try require(id, in: tx)
    }

    /// A page of all sandboxes.
    public static func list(_ page: PageRequest = PageRequest(), in tx: Transaction) throws -> Page<Sandbox> {
        let rows = try tx.query(
            "\(select) WHERE sandbox_id > \(page.afterOrZero) ORDER BY sandbox_id LIMIT \(page.limitAndOne)")
        return Page(try rows.map(sandbox), page)
    }

    /// The accounts that have its clock, in order.
    public static func accounts(of id: SandboxID, in tx: Transaction) throws -> [AccountID] {
        try tx.query("SELECT account_id FROM accounts WHERE sandbox_id = \(id) ORDER BY account_id").decodeAll()
    }

    /// The moves of its clock, the first one first.
    public static func moves(of id: SandboxID, in tx: Transaction) throws -> [SandboxMove] {
        try tx.query(
            """
            SELECT sandbox_id, number, moved_at, from_offset_ms, to_offset_ms, moved_by FROM sandbox_moves
            WHERE sandbox_id = \(id) ORDER BY number
            """
        ).map { row in
            SandboxMove(
                sandboxID: try row.decode("sandbox_id"), number: try row.decode("number"),
                movedAt: try row.decode("moved_at"), fromMilliseconds: try row.decode("from_offset_ms"),
                toMilliseconds: try row.decode("to_offset_ms"), movedBy: try row.decode("moved_by"))
        }
    }

    /// The clocks of these sandboxes that were ever moved; of all where none are named.
    static func clocks(of ids: Set<SandboxID>? = nil, in tx: Transaction) throws -> [SandboxID: TestClock] {
        let only: SQL = ids.map { "WHERE sandbox_id = ANY(\(Array($0))::uuid[])" } ?? ""
        let rows = try tx.query(
            "SELECT sandbox_id, moved_at, to_offset_ms FROM sandbox_moves \(only) ORDER BY sandbox_id, number")
        var moves: [SandboxID: [TestClock.Move]] = [:]
        for row in rows {
            moves[try row.decode("sandbox_id"), default: []].append(
                TestClock.Move(at: try row.decode("moved_at"), offsetMilliseconds: try row.decode("to_offset_ms")))
        }
        return moves.mapValues { TestClock(moves: $0) }
    }

    /// Writes a move of a locked sandbox and lets its accounts go by it; `accounts` are all of them, held by the
    /// caller.
    public static func insert(_ move: SandboxMove, accounts: [AccountID], in tx: Transaction) throws {
        try tx.execute(
            """
            INSERT INTO sandbox_moves (sandbox_id, number, moved_at, from_offset_ms, to_offset_ms, moved_by)
            VALUES (
                \(move.sandboxID), \(move.number), \(move.movedAt), \(move.fromMilliseconds), \(move.toMilliseconds),
                \(move.movedBy)
            )
            """)
        for account in accounts {
            let change = try ChangeStorage.record(.clock, entity: account.description, in: tx)
            try tx.execute(
                """
                UPDATE accounts SET clock_offset_ms = \(move.toMilliseconds), clock_change = \(change)
                WHERE account_id = \(account)
                """)
        }
    }

    private static let select: SQL = """
        SELECT sandbox_id, name, created_at, deleted_at, \(clockColumns("sandboxes")) FROM sandboxes
        """

    /// The moves of the clock of the sandbox that a row of `table` names, for `clock(_:)`.
    static func clockColumns(_ table: String) -> SQL {
        let moves = "FROM sandbox_moves m WHERE m.sandbox_id = \(table).sandbox_id ORDER BY m.number"
        return "ARRAY(SELECT m.moved_at \(unescaped: moves)) AS moved_at, "
            + "ARRAY(SELECT m.to_offset_ms \(unescaped: moves)) AS move_offsets"
    }

    static func clock(_ row: Row) throws -> TestClock {
        let instants = try row.decode("moved_at", as: [Timestamp].self)
        let offsets = try row.decode("move_offsets", as: [Int64].self)
        return TestClock(moves: zip(instants, offsets).map { TestClock.Move(at: $0, offsetMilliseconds: $1) })
    }

    private static func sandbox(_ row: Row) throws -> Sandbox {
        Sandbox(
            id: try row.decode("sandbox_id"), name: try row.decode("name"), clock: try clock(row),
            createdAt: try row.decode("created_at"), deletedAt: try row.decode("deleted_at"))
    }
}
