public import Accounts
public import Identity
public import Postgres

/// The audit trail: entries in chains, one an account and one for the seller.
public enum AuditStorage {
    /// Which entries are asked for.
    public struct Filter: Hashable, Sendable {
        /// Nil for all.
        public var chain: AuditChain?
        public var subject: String?
        public var action: String?
        /// The principal's id.
        public var actor: String?

        public init(chain: AuditChain? = nil, subject: String? = nil, action: String? = nil, actor: String? = nil) {
            self.chain = chain
            self.subject = subject
            self.action = action
            self.actor = actor
        }
    }

    /// The chain's head, locked until the transaction ends: whoever else appends to the chain waits. A new chain begins
    /// here.
    public static func lockHead(of chain: AuditChain, in tx: Transaction) throws -> AuditHead {
        if let head = try lockedHead(of: chain, in: tx) { return head }
        try tx.execute(
            """
            INSERT INTO audit_heads (account_id, number, sha256)
            VALUES (\(chain.uuid), 0, \(AuditHead.none.digest)) ON CONFLICT DO NOTHING
            """)
        guard let head = try lockedHead(of: chain, in: tx) else {
            throw StorageError.corrupt("the audit chain \(chain) has no head")
        }
        return head
    }

    /// Adds the next entry to a chain whose head is locked.
    public static func append(_ entry: AuditEntry, in tx: Transaction) throws {
        let principal = entry.principal
        try tx.execute(
            """
            INSERT INTO audit_entries (
                account_id, number, entry_id, recorded_at, action, subject, actor_kind, actor_id, actor_name, origin,
                before, after, reason, previous_sha256, sha256
            ) VALUES (
                \(entry.chain.uuid), \(entry.number), \(entry.id), \(entry.recordedAt), \(entry.action),
                \(entry.subject), \(principal.kind.rawValue), \(principal.id), \(principal.name), \(principal.origin),
                \(entry.before)::json, \(entry.after)::json, \(entry.reason), \(entry.previous), \(entry.digest)
            )
            """)
        try tx.execute(
            """
            UPDATE audit_heads SET number = \(entry.number), sha256 = \(entry.digest)
            WHERE account_id = \(entry.chain.uuid)
            """)
    }

    /// A page: of one chain by number, of all by id, which is about the order of time.
    public static func list(
        _ filter: Filter = Filter(), _ page: PageRequest = PageRequest(), in tx: Transaction
    ) throws -> Page<AuditEntry> {
        let filters: SQL = """
            (\(filter.subject)::text IS NULL OR subject = \(filter.subject))
                AND (\(filter.action)::text IS NULL OR action = \(filter.action))
                AND (\(filter.actor)::text IS NULL OR actor_id = \(filter.actor))
            """
        let rows: Rows
        if let chain = filter.chain {
            let after = try number(of: page.after, in: chain, tx)
            rows = try tx.query(
                """
                \(select)
                WHERE account_id = \(chain.uuid) AND \(filters) AND number > \(after)
                ORDER BY number LIMIT \(page.limitAndOne)
                """)
        } else {
            rows = try tx.query(
                """
                \(select) WHERE entry_id > \(page.afterOrZero) AND \(filters)
                ORDER BY entry_id LIMIT \(page.limitAndOne)
                """)
        }
        return Page(try rows.map(entry), page)
    }

    /// The place of the entry that a page comes after; 0 for the first page.
    private static func number(of entry: UUIDv7?, in chain: AuditChain, _ tx: Transaction) throws -> Int64 {
        guard let entry else { return 0 }
        let rows = try tx.query(
            "SELECT number FROM audit_entries WHERE account_id = \(chain.uuid) AND entry_id = \(entry)")
        guard let row = rows.first else {
            throw StorageError.invalid(parameter: "after", message: "no entry of this chain has that id")
        }
        return try row.decode("number")
    }

    /// The entries of a chain from a number on, by number.
    public static func entries(
        of chain: AuditChain, after number: Int64, limit: Int, in tx: Transaction
    ) throws -> [AuditEntry] {
        try tx.query(
            "\(select) WHERE account_id = \(chain.uuid) AND number > \(number) ORDER BY number LIMIT \(limit)"
        ).map(entry)
    }

    /// What was said of an account's invoices that became final, were paid or made void, in order: of all, or of those
    /// of a period.
    public static func invoiceEntries(
        of account: AccountID, periodStart: Timestamp? = nil, in tx: Transaction
    ) throws -> [AuditEntry] {
        let only: SQL = periodStart.map { "AND after->>'period_start' = \("\($0)")" } ?? ""
        return try tx.query(
            "\(select) WHERE account_id = \(account) AND action LIKE 'invoice.%' \(only) ORDER BY number"
        ).map(entry)
    }

    /// What was said of an account's credit notes, in order: of all, or of those of these invoices.
    public static func creditNoteEntries(
        of account: AccountID, correcting invoices: Set<InvoiceID>? = nil, in tx: Transaction
    ) throws -> [AuditEntry] {
        let only: SQL = invoices.map { "AND after->>'invoice' = ANY(\($0.map(\.description))::text[])" } ?? ""
        return try tx.query(
            "\(select) WHERE account_id = \(account) AND action LIKE 'credit_note.%' \(only) ORDER BY number"
        ).map(entry)
    }

    /// The first entry of an account's chain, or the first one of these actions.
    public static func firstEntry(
        of account: AccountID, actions prefix: String = "", in tx: Transaction
    ) throws -> AuditEntry? {
        try tx.query(
            "\(select) WHERE account_id = \(account) AND starts_with(action, \(prefix)) ORDER BY number LIMIT 1"
        ).first.map(entry)
    }

    /// Every chain that there is or should be, the seller's first; the head is nil where it is missing.
    public static func chains(in tx: Transaction) throws -> [(chain: AuditChain, head: AuditHead?)] {
        let named: [UUIDv7] = try tx.query(
            """
            SELECT account_id FROM accounts UNION SELECT account_id FROM audit_heads
            UNION SELECT account_id FROM audit_entries
            """
        ).decodeAll()
        var heads: [UUIDv7: AuditHead] = [:]
        for row in try tx.query("SELECT account_id, number, sha256 FROM audit_heads") {
            heads[try row.decode("account_id")] = AuditHead(
                number: try row.decode("number"), digest: try row.decode("sha256"))
        }
        return Set(named + [AuditChain.seller.uuid]).sorted().map { (AuditChain(uuid: $0), heads[$0]) }
    }

    private static func lockedHead(of chain: AuditChain, in tx: Transaction) throws -> AuditHead? {
        try tx.query("SELECT number, sha256 FROM audit_heads WHERE account_id = \(chain.uuid) FOR UPDATE").first.map {
            AuditHead(number: try $0.decode("number"), digest: try $0.decode("sha256"))
        }
    }

    private static let select: SQL = """
        SELECT account_id, number, entry_id, recorded_at, action, subject, actor_kind, actor_id, actor_name, origin,
            before, after, reason, previous_sha256, sha256
        FROM audit_entries
        """

    private static func entry(_ row: Row) throws -> AuditEntry {
        AuditEntry(
            id: try row.decode("entry_id"), chain: AuditChain(uuid: try row.decode("account_id")),
            number: try row.decode("number"), recordedAt: try row.decode("recorded_at"),
            action: try row.decode("action"), subject: try row.decode("subject"),
            principal: Principal(
                try row.value("actor_kind"), id: try row.decode("actor_id"), name: try row.decode("actor_name"),
                origin: try row.decode("origin")),
            before: try row.decode("before"), after: try row.decode("after"), reason: try row.decode("reason"),
            previous: try row.decode("previous_sha256"), digest: try row.decode("sha256"))
    }
}

/// Events that wait to be told to others.
public enum OutboxStorage {
    public static func insert(_ event: OutboxEvent, in tx: Transaction) throws {
        try tx.execute(
            """
            INSERT INTO outbox_events (account_id, number, event_id, name, occurred_at, payload)
            VALUES (
                \(event.chain.uuid), \(event.number), \(event.id), \(event.name), \(event.occurredAt),
                \(event.payload)::json
            )
            """)
    }

    /// The events of a chain after a number, in their order.
    public static func events(
        of chain: AuditChain, after number: Int64 = 0, limit: Int = PageRequest.limitMax, in tx: Transaction
    ) throws -> [OutboxEvent] {
        try tx.query(
            """
            SELECT account_id, number, event_id, name, occurred_at, payload FROM outbox_events
            WHERE account_id = \(chain.uuid) AND number > \(number) ORDER BY number LIMIT \(limit)
            """
        ).map { row in
            OutboxEvent(
                id: try row.decode("event_id"), chain: AuditChain(uuid: try row.decode("account_id")),
                number: try row.decode("number"), name: try row.decode("name"),
                occurredAt: try row.decode("occurred_at"), payload: try row.decode("payload"))
        }
    }
}
