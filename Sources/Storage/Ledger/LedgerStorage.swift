public import Accounts
public import Identity
public import Ledger
public import Monetary
public import Postgres

/// The double entry: transactions are added and never changed.
public enum LedgerStorage {
    /// Books a transaction. False where it is booked already: its identity is unique.
    @discardableResult
    public static func insert(_ transaction: LedgerTransaction, in tx: Transaction) throws -> Bool {
        let identity = transaction.identity
        let inserted = try tx.execute(
            """
            INSERT INTO ledger_transactions (
                account_id, transaction_id, kind, product, day, revision, currency, booked_at, booked_on, invoice_id,
                description
            ) VALUES (
                \(identity.accountID), \(transaction.id), \(identity.kind.rawValue), \("\(identity.subject)"),
                \(identity.day), \(identity.revision), \(transaction.currency), \(transaction.bookedAt),
                \(transaction.bookedOn), \(transaction.invoiceID), \(transaction.description)
            )
            ON CONFLICT DO NOTHING
            """)
        guard inserted == 1 else { return false }
        var batch = InsertBatch(columns: [
            .init("account_id", "uuid"), .init("transaction_id", "uuid"), .init("line", "integer"),
            .init("ledger_account", "text"), .init("amount", "numeric"),
        ])
        for (index, posting) in transaction.postings.enumerated() {
            try batch.append([
                identity.accountID, transaction.id, index + 1, posting.ledgerAccount.rawValue, posting.amount,
            ])
        }
        try tx.execute(batch.insert(into: "ledger_postings"))
        return true
    }

    /// The local days on which the rollups and what is booked of them differ, by model and day: of a range of days,
    /// or of all, whatever is marked. For reconcile; who books reads `UnpostedStorage`.
    public static func openAccruals(
        of account: Account, days: ClosedRange<CivilDate>? = nil, in tx: Transaction
    ) throws -> [Accrual] {
        let zone = account.calendar.zoneName
        let bookedDays: SQL =
            days.map { "AND t.day BETWEEN \($0.lowerBound)::date AND \($0.upperBound)::date" } ?? ""
        return try tx.query(
            """
            WITH rated AS (
                SELECT u.model,
                    (u.hour_start AT TIME ZONE \(zone))::date AS day, sum(u.amount) AS amount
                FROM usage_rollups u WHERE u.account_id = \(account.id) AND \(LocalDays.hours("u", in: days, zone))
                GROUP BY 1, 2
            ), booked AS (
                SELECT substr(t.product, \(LedgerSubject.usagePrefix.count + 1)) AS model, t.day,
                    sum(p.amount) AS amount, max(t.revision) AS revisions
                FROM ledger_transactions t JOIN ledger_postings p USING (account_id, transaction_id)
                WHERE t.account_id = \(account.id) AND t.kind = \(TransactionKind.accrual.rawValue) \(bookedDays)
                    AND p.ledger_account = \(LedgerAccount.unbilledReceivables.rawValue)
                GROUP BY 1, 2
            )
            SELECT model, day, coalesce(rated.amount, 0)::numeric(38, 12) AS rated,
                coalesce(booked.amount, 0)::numeric(38, 12) AS booked, coalesce(booked.revisions, 0) AS revisions
            FROM rated FULL JOIN booked USING (model, day)
            WHERE coalesce(rated.amount, 0) <> coalesce(booked.amount, 0)
            ORDER BY model, day
            """
        ).map { try accrual($0, of: account) }
    }

    static func accrual(_ row: Row, of account: Account) throws -> Accrual {
        Accrual(
            accountID: account.id, model: try row.decode("model"), day: try row.decode("day"),
            rated: try row.money("rated", account.currency), booked: try row.money("booked", account.currency),
            revisions: try row.decode("revisions"))
    }

    /// What is booked under a transaction's identity, whatever its revision: the sum on one ledger account, and how
    /// many revisions there are.
    public static func booked(
        on ledgerAccount: LedgerAccount, kind: TransactionKind, subject: LedgerSubject, account: Account,
        in tx: Transaction
    ) throws -> (amount: Money, revisions: Int32) {
        let row = try tx.query(
            """
            SELECT coalesce(sum(p.amount), 0)::numeric(38, 12) AS amount, coalesce(max(t.revision), 0) AS revisions
            FROM ledger_transactions t JOIN ledger_postings p USING (account_id, transaction_id)
            WHERE t.account_id = \(account.id) AND t.kind = \(kind.rawValue) AND t.product = \("\(subject)")
                AND p.ledger_account = \(ledgerAccount.rawValue)
            """
        ).only()
        return (try row.money("amount", account.currency), try row.decode("revisions"))
    }

    /// The balances of an account: those at the end of its newest closed period and what was booked since; zero where
    /// there is nothing.
    public static func balances(of account: Account, in tx: Transaction) throws -> [LedgerAccount: Money] {
        var balances = Dictionary(
            uniqueKeysWithValues: LedgerAccount.allCases.map { ($0, Money.zero(account.currency)) })
        let closed = try ClosingStorage.closedThrough(of: account.id, in: tx)
        let rows = try tx.query(
            """
            SELECT ledger_account, sum(amount)::numeric(38, 12) AS amount
            FROM (\(ClosingStorage.movements(of: account.id, after: closed, through: nil))) m GROUP BY ledger_account
            """)
        for row in rows {
            let ledgerAccount = try row.value("ledger_account", as: LedgerAccount.self)
            balances[ledgerAccount] = try row.money("amount", account.currency)
        }
        return balances
    }

    /// What an account is owed of credits by its books: a part of `balances`, without reading accruals, which never
    /// move it.
    public static func creditsOwed(to account: Account, in tx: Transaction) throws -> Money {
        let closed = try ClosingStorage.closedThrough(of: account.id, in: tx)
        let owed = LedgerAccount.serviceLevelCreditsOwed.rawValue
        let row = try tx.query(
            """
            SELECT (-coalesce(sum(amount), 0))::numeric(38, 12) AS amount FROM (
                SELECT balance AS amount FROM ledger_checkpoints
                WHERE account_id = \(account.id) AND last_day = \(closed) AND ledger_account = \(owed)
                UNION ALL
                SELECT p.amount FROM ledger_transactions t JOIN ledger_postings p USING (account_id, transaction_id)
                WHERE t.account_id = \(account.id) AND t.kind <> 'accrual' AND p.ledger_account = \(owed)
                    AND t.booked_on > coalesce(\(closed)::date, '-infinity')
            ) m
            """
        ).only()
        return try row.money("amount", account.currency)
    }

    /// Transactions whose postings do not sum to zero, or that have none: there are none unless someone changed the
    /// database by hand. At most `PageRequest.limitMax`.
    public static func unbalanced(
        account: Account, days: ClosedRange<CivilDate>? = nil, in tx: Transaction
    ) throws -> [(id: TransactionID, sum: Money)] {
        let only: SQL = days.map { "AND t.day BETWEEN \($0.lowerBound)::date AND \($0.upperBound)::date" } ?? ""
        return try tx.query(
            """
            SELECT t.transaction_id, coalesce(sum(p.amount), 0)::numeric(38, 12) AS amount
            FROM ledger_transactions t LEFT JOIN ledger_postings p USING (account_id, transaction_id)
            WHERE t.account_id = \(account.id) \(only)
            GROUP BY t.transaction_id HAVING coalesce(sum(p.amount), 0) <> 0 OR count(p.line) = 0
            ORDER BY t.transaction_id LIMIT \(PageRequest.limitMax)
            """
        ).map { row in (try row.decode("transaction_id"), try row.money("amount", account.currency)) }
    }

    /// An account's transactions with their postings, as they were booked.
    public static func transactions(
        of account: Account, kind: TransactionKind? = nil, invoice: InvoiceID? = nil,
        limit: Int = PageRequest.limitMax, in tx: Transaction
    ) throws -> [LedgerTransaction] {
        var only: SQL = ""
        if let kind { only += "AND kind = \(kind.rawValue) " }
        if let invoice { only += "AND invoice_id = \(invoice) " }
        let rows = try tx.query(
            """
            SELECT t.transaction_id, t.kind, t.product, t.day, t.revision, t.currency, t.booked_at, t.booked_on,
                t.invoice_id, t.description, p.ledger_account, p.amount
            FROM (
                SELECT * FROM ledger_transactions
                WHERE account_id = \(account.id) \(only)
                ORDER BY day, kind, product, revision LIMIT \(limit)
            ) t JOIN ledger_postings p USING (account_id, transaction_id)
            ORDER BY t.day, t.kind, t.product, t.revision, p.line
            """)
        var transactions: [LedgerTransaction] = []
        var index = rows.startIndex
        while index < rows.endIndex {
            let id = try rows[index].decode("transaction_id", as: TransactionID.self)
            let head = rows[index]
            var postings: [Posting] = []
            while index < rows.endIndex, try rows[index].decode("transaction_id", as: TransactionID.self) == id {
                postings.append(
                    Posting(
                        try rows[index].value("ledger_account"), try rows[index].money("amount", account.currency)))
                index += 1
            }
            transactions.append(try transaction(head, account: account.id, postings: postings))
        }
        return transactions
    }

    private static func transaction(
        _ row: Row, account: AccountID, postings: [Posting]
    ) throws -> LedgerTransaction {
        let text = try row.decode("product", as: String.self)
        guard let subject = LedgerSubject(text) else {
            throw StorageError.corrupt("a ledger transaction is about \"\(text)\", which is no subject")
        }
        return try LedgerTransaction(
            TransactionIdentity(
                accountID: account, kind: try row.value("kind"), subject: subject,
                day: try row.decode("day"), revision: try row.decode("revision")),
            currency: try row.decode("currency"), bookedAt: try row.decode("booked_at"),
            bookedOn: try row.decode("booked_on"), invoiceID: try row.decode("invoice_id"),
            description: try row.decode("description"), postings: postings)
    }
}
