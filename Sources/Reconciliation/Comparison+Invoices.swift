import Accounts
import Billing
import Identity
import Invoicing
import Ledger
import Monetary
import ServiceLevels
import Storage

/// Final invoices against their own lines and documents, the ledger, their records, and the promises.
extension Comparison {
    mutating func compareInvoices(in tx: DatabaseTransaction) throws {
        var lines = ReconciliationCheck("invoice lines = totals, documents and ledger")
        var usage = ReconciliationCheck("invoiced usage = records inside the invoices' positions")
        var fees = ReconciliationCheck("fees computed again = fee lines")
        var promises = ReconciliationCheck("promises judged again = stored results")
        for account in accounts {
            try Self.guarding(label(account), &lines, in: tx) { lines in
                let issued = try InvoiceStorage.all(
                    of: account.id, periodStart: period(of: account)?.start, in: tx
                ).filter { $0.state != .draft }
                for invoice in issued { try compareParts(of: invoice, account, &lines, in: tx) }
                let invoices = issued.filter { $0.state != .void }
                try compareUsage(of: invoices, account, &usage, in: tx)
                for invoice in invoices {
                    try compareFees(of: invoice, account, &fees, in: tx)
                    try comparePromises(of: invoice, account, &promises, in: tx)
                }
            }
        }
        checks += [lines, usage, fees, promises, try creditNotes(in: tx), try documentsInTrail(in: tx)]
    }

    // MARK: one invoice

    private func compareParts(
        of invoice: StoredInvoice, _ account: Account, _ check: inout ReconciliationCheck, in tx: DatabaseTransaction
    ) throws {
        let name = "\(invoice.number ?? "\(invoice.id)")"
        let sum = try InvoiceStorage.amounts(of: invoice, in: tx).total
        check.add(left: sum, right: invoice.total)
        for contradiction in try InvoiceParts.contradictions(in: invoice, in: tx) {
            check.report("\(name): \(contradiction)")
        }
        try comparePostings(of: invoice, name, account, &check, in: tx)
    }

    private func comparePostings(
        of invoice: StoredInvoice, _ name: String, _ account: Account, _ check: inout ReconciliationCheck,
        in tx: DatabaseTransaction
    ) throws {
        guard let issuedOn = invoice.issuedOn, let issuedAt = invoice.issuedAt else { return }
        let expected = try InvoiceFinalized(InvoiceStorage.booked(invoice, in: tx)).transaction(
            on: issuedOn, at: issuedAt)
        // A transaction that does not balance cannot be read as one; that is the ledger's own check.
        let booked = try? LedgerStorage.transactions(of: account, kind: .invoice, invoice: invoice.id, in: tx).first
        if booked?.postings != expected?.postings {
            check.report(
                "\(name): the ledger books \(booked?.text ?? "nothing"), its lines say \(expected?.text ?? "-")")
        }
    }

    // MARK: usage

    /// Of the invoices that can hold a month's usage (its own, and later ones as adjustments) the positions of the last
    /// one made say which records they hold together. That can be the month's own, where its usage came very late.
    private func compareUsage(
        of invoices: [StoredInvoice], _ account: Account, _ check: inout ReconciliationCheck,
        in tx: DatabaseTransaction
    ) throws {
        let open = Set(
            try UsagePeriodStorage.open(of: account.id, before: Self.endOfTime, in: tx).map(\.start))
        let all =
            period(of: account) == nil
            ? invoices
            : try invoices.first.map { try InvoiceStorage.final(of: account.id, from: $0.period, in: tx) } ?? []
        for invoice in invoices {
            let holders = all.filter { $0.period.start >= invoice.period.start }
            let last = holders.max { ($0.issuedAt ?? $0.createdAt) < ($1.issuedAt ?? $1.createdAt) } ?? invoice
            let split = try ReconcileStorage.split(invoice.period, by: last.positions, account: account, in: tx)
            let lines = try ReconcileStorage.invoicedUsage(of: account, periodStart: invoice.period.start, in: tx)
            check.add(left: lines, right: split.inside)
            let month = account.calendar.month(containing: invoice.period.start)
            if lines != split.inside {
                check.report("\(label(account)) \(month): invoiced \(lines), records sum to \(split.inside)")
            }
            guard !split.outside.isZero else { continue }
            let came = "\(label(account)) \(month): \(split.outside) \(account.currency) came later"
            // Runs look at open months alone.
            if open.contains(invoice.period.start) {
                check.note("\(came) and will be an adjustment")
            } else {
                check.report("\(came), and its month counts as settled, so that no invoice will ask for it")
            }
        }
    }

    // MARK: fees

    /// The fees that the subscriptions owe for the invoice's month, computed anew, against its fee lines.
    private func compareFees(
        of invoice: StoredInvoice, _ account: Account, _ check: inout ReconciliationCheck, in tx: DatabaseTransaction
    ) throws {
        let name = "\(invoice.number ?? "\(invoice.id)")"
        guard (try? invoice.document().version).map({ $0 >= 2 }) ?? true else {
            check.note("\(name): made before fees were split by service day; its fees are not computed again")
            return
        }
        let month = try AccountMonth(account, month: account.calendar.month(containing: invoice.period.start), in: tx)
        let again = try InvoiceDraft(
            InvoiceInput(
                accountID: account.id, currency: account.currency, month: month.month,
                subscriptions: month.subscriptions, usage: [])
        ).lines.filter { $0.kind == .baseFee }
        let lines = try ReconcileStorage.lines(of: invoice, in: tx).filter { $0.kind == .baseFee }
        func text(_ subscription: SubscriptionID, _ start: Timestamp, _ end: Timestamp, _ exact: Money) -> String {
            "\(subscription) from \(start) to \(end): \(exact)"
        }
        for line in again { check.add(left: line.exactAmount, right: .zero(account.currency)) }
        for line in lines { check.add(left: .zero(account.currency), right: line.exactAmount) }
        let expected = Set(again.map { text($0.subscriptionID, $0.period.start, $0.period.end, $0.exactAmount) })
        let found = Set(lines.map { text($0.subscriptionID, $0.periodStart, $0.periodEnd, $0.exactAmount) })
        for fee in expected.subtracting(found).sorted() { check.report("\(name): a fee is owed and not on it: \(fee)") }
        for fee in found.subtracting(expected).sorted() { check.report("\(name): a fee is on it and not owed: \(fee)") }
    }

    // MARK: promises

    /// Judged again unless requests came later than the month's own invoice: those do not reopen it.
    private func comparePromises(
        of invoice: StoredInvoice, _ account: Account, _ check: inout ReconciliationCheck, in tx: DatabaseTransaction
    ) throws {
        let month = account.calendar.month(containing: invoice.period.start)
        let split = try ReconcileStorage.split(invoice.period, by: invoice.positions, account: account, in: tx)
        if split.requestsOutside > 0 {
            check.note(
                "\(label(account)) \(month): \(split.requestsOutside) requests came after its end; not judged again"
            )
            return
        }
        let accountMonth = try AccountMonth(account, month: month, in: tx)
        let stored = try ServiceLevelStorage.results(of: account.id, periodStart: invoice.period.start, in: tx)
        if Set(stored.map(\.rule)).count > 1 {
            check.report("\(label(account)) \(month): its results were judged by different rules")
        }
        let again = try ServiceLevelEvaluation(
            accountMonth, evaluatedAt: invoice.createdAt, rule: stored.first?.rule ?? .current, in: tx
        ).results
        for result in again { check.add(left: result.exactCredit, right: .zero(account.currency)) }
        for result in stored { check.add(left: .zero(account.currency), right: result.exactCredit) }
        let expected = Set(again.map(\.facts))
        let found = Set(stored.map(\.facts))
        for facts in expected.subtracting(found).sorted() {
            check.report("\(label(account)) \(month): judged again, and not stored so: \(facts)")
        }
        for facts in found.subtracting(expected).sorted() {
            check.report("\(label(account)) \(month): stored, and not judged so again: \(facts)")
        }
    }

    // MARK: numbers

    /// Every series has all its numbers once: those of live accounts and those of tests.
    mutating func compareNumbers(in tx: DatabaseTransaction) throws {
        var check = ReconciliationCheck("numbers without a gap")
        for series in try ReconcileStorage.numberSeries(in: tx) {
            check.add(.count("numbers"), left: Int128(series.count), right: Int128(series.next - 1))
            if series.deleted > 0 {
                check.note("\(series.series): \(series.deleted) of its documents were deleted with their sandboxes")
            }
            if series.count != series.next - 1 || series.highest != series.count {
                check.report(
                    "\(series.series): \(series.count) documents, the highest number is \(series.highest), the next "
                        + "would be \(series.next)")
            }
        }
        checks.append(check)
    }
}

extension LedgerTransaction {
    fileprivate var text: String {
        postings.map { "\($0.ledgerAccount.rawValue) \($0.amount)" }.joined(separator: ", ")
    }
}

extension StoredPromiseResult {
    fileprivate var facts: String {
        "\(subscriptionID) \(tier) \(objective.name) \(promised) \(status.rawValue) \(attainment.good)/"
            + "\(attainment.counted) \(excluded) \(creditPercent) \(base) \(exactCredit) \(credit)"
    }
}
