public import Accounts
public import Identity
import Invoicing
public import Ledger
import Metering
import Monetary
public import Postgres
import Pricing
public import ServiceLevels

/// Results of promises, and the requests that they are judged by.
public enum ServiceLevelStorage {
    /// Requests read in one go.
    public static let pageSize = 20_000

    /// Hands each request of the account's period to `body`, in the order of acceptance. Lines of batches are promised
    /// nothing: nobody waits for them.
    public static func forEachRequest(
        of account: AccountID, in period: BillingPeriod, rule: PromiseScope.Rule, in tx: Transaction,
        _ body: (MeasuredRequest) -> Void
    ) throws {
        var after = (accepted: period.start, id: UUIDv7(high: 0, low: 0))
        while true {
            let rows = try tx.query(
                """
                SELECT accepted_at, record_id, subscription_id, tier_requested, tier,
                    is_stream AND strpos(notes, 'client_time') = 0 AS is_stream, outcome, http_status,
                    reason, first_byte_us, first_token_us, end_us
                FROM request_records
                WHERE account_id = \(account) AND accepted_at >= \(period.start) AND accepted_at < \(period.end)
                    AND operation <> 'batch' AND (accepted_at, record_id) > (\(after.accepted), \(after.id))
                ORDER BY accepted_at, record_id LIMIT \(pageSize)
                """)
            for row in rows { body(try measured(row, rule)) }
            guard rows.count == pageSize, let last = rows.last else { return }
            after = (try last.decode("accepted_at"), try last.decode("record_id"))
        }
    }

    private static func scope(_ row: Row, _ rule: PromiseScope.Rule) throws -> PromiseScope {
        PromiseScope(
            asked: ServiceTier.canonical(try row.decode("tier_requested")), served: try row.decode("tier"),
            base: ServiceTier.standard, rule: rule)
    }

    private static func measured(_ row: Row, _ rule: PromiseScope.Rule) throws -> MeasuredRequest {
        let scope = try scope(row, rule)
        return MeasuredRequest(
            id: try row.decode("record_id"), subscriptionID: try row.decode("subscription_id"),
            tier: scope.tier, isStream: try row.decode("is_stream"), outcome: try row.value("outcome"),
            httpStatus: try row.decode("http_status"), reason: try row.decode("reason"),
            firstByteMicroseconds: try row.decode("first_byte_us"),
            firstTokenMicroseconds: try row.decode("first_token_us"), endMicroseconds: try row.decode("end_us"),
            servedInstead: scope.servedInstead)
    }

    /// The exact billed charges of a period by subscription and tier: what credits are a share of. They are those of
    /// the requests that count for the tier's promises.
    public static func charges(
        of account: Account, in period: BillingPeriod, rule: PromiseScope.Rule, in tx: Transaction
    ) throws -> [TierCharge] {
        if rule == .tierServed {
            return try InvoiceStorage.tierCharges(of: account, periodStart: period.start, in: tx)
        }
        let rows = try tx.query(
            """
            SELECT r.subscription_id, r.tier_requested, r.tier, sum(t.amount)::numeric(38, 12) AS amount
            FROM request_records r JOIN attempt_records t ON t.account_id = r.account_id
                AND t.accepted_at = r.accepted_at AND t.request_id = r.record_id
            WHERE r.account_id = \(account.id) AND r.accepted_at >= \(period.start) AND r.accepted_at < \(period.end)
                AND t.accepted_at >= \(period.start) AND t.accepted_at < \(period.end)
                AND r.operation <> 'batch' AND t.rating = 'rated'
            GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            """)
        var charges: [TierCharge] = []
        for row in rows {
            let subscription: SubscriptionID = try row.decode("subscription_id")
            let tier = try scope(row, rule).tier
            let amount = try row.money("amount", account.currency)
            if let index = charges.firstIndex(where: { $0.subscriptionID == subscription && $0.tier == tier }) {
                charges[index].amount = try charges[index].amount.adding(amount)
            } else {
                charges.append(TierCharge(subscriptionID: subscription, tier: tier, amount: amount))
            }
        }
        return charges
    }

    /// Takes back a result of a month that is not closed.
    public static func delete(_ result: StoredPromiseResult, in tx: Transaction) throws {
        try tx.execute("DELETE FROM service_level_results WHERE \(key(result))")
    }

    /// Stores a result in the place of an earlier one of the same promise and month. False where the same was there.
    @discardableResult
    public static func store(_ result: StoredPromiseResult, in tx: Transaction) throws -> Bool {
        if let existing = try find(result.id, account: result.accountID, in: tx), existing.isSame(as: result) {
            return false
        }
        try tx.execute("DELETE FROM service_level_results WHERE \(key(result))")
        try tx.execute(
            """
            INSERT INTO service_level_results (
                account_id, result_id, subscription_id, period_start, period_end, plan, plan_version, tier, objective,
                threshold_ms, status, promised_percent, requests, good, excluded, credit_percent, base_amount,
                exact_credit, credit_amount, currency, evidence, scope_rule, evaluated_at
            ) VALUES (
                \(result.accountID), \(result.id), \(result.subscriptionID), \(result.period.start),
                \(result.period.end), \(result.plan), \(result.planVersion), \(result.tier), \(result.objective.name),
                \(result.objective.thresholdMilliseconds), \(result.status.rawValue),
                \(result.promised.description), \(result.attainment.counted), \(result.attainment.good),
                \(result.excluded), \(result.creditPercent.description), \(result.base), \(result.exactCredit),
                \(result.credit), \(result.base.currency), \(try result.evidence.json()), \(Int(result.rule.rawValue)),
                \(result.evaluatedAt)
            )
            ON CONFLICT DO NOTHING
            """)
        return true
    }

    private static func key(_ result: StoredPromiseResult) -> SQL {
        "account_id = \(result.accountID) AND result_id = \(result.id)"
    }

    /// The result, or nil.
    public static func find(
        _ id: ServiceLevelResultID, account: AccountID, in tx: Transaction
    ) throws -> StoredPromiseResult? {
        try tx.query("\(select) WHERE account_id = \(account) AND result_id = \(id)").first.map(result)
    }

    /// The account's results, of one period or all, by period, subscription, tier and objective.
    public static func results(
        of account: AccountID, periodStart: Timestamp? = nil, in tx: Transaction
    ) throws -> [StoredPromiseResult] {
        let only: SQL = periodStart.map { "AND period_start = \($0)" } ?? ""
        return try tx.query(
            """
            \(select)
            WHERE account_id = \(account) \(only)
            ORDER BY period_start, subscription_id, tier, objective, threshold_ms
            """
        ).map(result)
    }

    /// The results of which a credit is still owed, of periods that begin before `end`. They are looked for from the
    /// newest on, until they come to what the books say is owed: those before that are settled.
    public static func unsettled(
        to account: Account, before end: Timestamp, in tx: Transaction
    ) throws -> [GrantedResult] {
        let owed = try LedgerStorage.creditsOwed(to: account, in: tx)
        var found: [GrantedResult] = []
        var sum = Money.zero(account.currency)
        var before: Timestamp?
        while sum != owed {
            let newest = try tx.query(
                """
                SELECT max(period_start) FROM service_level_results
                WHERE account_id = \(account.id) AND period_start < coalesce(\(before)::timestamptz, 'infinity')
                """
            ).onlyValue(as: Timestamp?.self)
            guard let newest else { break }
            let rows = try tx.query(
                """
                \(granted) WHERE r.account_id = \(account.id) AND r.period_start = \(newest) AND r.exact_credit > 0
                ORDER BY r.subscription_id, r.tier, r.objective
                """)
            for result in try rows.map(granted) {
                let left = try result.result.exactCredit.subtracting(result.appliedExact)
                sum = try sum.adding(left)
                if !left.isZero, newest < end { found.append(result) }
            }
            before = newest
        }
        return found
    }

    /// Every result with a credit, of periods that begin before `end`, with what of it final invoices carry.
    public static func granted(
        to account: AccountID, before end: Timestamp, in tx: Transaction
    ) throws -> [GrantedResult] {
        try tx.query(
            """
            \(granted) WHERE r.account_id = \(account) AND r.period_start < \(end) AND r.exact_credit > 0
            ORDER BY r.period_start, r.subscription_id, r.tier, r.objective
            """
        ).map(granted)
    }

    /// The same of one period.
    public static func granted(
        to account: AccountID, periodStart: Timestamp, in tx: Transaction
    ) throws -> [GrantedResult] {
        try tx.query(
            """
            \(granted) WHERE r.account_id = \(account) AND r.period_start = \(periodStart) AND r.exact_credit > 0
            ORDER BY r.subscription_id, r.tier, r.objective
            """
        ).map(granted)
    }

    /// A page of the credits that are owed, of one account or all, in the order of their ids: granted, of months whose
    /// invoice is final, and neither on a final invoice nor paid out.
    public static func owed(
        account: AccountID? = nil, mode: AccountMode? = nil, _ page: PageRequest = PageRequest(), in tx: Transaction
    ) throws -> Page<GrantedResult> {
        let rows = try tx.query(
            """
            \(granted)
            WHERE r.result_id > \(page.afterOrZero) AND (\(account)::uuid IS NULL OR r.account_id = \(account))
                \(AccountStorage.rowsOfAccounts(mode, named: "r.account_id"))
                AND r.exact_credit > coalesce(a.exact_amount, 0) + coalesce(p.exact_amount, 0)
                AND EXISTS (
                    SELECT 1 FROM invoices i WHERE i.account_id = r.account_id AND i.period_start = r.period_start
                        AND i.state IN ('finalized', 'paid')
                )
            ORDER BY r.result_id LIMIT \(page.limitAndOne)
            """)
        return Page(try rows.map(granted), page)
    }

    /// Stores that what is left of a credit was paid. False where it was paid already.
    public static func storePayout(
        _ payout: CreditPaidOut, reason: String, actor: String, paidAt: Timestamp, in tx: Transaction
    ) throws -> Bool {
        try tx.execute(
            """
            INSERT INTO service_level_payouts (account_id, result_id, amount, exact_amount, paid_at, reason, paid_by)
            VALUES (
                \(payout.accountID), \(payout.resultID), \(payout.amount), \(payout.exact), \(paidAt), \(reason),
                \(actor)
            )
            ON CONFLICT DO NOTHING
            """) == 1
    }

    /// Whether a credit was paid out that an invoice has to do with: one of its own month, or one that it carries in
    /// part.
    public static func isPaidOut(anyCreditOf invoice: StoredInvoice, in tx: Transaction) throws -> Bool {
        try tx.query(
            """
            SELECT EXISTS (
                SELECT 1 FROM service_level_payouts p JOIN service_level_results r USING (account_id, result_id)
                WHERE p.account_id = \(invoice.accountID) AND (
                    r.period_start = \(invoice.period.start) OR EXISTS (
                        SELECT 1 FROM invoice_lines l
                        WHERE l.account_id = p.account_id AND l.invoice_id = \(invoice.id)
                            AND l.service_level_result_id = p.result_id
                    )
                )
            )
            """
        ).onlyValue()
    }

    /// Whether a credit was paid out that an invoice carries in part.
    public static func isPaidOut(creditCarriedBy invoice: StoredInvoice, in tx: Transaction) throws -> Bool {
        try tx.query(
            """
            SELECT EXISTS (
                SELECT 1 FROM service_level_payouts p JOIN invoice_lines l
                    ON l.account_id = p.account_id AND l.service_level_result_id = p.result_id
                WHERE p.account_id = \(invoice.accountID) AND l.invoice_id = \(invoice.id)
            )
            """
        ).onlyValue()
    }

    /// What was paid out of an account's credits, one by one, and when.
    public static func payouts(
        of account: Account, in tx: Transaction
    ) throws -> [(payout: CreditPaidOut, paidAt: Timestamp)] {
        try tx.query(
            """
            SELECT result_id, amount, exact_amount, paid_at FROM service_level_payouts
            WHERE account_id = \(account.id) ORDER BY result_id
            """
        ).map { row in
            let payout = CreditPaidOut(
                accountID: account.id, resultID: try row.decode("result_id"),
                exact: try row.money("exact_amount", account.currency),
                amount: try row.money("amount", account.currency))
            return (payout, try row.decode("paid_at"))
        }
    }

    /// Results that final invoices or payouts name and that are not there.
    public static func appliedWithoutResult(
        of account: AccountID, in tx: Transaction
    ) throws -> [ServiceLevelResultID] {
        try tx.query(
            """
            SELECT l.service_level_result_id FROM invoice_lines l
            JOIN invoices i ON i.account_id = l.account_id AND i.invoice_id = l.invoice_id
            LEFT JOIN service_level_results r
                ON r.account_id = l.account_id AND r.result_id = l.service_level_result_id
            WHERE l.account_id = \(account) AND l.kind = \(InvoiceLineKind.serviceLevelCredit.rawValue)
                AND i.state IN ('finalized', 'paid') AND r.result_id IS NULL
            UNION
            SELECT p.result_id FROM service_level_payouts p
            LEFT JOIN service_level_results r ON r.account_id = p.account_id AND r.result_id = p.result_id
            WHERE p.account_id = \(account) AND r.result_id IS NULL
            ORDER BY 1
            """
        ).decodeAll()
    }

    /// Results with what final invoices carry of their credits, less what credit notes took back of that, and with what
    /// was paid out, as `applied`.
    static let granted: SQL = """
        SELECT r.*, (coalesce(a.amount, 0) + coalesce(p.amount, 0))::numeric(38, 12) AS applied,
            (coalesce(a.exact_amount, 0) + coalesce(p.exact_amount, 0))::numeric(38, 12) AS applied_exact
        FROM (\(select)) r LEFT JOIN LATERAL (
            SELECT -sum(l.amount - coalesce(b.amount, 0)) AS amount,
                -sum(l.exact_amount - coalesce(b.exact_amount, 0)) AS exact_amount
            FROM invoice_lines l JOIN invoices i USING (account_id, invoice_id) LEFT JOIN LATERAL (
                SELECT sum(c.amount) AS amount, sum(c.exact_amount) AS exact_amount FROM credit_note_lines c
                WHERE c.account_id = l.account_id AND c.invoice_line_id = l.line_id
            ) b ON true
            WHERE l.account_id = r.account_id AND l.period_start = r.period_start
                AND l.service_level_result_id = r.result_id
                AND l.kind = \(InvoiceLineKind.serviceLevelCredit.rawValue) AND i.state IN ('finalized', 'paid')
        ) a ON true LEFT JOIN service_level_payouts p ON p.account_id = r.account_id AND p.result_id = r.result_id
        """

    private static func granted(_ row: Row) throws -> GrantedResult {
        let result = try result(row)
        return GrantedResult(
            result: result, applied: try row.money("applied", result.base.currency),
            appliedExact: try row.money("applied_exact", result.base.currency))
    }

    private static let select: SQL = """
        SELECT account_id, result_id, subscription_id, period_start, period_end, plan, plan_version, tier, objective,
            threshold_ms, status, promised_percent, requests, good, excluded, credit_percent, base_amount, exact_credit,
            credit_amount, currency, evidence, scope_rule, evaluated_at
        FROM service_level_results
        """

    private static func rule(_ row: Row) throws -> PromiseScope.Rule {
        let number = try row.decode("scope_rule", as: Int.self)
        guard let rule = Int16(exactly: number).flatMap({ PromiseScope.Rule(rawValue: $0) }) else {
            throw StorageError.corrupt("a result was judged by rule \(number), which this program does not know")
        }
        return rule
    }

    private static func result(_ row: Row) throws -> StoredPromiseResult {
        let currency = try row.decode("currency", as: Currency.self)
        let name = try row.decode("objective", as: String.self)
        let threshold = try row.decode("threshold_ms", as: Int64?.self)
        guard let objective = Objective(name: name, thresholdMilliseconds: threshold) else {
            throw StorageError.corrupt("a result is of the objective \"\(name)\", which does not exist")
        }
        return StoredPromiseResult(
            id: try row.decode("result_id"), accountID: try row.decode("account_id"),
            subscriptionID: try row.decode("subscription_id"),
            period: BillingPeriod(start: try row.decode("period_start"), end: try row.decode("period_end")),
            plan: try row.decode("plan"), planVersion: try row.decode("plan_version"), tier: try row.decode("tier"),
            objective: objective, promised: try Percentage(parsing: try row.decode("promised_percent")),
            status: try row.value("status"),
            attainment: Attainment(good: try row.decode("good"), counted: try row.decode("requests")),
            excluded: try row.decode("excluded"),
            creditPercent: try Percentage(parsing: try row.decode("credit_percent")),
            base: try row.money("base_amount", currency), exactCredit: try row.money("exact_credit", currency),
            credit: try row.money("credit_amount", currency),
            evidence: try PromiseEvidence(json: try row.decode("evidence")), rule: try rule(row),
            evaluatedAt: try row.decode("evaluated_at"))
    }
}
