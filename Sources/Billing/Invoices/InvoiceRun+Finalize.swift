import Accounts
public import Identity
import Invoicing
import Ledger
import Storage

/// The second stage: numbers, states and postings, together.
extension InvoiceRun {
    /// The most invoices that become final in one transaction.
    public static let invoicesPerTransactionMax = 500

    static let draftIsGone = "the draft was taken back meanwhile, because an earlier invoice changed: run again"
    static let hasChanged =
        "the draft was computed anew meanwhile and says something else: look at it, then finalize it"
    static let isVoid = "the invoice was made void meanwhile: run its month again for another one"

    /// Gives the drafts their numbers, in the order of invoice date and account, and makes them final. Drafts that
    /// another run finished first keep what that run gave them. Those for which a document is expected become final
    /// only with that one. Returns what became of each account.
    public func finalizeDrafts(
        _ ids: [InvoiceID], expecting documents: [InvoiceID: String] = [:]
    ) async throws -> [AccountID: InvoiceRunReport.AccountResult] {
        var results: [AccountID: InvoiceRunReport.AccountResult] = [:]
        let queue = try await queue(ids, documents)
        var next = 0
        while next < queue.count {
            try Task.checkCancellation()
            let group = Array(queue[next..<min(next + Self.invoicesPerTransactionMax, queue.count)])
            next += group.count
            do {
                results.merge(try await finalize(group)) { $1 }
            } catch {
                if error is CancellationError || DatabaseFailure(error) == .unavailable { throw error }
                // One of the group cannot be finished: find it by going one at a time.
                for entry in group { results[entry.accountID] = try await finalizeAlone(entry) }
            }
        }
        return results
    }

    /// A draft and where it stands in the order.
    private struct QueueEntry: Sendable {
        let invoiceID: InvoiceID
        let accountID: AccountID
        let issuedAt: Timestamp
        let issuedOn: CivilDate
        /// The last local day of its period.
        let lastDay: CivilDate
        /// What the draft has to say; nil where it may say anything.
        let document: String?
        let series: String
    }

    private func queue(_ ids: [InvoiceID], _ documents: [InvoiceID: String]) async throws -> [QueueEntry] {
        let now = options.now
        let entries = try await database.read { tx in
            try ids.compactMap { id -> QueueEntry? in
                guard let invoice = try InvoiceStorage.find(id, in: tx) else { return nil }
                let account = try AccountStorage.require(invoice.accountID, months: .none, in: tx)
                let issuedAt = account.billingTime(at: now)
                let issuedOn = account.calendar.day(of: issuedAt)
                return QueueEntry(
                    invoiceID: id, accountID: account.id, issuedAt: issuedAt, issuedOn: issuedOn,
                    lastDay: account.calendar.lastDay(ofPeriodAt: invoice.period.start), document: documents[id],
                    series: InvoiceNumber.series(of: account.mode, on: issuedOn))
            }
        }
        return entries.sorted { ($0.issuedOn, $0.accountID) < ($1.issuedOn, $1.accountID) }
    }

    private func finalizeAlone(_ entry: QueueEntry) async throws -> InvoiceRunReport.AccountResult {
        do {
            return try await finalize([entry])[entry.accountID] ?? .failed(reason: Self.draftIsGone)
        } catch {
            return try await failed(entry.accountID, error).result
        }
    }

    private func finalize(_ group: [QueueEntry]) async throws -> [AccountID: InvoiceRunReport.AccountResult] {
        try await service.change(by: actor) { session in
            let terms = try session.look(.read(.invoices)) { tx in
                // Whoever numbers holds the series until the commit: a second run waits here, then finds nothing to do.
                for series in Set(group.map(\.series)).sorted() {
                    try InvoiceStorage.lockSeries(series, in: tx)
                }
                return try SellerStorage.require(in: tx).paymentTermsDays
            }
            var results: [AccountID: InvoiceRunReport.AccountResult] = [:]
            for entry in group {
                results[entry.accountID] = try session.change(.invoiceFinalized) { tx in
                    try AccountStorage.lock(entry.accountID, in: tx)
                    // Whoever made the invoice before it void took the draft, which was computed from it, too.
                    guard let draft = try InvoiceStorage.find(entry.invoiceID, in: tx) else {
                        return .nothing(.failed(reason: Self.draftIsGone))
                    }
                    let result = try finalize(entry, paymentTermsDays: terms, in: tx)
                    guard case .finalized = result else { return .nothing(result) }
                    let final = try InvoiceStorage.require(entry.invoiceID, in: tx)
                    return .made(
                        result, .account(entry.accountID, draft.id, before: draft.facts, after: final.facts))
                }
            }
            return results
        }
    }

    /// What stands in the way of a draft now that it is to become final; it may be older than what came meanwhile.
    private func reasonAgainst(
        _ invoice: StoredInvoice, in tx: DatabaseTransaction
    ) throws -> InvoiceRunReport.AccountResult? {
        switch invoice.state {
        case .finalized, .paid: return .already(InvoiceSummary(invoice))
        case .void: return .failed(reason: Self.isVoid)
        case .draft: break
        }
        let account = try AccountStorage.require(invoice.accountID, months: .none, in: tx)
        if let reason = account.holdReason { return .onHold(reason: reason) }
        let holds = try Self.holds(on: account, before: invoice.period.end, in: tx)
        return holds.isEmpty ? nil : .notClosed(holds)
    }

    private func finalize(
        _ entry: QueueEntry, paymentTermsDays: Int, in tx: DatabaseTransaction
    ) throws -> InvoiceRunReport.AccountResult {
        let invoice = try InvoiceStorage.locked(entry.invoiceID, in: tx)
        if let result = try reasonAgainst(invoice, in: tx) { return result }
        if let expected = entry.document, invoice.documentJSON != expected { return .failed(reason: Self.hasChanged) }
        if let contradiction = try InvoiceParts.contradictions(in: invoice, in: tx).first {
            throw BooksError.contradictory(invoice: invoice.id, contradiction)
        }
        let amounts = try InvoiceStorage.amounts(of: invoice, in: tx)
        let number = InvoiceNumber(
            series: entry.series, value: try InvoiceStorage.takeNumbers(1, series: entry.series, in: tx))
        let document = try invoice.document().issued(
            as: number, on: entry.issuedOn, paymentTermsDays: paymentTermsDays)
        let dueOn = CivilDate(daysSince1970: entry.issuedOn.daysSince1970 + Int64(paymentTermsDays))
        try InvoiceStorage.finalize(
            invoice, number: number, documentJSON: try document.canonicalJSON(), issuedAt: entry.issuedAt,
            issuedOn: entry.issuedOn, dueOn: dueOn, in: tx)
        let booked = BookedInvoice(
            accountID: invoice.accountID, invoiceID: invoice.id, number: "\(number)", amounts: amounts)
        if let transaction = try InvoiceFinalized(booked).transaction(on: entry.issuedOn, at: entry.issuedAt) {
            guard try LedgerStorage.insert(transaction, in: tx) else {
                throw BooksError.bookedBefore(invoice: invoice.id)
            }
        }
        try ClosingStorage.close(
            invoice.accountID, through: entry.lastDay, by: invoice.id, at: entry.issuedAt, in: tx)
        try UsagePeriodStorage.settle(by: invoice.id, of: invoice.accountID, in: tx)
        return .finalized(InvoiceSummary(try InvoiceStorage.require(invoice.id, in: tx)))
    }
}
