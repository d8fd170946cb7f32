import Identity
import Metering
import Storage
import UsageJournal

/// Requests that were opened and not closed, as far as a journal was read, by account: whose month they hold.
///
/// At most as many as a gateway runs at once, and what was deferred.
struct OpenRequests {
    /// What the database knew to be open where reading began. It counts until `until` is reached: by then all that an
    /// earlier process left open was closed.
    struct Inherited {
        var byAccount: [AccountID: Timestamp] = [:]
        /// Of accounts that an earlier release did not tell apart; nil where there is nothing of the sort.
        var ofAnybody: Timestamp?
        var until: JournalPosition
    }

    private var running: [RequestID: (account: AccountID, acceptedAt: Timestamp)] = [:]
    private let inherited: Inherited
    /// What the database holds by account.
    private var stored: [AccountID: Timestamp]

    init(inherited: Inherited) {
        self.inherited = inherited
        stored = inherited.byAccount
    }

    mutating func open(_ request: RequestRecord) { running[request.id] = (request.accountID, request.acceptedAt) }

    mutating func close(_ id: RequestID) { running[id] = nil }

    /// What is open at `mark`, as the database is to hold it from then on.
    mutating func standing(at mark: JournalPosition) -> OpenStanding {
        var oldest = mark < inherited.until ? inherited.byAccount : [:]
        var first = oldest.values.min()
        for (account, acceptedAt) in running.values {
            first = min(first ?? acceptedAt, acceptedAt)
            // Of an account that always has some open, the row would change with each batch: to the minute is enough,
            // since no period begins within one.
            let minute = Timestamp(milliseconds: acceptedAt.milliseconds / 60_000 * 60_000)
            oldest[account] = min(oldest[account] ?? minute, minute)
        }
        let ofAnybody = mark < inherited.until ? inherited.ofAnybody : nil
        if let ofAnybody { first = min(first ?? ofAnybody, ofAnybody) }
        var changes: [AccountID: Timestamp?] = [:]
        for (account, time) in oldest where stored[account] != time { changes[account] = .some(time) }
        for account in stored.keys where oldest[account] == nil { changes[account] = .some(nil) }
        stored = oldest
        return OpenStanding(oldest: first, changes: changes, isByAccount: ofAnybody == nil)
    }
}

/// What of a journal is open at the end of a batch.
struct OpenStanding {
    /// Acceptance of the oldest request of all.
    var oldest: Timestamp?
    /// What changed by account since the last batch.
    var changes: [AccountID: Timestamp?] = [:]
    var isByAccount = true
}

/// A batch of the journal, sorted by what ingest does with it.
struct JournalBatch {
    let from: JournalPosition
    private(set) var to: JournalPosition
    /// Closed requests, each once, and the end of its entry.
    private(set) var closed: [(entry: UsageEntry, mark: JournalPosition)] = []
    private(set) var refusals: [RefusalCount] = []
    private(set) var quarantines: [(range: QuarantinedRange, mark: JournalPosition)] = []
    private(set) var heartbeat: JournalHeartbeat?
    /// Whether a batch's bounds cut it off: there is more.
    var isFull = false
    private var closedIDs: Set<RequestID> = []

    init(from: JournalPosition) {
        self.from = from
        to = from
    }

    mutating func add(_ item: JournalItem, open: inout OpenRequests) {
        to = item.end
        switch item.content {
        case .quarantined(let range): quarantines.append((range, to))
        case .entry(let entry):
            switch entry {
            case .open(let entry): open.open(entry.request)
            case .close(let entry):
                open.close(entry.request.id)
                // The first one counts, as it does in the database.
                if closedIDs.insert(entry.request.id).inserted { closed.append((entry, to)) }
            case .heartbeat(let beat): heartbeat = beat
            case .refusals(let counts): refusals += counts
            case .progress, .epochStart: break
            }
        }
    }

    /// The batch to store: requests rated from `book`.
    func rated(
        journal: JournalID, epoch: Int64, book: RatingContext, open: OpenStanding, now: Timestamp
    ) -> IngestBatch {
        var batch = IngestBatch(journalID: journal, epoch: epoch, from: from, to: to)
        var rating = EntryRating(book: book)
        batch.requests = closed.map { rating.rate($0.entry, mark: $0.mark) }
        batch.refusals = refusals
        batch.quarantines = quarantines.map { range, _ in
            StoredQuarantine(
                journalID: journal, mark: JournalPosition(segment: range.segment, offset: range.offset),
                length: range.length, reason: range.reason.rawValue, foundAt: now)
        }
        batch.heartbeat = heartbeat.map { ($0.realTime, $0.snapshotChange) }
        batch.storedAt = now
        batch.oldestOpenAt = open.oldest
        batch.openChanges = open.changes
        batch.opensByAccount = open.isByAccount
        return batch
    }
}
