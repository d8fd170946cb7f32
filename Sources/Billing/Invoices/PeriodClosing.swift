public import Accounts
public import Identity
public import Storage

/// Why a month of an account cannot be invoiced yet.
public enum ClosingObstacle: Hashable, Sendable, CustomStringConvertible {
    /// Billing time has not passed the end and the grace after it.
    case notOver(until: Timestamp, billingTime: Timestamp)
    /// A gateway's journal is not ingested that far.
    case journalBehind(JournalID, gateway: String, through: Timestamp?, needed: Timestamp)
    /// A gateway had not yet heard of the account's last clock move.
    case clockNotSeen(JournalID, gateway: String)
    /// A request accepted in the month may still be running.
    case requestOpen(JournalID, gateway: String, acceptedAt: Timestamp)
    /// Bytes of a journal that nobody can read, and that may hold usage of the account.
    case damagedJournal(StoredQuarantine)
    /// Usage without a price, or contradictory.
    case suspense(count: Int)
    /// An earlier month has something to bill and no invoice.
    case earlierMonth(CivilMonth)

    /// True where it goes away by itself once the gateways' next heartbeats are ingested.
    public var isOfGateways: Bool {
        switch self {
        case .journalBehind, .clockNotSeen, .requestOpen: true
        case .notOver, .damagedJournal, .suspense, .earlierMonth: false
        }
    }

    public var description: String {
        switch self {
        case .notOver(let until, let now):
            "the month is not over: it closes at \(until), billing time is \(now)"
        case .journalBehind(let id, let gateway, let through, let needed):
            "gateway \(gateway) (\(id)) is ingested through \(through.map { "\($0)" } ?? "nothing"), \(needed) is "
                + "needed: start it, and `tollgate serve ingest` where gateway.ingest is apart; wait for its next "
                + "heartbeat; or retire its journal if it is lost"
        case .clockNotSeen(let id, let gateway):
            "gateway \(gateway) (\(id)) has not confirmed the account's last clock move: wait for its next heartbeat"
        case .requestOpen(let id, let gateway, let acceptedAt):
            "gateway \(gateway) (\(id)) has a request open that was accepted at \(acceptedAt): wait for its end"
        case .damagedJournal(let place):
            "journal \(place.journalID) cannot be read at \(place.mark) (\(place.reason), \(place.length) bytes), "
                + "which may be usage of this account: look, then "
                + "`tollgate journals release \(place.journalID) --at \(place.mark)`"
        case .suspense(let count):
            "\(count) usage records wait in suspense: see `tollgate suspense list`, then rate or waive them"
        case .earlierMonth(let month):
            "\(month) has something to bill and no final invoice: run it first"
        }
    }
}

/// Whether a month is closed: nothing that belongs to it can still arrive.
enum PeriodClosing {
    /// The obstacles that time and the journals are. `open` is the account's oldest open request by journal;
    /// `graceMilliseconds` counts after the month's end.
    static func obstacles(
        account: Account, period: BillingPeriod, journals: [RegisteredJournal], open: [JournalID: Timestamp],
        now: Timestamp, graceMilliseconds: Int64
    ) -> [ClosingObstacle] {
        let needed = period.end.advanced(byMilliseconds: graceMilliseconds)
        let billingNow = account.billingTime(at: now)
        // Until then gateways have nothing to confirm, and advice about them would mislead.
        guard billingNow >= needed else { return [.notOver(until: needed, billingTime: billingNow)] }
        var obstacles: [ClosingObstacle] = []
        for journal in journals where journal.retiredAt == nil {
            // What the heartbeat says is real time; the account's own clock makes it billing time.
            let through = journal.ingestedThrough.map { account.billingTime(at: $0) }
            if through.map({ $0 < needed }) ?? true {
                obstacles.append(
                    .journalBehind(journal.id, gateway: journal.gateway, through: through, needed: needed))
            }
            if journal.snapshotChange < account.clockChange {
                obstacles.append(.clockNotSeen(journal.id, gateway: journal.gateway))
            }
            // Another account's open request is none of this one's business, unless it is not known whose it is.
            let ofUnknownAccount = journal.opensByAccount ? nil : journal.oldestOpenAt
            let oldest = [open[journal.id], ofUnknownAccount].compactMap(\.self).min()
            if let oldest, oldest < period.end {
                obstacles.append(.requestOpen(journal.id, gateway: journal.gateway, acceptedAt: oldest))
            }
        }
        return obstacles
    }
}
