public import Accounts
public import Engines
public import Identity
import Monetary
public import Postgres

/// Billing accounts.
public enum AccountStorage {
    /// Stores a new account.
    public static func insert(_ account: Account, in tx: Transaction) throws {
        try StorageError.requireName(account.name)
        guard account.billing.address.count <= BillingDetails.addressLinesMax else {
            throw StorageError.invalid(
                parameter: "address", message: "it has at most \(BillingDetails.addressLinesMax) lines")
        }
        try ZoneCheck.require(account.calendar, around: account.createdAt, in: tx)
        try tx.execute(
            """
            INSERT INTO accounts (
                account_id, name, currency, time_zone, legal_name, address, tax_id, email, created_at, mode, sandbox_id,
                clock_offset_ms
            )
            VALUES (
                \(account.id), \(account.name), \(account.currency), \(account.calendar.zoneName),
                \(account.billing.legalName), \(account.billing.address), \(account.billing.taxID),
                \(account.billing.email), \(account.createdAt), \(account.mode.rawValue), \(account.sandboxID),
                \(account.clockOffsetMilliseconds)
            )
            """)
        try ChangeStorage.record(.account, entity: account.id.description, in: tx)
    }

    /// Which of the months that are kept (`PeriodStorage`) an account's calendar is to hold. Others begin where the
    /// zone's rules of today say, which need not be where they began.
    public enum KeptMonths: Hashable, Sendable {
        case all
        /// For who asks for no month.
        case none
        case from(CivilMonth)
    }

    /// The account, or nil.
    public static func find(
        _ id: AccountID, months: KeptMonths = .all, in tx: Transaction
    ) throws -> Account? {
        try tx.query("\(selecting(months)) WHERE account_id = \(id)").first.map(account)
    }

    /// The account; `.notFound` when there is none.
    public static func require(
        _ id: AccountID, months: KeptMonths = .all, in tx: Transaction
    ) throws -> Account {
        guard let account = try find(id, months: months, in: tx) else { throw StorageError.notFound("account \(id)") }
        return account
    }

    /// A page of all accounts.
    public static func list(
        mode: AccountMode? = nil, _ page: PageRequest = PageRequest(), in tx: Transaction
    ) throws -> Page<Account> {
        let rows = try tx.query(
            """
            \(select) WHERE account_id > \(page.afterOrZero) \(only(mode))
            ORDER BY account_id LIMIT \(page.limitAndOne)
            """)
        return Page(try rows.map(account), page)
    }

    /// The ids of all accounts, or of those of a mode, in order: what a batch walks over.
    public static func ids(mode: AccountMode? = nil, in tx: Transaction) throws -> [AccountID] {
        try tx.query(
            """
            SELECT account_id FROM accounts a
            WHERE NOT EXISTS (SELECT 1 FROM deleted_accounts d WHERE d.account_id = a.account_id) \(only(mode))
            ORDER BY account_id
            """
        ).decodeAll()
    }

    /// These accounts, or all of the mode, in order. `.notFound` where one of them is not there, and a conflict where
    /// one is of the other mode: nothing that was asked for is left out in silence.
    public static func ids(_ named: [AccountID]?, mode: AccountMode?, in tx: Transaction) throws -> [AccountID] {
        guard let named else { return try ids(mode: mode, in: tx) }
        return try Set(named).sorted().map { id in
            let row = try tx.query("SELECT mode FROM accounts WHERE account_id = \(id)").first
            guard let row else { throw StorageError.notFound("account \(id)") }
            let own = try row.value("mode", as: AccountMode.self)
            guard mode == nil || mode == own else {
                throw StorageError.conflict("account \(id) is \(own.rawValue): say that mode, or none")
            }
            return id
        }
    }

    private static func only(_ mode: AccountMode?) -> SQL { mode.map { "AND mode = \($0.rawValue)" } ?? "" }

    /// For rows that belong to accounts: those of accounts of that mode.
    static func rowsOfAccounts(_ mode: AccountMode?, named column: String = "account_id") -> SQL {
        guard let mode else { return "" }
        let accounts: SQL = "(SELECT m.account_id FROM accounts m WHERE m.mode = \(mode.rawValue)) "
        return "AND \(unescaped: column) IN \(accounts)"
    }

    /// Changes the name and what stands on invoices. Currency and zone never change.
    public static func update(
        _ id: AccountID, name: String, billing: BillingDetails, in tx: Transaction
    ) throws {
        let count = try tx.execute(
            """
            UPDATE accounts SET name = \(name), legal_name = \(billing.legalName), address = \(billing.address),
                tax_id = \(billing.taxID), email = \(billing.email)
            WHERE account_id = \(id)
            """)
        guard count == 1 else { throw StorageError.notFound("account \(id)") }
    }

    /// Puts an account on hold so that the batch passes it over, or takes it up again (nil).
    public static func putOnHold(_ id: AccountID, reason: String?, in tx: Transaction) throws {
        let count = try tx.execute("UPDATE accounts SET parked_reason = \(reason) WHERE account_id = \(id)")
        guard count == 1 else { throw StorageError.notFound("account \(id)") }
    }

    /// Why the batch passes an account over, also where the rest of it cannot be read; nil where it does not.
    public static func holdReason(of id: AccountID, in tx: Transaction) throws -> String? {
        try tx.query("SELECT parked_reason FROM accounts WHERE account_id = \(id)").first.flatMap {
            try $0.decode("parked_reason", as: String?.self)
        }
    }

    /// Locks the account until the transaction ends: whoever else changes its invoices waits. A transaction that began
    /// to read before the other one ended is told so and, at one moment (`Database.writeAtOneMoment`), runs again; a
    /// mere lock would let it go on with what it had read. One of a deleted sandbox is not there any more, though rows
    /// of it may be.
    public static func lock(_ id: AccountID, in tx: Transaction) throws {
        let count = try tx.execute(
            """
            UPDATE accounts SET parked_reason = parked_reason
            WHERE account_id = \(id) AND NOT EXISTS (SELECT 1 FROM deleted_accounts d WHERE d.account_id = \(id))
            """)
        guard count == 1 else { throw StorageError.notFound("account \(id)") }
    }

    /// Locks the account where its row is still there, for who removes it.
    static func lockIfThere(_ id: AccountID, in tx: Transaction) throws -> Bool {
        try tx.execute("UPDATE accounts SET parked_reason = parked_reason WHERE account_id = \(id)") == 1
    }

    /// Shares the account until the transaction ends: whoever would hold it waits, and this waits for whoever does.
    public static func share(_ id: AccountID, in tx: Transaction) throws {
        let rows = try tx.query("SELECT 1 FROM accounts WHERE account_id = \(id) FOR SHARE")
        guard !rows.isEmpty else { throw StorageError.notFound("account \(id)") }
    }

    private static let select = selecting(.all)

    private static func selecting(_ months: KeptMonths) -> SQL {
        let kept: SQL =
            switch months {
            case .all: ""
            case .none: "AND false"
            case .from(let first): "AND month >= \(first.firstDay)"
            }
        let rows: SQL = "FROM billing_periods b WHERE b.account_id = accounts.account_id \(kept) ORDER BY month"
        return """
            SELECT account_id, name, currency, time_zone, legal_name, address, tax_id, email, sandbox_id,
                clock_change, parked_reason, created_at, \(SandboxStorage.clockColumns("accounts")),
                ARRAY(SELECT month \(rows)) AS months,
                ARRAY(SELECT period_start \(rows)) AS period_starts
            FROM accounts
            """
    }

    /// Accounts that do not read; their usage is held.
    public static func faults(in tx: Transaction) throws -> [ServiceFault] {
        var faults: [ServiceFault] = []
        for id in try ids(in: tx) where faults.count < ServiceFault.countMax {
            if case .failure(let error) = try UnreadableRow.reading({ try find(id, in: tx) }) {
                faults.append(.unreadable(.account, "\(id)", error.reason))
            }
        }
        return faults
    }

    /// These accounts, by id: each, or why it does not read.
    static func readings(
        of ids: [AccountID], in tx: Transaction
    ) throws -> [(id: AccountID, account: Result<Account, UnreadableRow>)] {
        try tx.query("\(select) WHERE account_id = ANY(\(ids)::uuid[]) ORDER BY account_id").map { row in
            (try row.decode("account_id"), try UnreadableRow.reading { try account(row) })
        }
    }

    /// The account's name, also where the rest of it cannot be read; nil where there is no such account.
    public static func name(of id: AccountID, in tx: Transaction) throws -> String? {
        try tx.query("SELECT name FROM accounts WHERE account_id = \(id)").first.map { try $0.decode("name") }
    }

    private static func calendar(_ row: Row) throws -> BillingCalendar {
        let months = try row.decode("months", as: [CivilDate].self).map { CivilMonth(of: $0) }
        let starts = try row.decode("period_starts", as: [Timestamp].self)
        return try BillingCalendar(zoneName: try row.decode("time_zone"))
            .keeping(Dictionary(zip(months, starts)) { first, _ in first })
    }

    private static func account(_ row: Row) throws -> Account {
        Account(
            id: try row.decode("account_id"),
            name: try row.decode("name"),
            currency: try row.decode("currency"),
            calendar: try calendar(row),
            billing: BillingDetails(
                legalName: try row.decode("legal_name"),
                address: try row.decode("address"),
                taxID: try row.decode("tax_id"),
                email: try row.decode("email")),
            sandboxID: try row.decode("sandbox_id"),
            clock: try SandboxStorage.clock(row),
            clockChange: try row.decode("clock_change"),
            holdReason: try row.decode("parked_reason"),
            createdAt: try row.decode("created_at"))
    }
}
