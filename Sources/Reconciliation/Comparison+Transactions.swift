import Accounts
import Identity
import Invoicing
import Ledger
import Monetary
import Storage

/// Each ledger transaction against the one event that it stands for, beside the balances, which two wrong ones could
/// leave as they were. Accruals are held against the rollups, day by day.
extension Comparison {
    func transactions(in tx: DatabaseTransaction) throws -> ReconciliationCheck {
        var check = ReconciliationCheck("each ledger transaction = its invoice, payment, credit or refund")
        for account in accounts {
            try Self.guarding(label(account), &check, in: tx) { check in
                try compareTransactions(of: account, &check, in: tx)
                try compareCredits(of: account, &check, in: tx)
            }
        }
        return check
    }

    private func compareTransactions(
        of account: Account, _ check: inout ReconciliationCheck, in tx: DatabaseTransaction
    ) throws {
        let expected = try expectedTransactions(of: account, in: tx)
        var missing = Dictionary(expected.map { ($0.id, $0) }) { first, _ in first }
        var credits: [ServiceLevelResultID: Money] = [:]
        for booked in try bookedTransactions(of: account, in: tx) {
            check.add(.count("transactions"), left: 1, right: 1)
            if case (.serviceLevelCredit, .serviceLevelResult(let id)) = (booked.identity.kind, booked.identity.subject)
            {
                let amount = booked.postings.first { $0.ledgerAccount == .serviceLevelCredits }?.amount
                let sum = credits[id] ?? .zero(account.currency)
                credits[id] = try sum.adding(amount ?? .zero(account.currency))
            } else if missing.removeValue(forKey: booked.id)?.isBooked(as: booked) != true {
                check.report(
                    "\(label(account)) \(booked.identity.kind.rawValue) \(booked.identity.subject) "
                        + "\(booked.identity.day): nothing of that day, time, currency and amount is on record")
            }
        }
        for transaction in missing.values.sorted(by: { $0.id < $1.id }) {
            check.report("\(label(account)): there is no transaction \"\(transaction.description)\"")
        }
        let month = period(of: account)
        for result in try ServiceLevelStorage.results(of: account.id, periodStart: month?.start, in: tx) {
            let booked =
                try month.map { _ in try bookedCredit(result.id, of: account, in: tx) }
                ?? credits.removeValue(forKey: result.id) ?? .zero(account.currency)
            if booked != result.exactCredit {
                check.report("\(label(account)) credit \(result.id): booked \(booked), granted \(result.exactCredit)")
            }
        }
        for (id, amount) in credits.sorted(by: { $0.key < $1.key }) where !amount.isZero {
            check.report("\(label(account)) credit \(id): booked \(amount), and there is no such result")
        }
    }

    /// All but accruals; of a month those of its invoices, which name them.
    private func bookedTransactions(of account: Account, in tx: DatabaseTransaction) throws -> [LedgerTransaction] {
        guard let month = period(of: account) else {
            return try TransactionKind.allCases.filter { $0 != .accrual }.flatMap {
                try LedgerStorage.transactions(of: account, kind: $0, limit: .max, in: tx)
            }
        }
        return try InvoiceStorage.all(of: account.id, periodStart: month.start, in: tx).flatMap {
            try LedgerStorage.transactions(of: account, invoice: $0.id, limit: .max, in: tx)
        }
    }

    private func bookedCredit(
        _ id: ServiceLevelResultID, of account: Account, in tx: DatabaseTransaction
    ) throws -> Money {
        try LedgerStorage.booked(
            on: .serviceLevelCredits, kind: .serviceLevelCredit, subject: .serviceLevelResult(id), account: account,
            in: tx
        ).amount
    }

    /// One for each thing that happened; of a month for each that happened to its invoices.
    func expectedTransactions(
        of account: Account, in tx: DatabaseTransaction
    ) throws -> [LedgerTransaction] {
        var expected: [LedgerTransaction?] = []
        let month = period(of: account)
        let invoices = try InvoiceStorage.all(of: account.id, periodStart: month?.start, in: tx)
        for invoice in invoices {
            guard let issuedAt = invoice.issuedAt, let issuedOn = invoice.issuedOn else { continue }
            let booked = try InvoiceStorage.booked(invoice, in: tx)
            expected.append(try InvoiceFinalized(booked).transaction(on: issuedOn, at: issuedAt))
            if invoice.state == .paid, let at = invoice.paidAt {
                expected.append(
                    try InvoicePaid(booked, owed: invoice.payable()).transaction(
                        on: account.calendar.day(of: at), at: at))
            }
            if invoice.state == .void, let at = invoice.voidedAt {
                expected.append(try InvoiceVoided(booked).transaction(on: account.calendar.day(of: at), at: at))
            }
        }
        let ids = month.map { _ in Set(invoices.map(\.id)) }
        for note in try CreditNoteStorage.all(of: account.id, correcting: ids, in: tx) {
            let booked = try CreditNoteStorage.booked(note, in: tx)
            expected.append(
                try CreditNoteIssued(booked, settledBy: note.settlement.ledgerAccount).transaction(
                    on: note.issuedOn, at: note.issuedAt))
            if let at = note.refundedAt {
                expected.append(try CreditNoteRefunded(booked).transaction(on: account.calendar.day(of: at), at: at))
            }
        }
        for (payout, at) in month == nil ? try ServiceLevelStorage.payouts(of: account, in: tx) : [] {
            expected.append(try payout.transaction(on: account.calendar.day(of: at), at: at))
        }
        return expected.compactMap { $0 }
    }

    /// No credit is given for a result that there is not, and of none more than was granted.
    private func compareCredits(
        of account: Account, _ check: inout ReconciliationCheck, in tx: DatabaseTransaction
    ) throws {
        let month = period(of: account)
        for id in month == nil ? try ServiceLevelStorage.appliedWithoutResult(of: account.id, in: tx) : [] {
            check.report("\(label(account)): credit \(id) was given, and there is no such result")
        }
        let all = try month.map { try ServiceLevelStorage.granted(to: account.id, periodStart: $0.start, in: tx) }
        for granted in try all ?? ServiceLevelStorage.granted(to: account.id, before: Self.endOfTime, in: tx)
        where try granted.result.exactCredit.isLess(than: granted.appliedExact) {
            check.report(
                "\(label(account)) credit \(granted.result.id): \(granted.appliedExact) was given, "
                    + "\(granted.result.exactCredit) was granted")
        }
    }
}

extension LedgerTransaction {
    /// The same but for its words and for the day on which it was booked.
    fileprivate func isBooked(as other: LedgerTransaction) -> Bool {
        identity == other.identity && currency == other.currency && bookedAt == other.bookedAt
            && invoiceID == other.invoiceID && postings == other.postings
    }
}
