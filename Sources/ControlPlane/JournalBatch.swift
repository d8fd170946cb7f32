import Identity
import Metering
import Storage
import UsageJournal

/// Requests that were opened and not closed, as far as a journal was read.
struct OpenRequests {
    private var acceptedAt: [RequestID: Timestamp] = [:]
    /// What the database knew to be open where reading began; counts until `inheritedUntil` is reached, by which all
    /// that an earlier process left open was closed.
    private let inherited: Timestamp?
    private let inheritedUntil: JournalMark

    init(inherited: Timestamp?, until: JournalMark) {
        self.inherited = inherited
        inheritedUntil = until
    }

    mutating func open(_ request: RequestRecord) { acceptedAt[request.id] = request.acceptedAt }

    mutating func close(_ id: RequestID) { acceptedAt[id] = nil }

    /// The earliest acceptance among those open at `mark`.
    func oldest(at mark: JournalMark) -> Timestamp? {
        let own = acceptedAt.values.min()
        guard mark < inheritedUntil, let inherited else { return own }
        return min(own ?? inherited, inherited)
    }
}

/// A batch of the journal, sorted by what ingest does with it.
struct JournalBatch {
    let from: JournalMark
    private(set) var to: JournalMark
    /// Closed requests, each once, and the end of its entry.
    private(set) var closed: [(entry: UsageEntry, mark: JournalMark)] = []
    private(set) var refusals: [RefusalCount] = []
    private(set) var quarantines: [(range: QuarantinedRange, mark: JournalMark)] = []
    private(set) var heartbeat: JournalHeartbeat?
    /// Whether a batch's bounds cut it off: there is more.
    var isFull = false
    private var closedIDs: Set<RequestID> = []

    init(from: JournalMark) {
        self.from = from
        to = from
    }

    mutating func add(_ item: JournalItem, open: inout OpenRequests) {
        to = JournalMark(item.end)
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
        journal: JournalID, epoch: Int64, book: PriceBook, oldestOpenAt: Timestamp?, now: Timestamp
    ) -> IngestBatch {
        var batch = IngestBatch(journalID: journal, epoch: epoch, from: from, to: to)
        var rating = EntryRating(book: book)
        batch.requests = closed.map { rating.rate($0.entry, mark: $0.mark) }
        batch.refusals = refusals
        batch.quarantines = quarantines.map { range, _ in
            StoredQuarantine(
                journalID: journal, mark: JournalMark(segment: range.segment, offset: range.offset),
                length: range.length, reason: range.reason.rawValue, foundAt: now)
        }
        batch.heartbeat = heartbeat.map { ($0.realTime, $0.snapshotChange) }
        batch.oldestOpenAt = oldestOpenAt
        return batch
    }
}

extension JournalMark {
    init(_ position: JournalPosition) {
        self.init(segment: position.segment, offset: position.offset)
    }
}

extension JournalPosition {
    init(_ mark: JournalMark) {
        self.init(segment: mark.segment, offset: mark.offset)
    }
}
