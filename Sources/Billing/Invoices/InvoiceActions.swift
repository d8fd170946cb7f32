public import Accounts
public import Identity
public import Invoicing
import Ledger
import Monetary
public import Storage

/// What is done to single invoices by hand.
public struct InvoiceActions: Sendable {
    private let database: Database
    private let actor: Actor

    public init(database: Database, by actor: Actor) {
        self.database = database
        self.actor = actor
    }

    /// What an action did.
    public struct Outcome: Hashable, Sendable {
        public let invoice: StoredInvoice
        /// False where it was so already.
        public let changed: Bool
    }

    /// What an account's invoice of a month would say now, also before the month is over, and what waits in suspense
    /// and is not in it. Stores nothing. The stored document where the invoice is final.
    public func preview(account id: AccountID, month: CivilMonth) async throws -> InvoicePreview {
        try actor.require(.read(.invoices))
        return try await database.read { tx in
            let account = try AccountMonth.account(id, for: month, in: tx)
            let accountMonth = try AccountMonth(account, month: month, in: tx)
            let document = try document(accountMonth, in: tx)
            let current = accountMonth.current
            let isOpen = current.map { $0.state == .draft } ?? true
            let json = try document?.canonicalJSON()
            return InvoicePreview(
                document: document,
                suspended: try SuspenseStorage.unresolvedByReason(
                    account: id, period: accountMonth.upToItsEnd, in: tx),
                staleDraft: isOpen && current?.documentJSON != json ? current?.id : nil,
                monthBefore: isOpen ? try accountMonth.earlierMonthNotInvoiced(in: tx) : nil)
        }
    }

    private func document(_ accountMonth: AccountMonth, in tx: DatabaseTransaction) throws -> InvoiceDocument? {
        if let current = accountMonth.current, current.state != .draft { return try current.document() }
        let draft = try InvoiceDraft(accountMonth.input(in: tx))
        guard !draft.isEmpty else { return nil }
        return try InvoiceDocument(draft, seller: try SellerStorage.require(in: tx), account: accountMonth.account)
    }

    /// Makes one draft final. `now` is real time.
    public func finalize(_ id: InvoiceID, now: Timestamp) async throws -> Outcome {
        try actor.require(ChangeKind.invoiceFinalized.permission)
        let before = try await database.read { try InvoiceStorage.require(id, in: $0) }
        guard try before.state.applying(.finalize) != nil else { return Outcome(invoice: before, changed: false) }
        let month = try await database.read { tx in
            let account = try AccountStorage.require(before.accountID, months: .none, in: tx)
            return account.calendar.month(ofPeriodAt: before.period.start)
        }
        let run = InvoiceRun(
            database: database, by: actor,
            options: InvoiceRun.Options(month: month, now: now, accounts: [before.accountID]))
        // Computed anew, so that nothing becomes final but what the usage, the plans and the promises of now come to.
        try Self.requireDraft(id, try await run.prepareDrafts().accounts.first?.result)
        let draft = try await database.read { try InvoiceStorage.require(id, in: $0) }
        guard draft.documentJSON == before.documentJSON else {
            throw StorageError.conflict(Self.outOfDate(before, now: draft))
        }
        let result = try await run.finalizeDrafts([id], expecting: [id: draft.documentJSON])[before.accountID]
        let after = try await database.read { try InvoiceStorage.require(id, in: $0) }
        if case .finalized? = result { return Outcome(invoice: after, changed: true) }
        try Self.requireDraft(id, result)
        return Outcome(invoice: after, changed: false)
    }

    private static func outOfDate(_ before: StoredInvoice, now draft: StoredInvoice) -> String {
        let change =
            before.total == draft.total
            ? "its total is the same, but other details changed"
            : "computed anew it is over \(draft.total) \(draft.currency), and was over \(before.total)"
        return "the draft was out of date: \(change); look at it, then finalize it"
    }

    /// Refuses what is no draft of that id, with the reason.
    private static func requireDraft(_ id: InvoiceID, _ result: InvoiceRunReport.AccountResult?) throws {
        switch result {
        case .drafted(let draft)? where draft.id == id: return
        case .already(let invoice)? where invoice.id == id: return
        case .onHold(let reason)?, .failed(let reason)?: throw StorageError.conflict(reason)
        case .notClosed(let obstacles)?:
            throw StorageError.conflict(obstacles.map(\.description).joined(separator: "; "))
        default: throw StorageError.conflict("the draft is gone: computed anew its month comes to something else")
        }
    }

    /// Says that an invoice was paid in full. `now` is real time.
    public func markPaid(_ id: InvoiceID, now: Timestamp) async throws -> Outcome {
        try await apply(.pay, as: .invoicePaid, to: id, now: now) { invoice, owed, day, instant in
            try InvoicePaid(invoice, owed: owed).transaction(on: day, at: instant)
        }
    }

    /// Declares a final invoice not to be owed. Its number stays, its credits are owed again, and its month can be run
    /// again. Only the account's last invoice: a later one may hold adjustments of this one's month.
    public func void(_ id: InvoiceID, now: Timestamp) async throws -> Outcome {
        try await apply(.void, as: .invoiceVoided, to: id, now: now) { invoice, _, day, instant in
            try InvoiceVoided(invoice).transaction(on: day, at: instant)
        }
    }

    /// What is booked of an invoice, of which so much is owed, on a day.
    private typealias Booking = @Sendable (BookedInvoice, Money, CivilDate, Timestamp) throws -> LedgerTransaction?

    private func apply(
        _ action: InvoiceAction, as kind: ChangeKind, to id: InvoiceID, now: Timestamp, booking: @escaping Booking
    ) async throws -> Outcome {
        try await BillingService(database, now: { now }).change(by: actor) { session in
            try session.change(kind) { tx in
                try apply(action, to: id, now: now, booking: booking, in: tx)
            }
        }
    }

    private func apply(
        _ action: InvoiceAction, to id: InvoiceID, now: Timestamp, booking: Booking, in tx: DatabaseTransaction
    ) throws -> Change<Outcome> {
        try AccountStorage.lock(try InvoiceStorage.require(id, in: tx).accountID, in: tx)
        let invoice = try InvoiceStorage.locked(id, in: tx)
        guard let state = try invoice.state.applying(action) else {
            return .nothing(Outcome(invoice: invoice, changed: false))
        }
        let account = try AccountStorage.require(invoice.accountID, months: .none, in: tx)
        if action == .void { try requireVoidable(invoice, in: tx) }
        if action == .pay, try invoice.amountDue().isZero, !invoice.total.isZero {
            throw StorageError.conflict("all of it was given back by credit notes: nothing is left to pay")
        }
        let instant = account.billingTime(at: now)
        let booked = try InvoiceStorage.booked(invoice, in: tx)
        if let transaction = try booking(booked, invoice.amountDue(), account.calendar.day(of: instant), instant) {
            guard try LedgerStorage.insert(transaction, in: tx) else { throw BooksError.bookedBefore(invoice: id) }
        }
        try InvoiceStorage.setState(state, of: invoice, at: instant, in: tx)
        if action == .void {
            try ClosingStorage.reopen(closedBy: id, of: account.id, in: tx)
            // An earlier month may have become final after this one had closed the books past it.
            if let newest = try InvoiceStorage.newestFinal(of: account.id, in: tx) {
                try ClosingStorage.close(
                    account.id, through: account.calendar.lastDay(ofPeriodAt: newest.period.start), by: newest.id,
                    at: instant, in: tx)
            }
            try UsagePeriodStorage.reopen(takenInBy: id, of: account.id, in: tx)
        }
        let after = try InvoiceStorage.require(id, in: tx)
        return .made(
            Outcome(invoice: after, changed: true),
            .account(account.id, id, before: invoice.facts, after: after.facts))
    }

    private func requireVoidable(_ invoice: StoredInvoice, in tx: DatabaseTransaction) throws {
        if let later = try InvoiceStorage.next(after: invoice, in: tx) {
            throw StorageError.conflict(
                "invoice \(later.number ?? "\(later.id)") is later and may carry adjustments of this one's month: "
                    + "make it void first, or correct by a credit note")
        }
        if let note = try CreditNoteStorage.all(of: invoice, in: tx).first {
            throw StorageError.conflict(
                "credit note \(note.number) corrects it: give back the rest by another credit note")
        }
        guard try !ServiceLevelStorage.isPaidOut(anyCreditOf: invoice, in: tx) else {
            throw StorageError.conflict(
                "a credit of this invoice or of its month was paid out: to make the invoice void would owe it again")
        }
        // Drafts were computed from what this invoice said; the next run makes them again.
        try InvoiceStorage.deleteDrafts(of: invoice.accountID, in: tx)
    }
}
