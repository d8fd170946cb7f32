import Accounts
import Identity
import Invoicing
import Ledger
import Monetary
import Storage

/// The ledger against rollups, invoices and credits.
extension Comparison {
    mutating func compareLedger(in tx: DatabaseTransaction) throws {
        var accruals = ReconciliationCheck("usage rollups = ledger accruals")
        var zero = ReconciliationCheck("every ledger transaction sums to zero")
        var balances = ReconciliationCheck("ledger balances = usage, invoices and credits")
        for account in accounts {
            try Self.guarding(label(account), &accruals, in: tx) { accruals in
                try compareAccruals(of: account, &accruals, in: tx)
            }
            try Self.guarding(label(account), &zero, in: tx) { zero in
                for transaction in try LedgerStorage.unbalanced(account: account, days: days, in: tx) {
                    zero.report("\(label(account)) \(transaction.id) sums to \(transaction.sum)")
                }
            }
            try Self.guarding(label(account), &balances, in: tx) { balances in
                // At the end of a month the kept balances stand for them.
                if options.month == nil { try compareBalances(of: account, &balances, in: tx) }
                try compareClosings(of: account, &balances, in: tx)
            }
        }
        checks += [accruals, zero, balances, try transactions(in: tx)]
    }

    /// How long usage may wait to be booked: 15 minutes, where the jobs come every minute.
    private static let bookingMilliseconds: Int64 = 900_000

    private func compareAccruals(
        of account: Account, _ check: inout ReconciliationCheck, in tx: DatabaseTransaction
    ) throws {
        let sums = try ReconcileStorage.accrualSums(of: account, days: days, in: tx)
        let recent = account.billingTime(at: options.now).advanced(byMilliseconds: -Self.bookingMilliseconds)
        let unposted = try UnpostedStorage.days(of: account, since: recent, in: tx)
        var (waiting, rated) = (0, sums.rated)
        for open in try LedgerStorage.openAccruals(of: account, days: days, in: tx) {
            // The jobs book it next, and nothing is wrong; what is older they should have booked.
            if unposted[open.model]?.contains(open.day) == true {
                waiting += 1
                rated = try rated.subtracting(open.rated).adding(open.booked)
                continue
            }
            let subject = LedgerSubject.usage(model: open.model)
            check.report("\(label(account)) \(subject) \(open.day): rated \(open.rated), booked \(open.booked)")
        }
        check.add(left: rated, right: sums.booked)
        if waiting > 0 {
            let count = waiting == 1 ? "a day of usage waits" : "\(waiting) days of usage wait"
            check.note("\(label(account)): \(count) to be booked, which the jobs do every minute")
        }
        for start in try ReconcileStorage.periodStarts(of: account, days: days, in: tx)
        where !account.calendar.isPeriodStart(start) {
            check.report(
                "\(label(account)): usage is summed under a month that begins at \(start), which is none of its zone's")
        }
    }

    private func compareBalances(
        of account: Account, _ check: inout ReconciliationCheck, in tx: DatabaseTransaction
    ) throws {
        let expected = try expectedBalances(of: account, in: tx)
        let booked = try LedgerStorage.balances(of: account, in: tx)
        for ledgerAccount in LedgerAccount.allCases {
            let expected = expected[ledgerAccount] ?? .zero(account.currency)
            let balance = booked[ledgerAccount] ?? .zero(account.currency)
            check.add(left: balance, right: expected)
            if balance != expected {
                check.report("\(label(account)) \(ledgerAccount.rawValue): booked \(balance), expected \(expected)")
            }
        }
    }

    /// The kept balances of closed periods, each against the one before it and what was booked in between.
    private func compareClosings(
        of account: Account, _ check: inout ReconciliationCheck, in tx: DatabaseTransaction
    ) throws {
        for difference in try ClosingStorage.differences(of: account, days: days, in: tx) {
            check.report(
                "\(label(account)) \(difference.ledgerAccount) at the end of \(difference.lastDay): kept "
                    + "\(difference.kept), booked \(difference.booked)")
        }
        let newest = try InvoiceStorage.newestFinal(of: account.id, in: tx)
        let expected = newest.map { account.calendar.lastDay(ofPeriodAt: $0.period.start) }
        let closed = try ClosingStorage.closedThrough(of: account.id, in: tx)
        if closed != expected {
            check.report(
                "\(label(account)): its books are closed through \(closed.map { "\($0)" } ?? "no day"), its invoices "
                    + "say through \(expected.map { "\($0)" } ?? "no day")")
        }
    }

    /// What the balances must be by the tables that they stand for: all of them, so that nothing booked beside the
    /// program's own transactions stays unseen.
    private func expectedBalances(
        of account: Account, in tx: DatabaseTransaction
    ) throws -> [LedgerAccount: Money] {
        let nothing = Money.zero(account.currency)
        var balances = Dictionary(uniqueKeysWithValues: LedgerAccount.allCases.map { ($0, nothing) })
        func add(_ amount: Money, to ledgerAccount: LedgerAccount) throws {
            balances[ledgerAccount] = try (balances[ledgerAccount] ?? nothing).adding(amount)
        }
        func move(_ amount: Money, from: LedgerAccount, to: LedgerAccount) throws {
            try add(amount, to: to)
            try add(amount.negated(), to: from)
        }
        // Accruals are held against the rollups on their own.
        let accrued = try ReconcileStorage.accrualSums(of: account, days: nil, in: tx).booked
        try move(accrued, from: .revenue, to: .unbilledReceivables)
        for transaction in try expectedTransactions(of: account, in: tx) {
            for posting in transaction.postings { try add(posting.amount, to: posting.ledgerAccount) }
        }
        for granted in try ServiceLevelStorage.granted(to: account.id, before: Self.endOfTime, in: tx) {
            try move(granted.result.exactCredit, from: .serviceLevelCreditsOwed, to: .serviceLevelCredits)
        }
        return balances
    }
}
