import Accounts
import Identity
import Metering
import Storage
import UsageJournal

/// Journal files against records.
extension Comparison {
    /// Entries looked up in one go.
    private static let entriesPerLookup = 1000

    /// Each ingested entry must be stored as it was written, and nothing may be stored that was not written.
    mutating func compareJournals(in tx: DatabaseTransaction) throws {
        var check = ReconciliationCheck("journal files = records")
        let registered = try JournalStorage.list(in: tx)
        var seen: Set<JournalID> = []
        for directory in options.journalDirectories {
            do {
                let reader = try JournalReader(directory: directory)
                seen.insert(reader.journalID)
                guard let journal = registered.first(where: { $0.id == reader.journalID }) else {
                    check.report("\(directory) is journal \(reader.journalID), which the database does not know")
                    continue
                }
                try compare(journal, reader, &check, in: tx)
            } catch let error as JournalError {
                check.report("\(directory) cannot be read: \(error)")
            }
        }
        for journal in registered where !seen.contains(journal.id) && journal.retiredAt == nil {
            check.note("journal \(journal.id) of gateway \(journal.gateway) was not read: name its directory")
        }
        if deletedRequestCount > 0 {
            check.note("\(deletedRequestCount) requests of deleted test accounts are in the files and not compared")
        }
        if seen.isEmpty, !registered.isEmpty, check.isEqual { check.skip() }
        checks.append(check)
    }

    private mutating func compare(
        _ journal: RegisteredJournal, _ start: JournalReader, _ check: inout ReconciliationCheck,
        in tx: DatabaseTransaction
    ) throws {
        var reader = start
        let end = journal.mark
        let known = try QuarantineStorage.list(journal: journal.id, in: tx)
        for place in known where place.releasedAt == nil {
            check.report(
                "journal \(journal.id): \(place.reason) at \(place.mark), \(place.length) bytes, found "
                    + "\(place.foundAt) and not released: see tollgate journals damage")
        }
        var found = JournalContent(known)
        while true {
            let items = try reader.next(limit: Self.entriesPerLookup, upTo: end)
            if items.isEmpty { break }
            var entries = found.add(items, ingestedUpTo: end, journal: journal, &check)
            let dropped = entries.filter { deleted.contains($0.request.accountID) }
            deletedRequestCount += dropped.count
            if options.engineCounts != nil, deletedRequests.count < Self.completedMax {
                deletedRequests.formUnion(dropped.map(\.request.id))
            }
            found.leaveOut(dropped)
            entries.removeAll { deleted.contains($0.request.accountID) }
            found.leaveOut(try compareStored(entries, &check, in: tx).filter { !found.isFirst($0, in: journal) })
        }
        let stored = try ReconcileStorage.recordCounts(
            of: journal.id, fromSegment: found.firstSegment ?? journal.mark.segment + 1, upTo: journal.mark,
            except: DeletionStorage.notEmpty(in: tx), in: tx)
        check.add(.count("requests"), left: Int128(found.requests), right: Int128(stored.requests))
        check.add(.count("attempts"), left: Int128(found.attempts), right: Int128(stored.attempts))
        if journal.retiredAt != nil {
            let count = try requestsBehind(reader)
            if count > 0 {
                check.note(
                    "journal \(journal.id) was retired; requests in its files that are on no invoice: \(count)")
            }
        }
        if reader.position < end {
            check.report(
                "journal \(journal.id) ends at \(reader.position), but is ingested up to \(journal.mark): its files "
                    + "are older than the database")
        }
    }

    /// Requests that ended and were never ingested.
    private func requestsBehind(_ start: JournalReader) throws -> Int {
        var (reader, count) = (start, 0)
        while case let items = try reader.next(limit: Self.entriesPerLookup), !items.isEmpty {
            count += items.count { if case .entry(.close) = $0.content { true } else { false } }
        }
        return count
    }

    /// What is stored of these entries.
    private func compareStored(
        _ entries: [UsageEntry], _ check: inout ReconciliationCheck, in tx: DatabaseTransaction
    ) throws -> [StoredRequest] {
        var found: [StoredRequest] = []
        for entry in entries {
            guard let stored = try RecordStorage.find(entry.request.id, in: tx) else {
                check.report("\(entry.request.id) is in the journal and not among the records")
                continue
            }
            found.append(stored)
            let written = Self.facts(try expected(entry.request, storedAs: stored.request, in: tx), entry.attempts)
            let read = Self.facts(stored.request, stored.attempts.map(\.record))
            if written != read {
                check.report("\(entry.request.id) is stored otherwise than it was written: \(written) became \(read)")
            }
        }
        return found
    }

    /// The request as it had to be stored: what names a subscription that had ended belongs to the one that its tenant
    /// had by then.
    private func expected(
        _ request: RequestRecord, storedAs stored: RequestRecord, in tx: DatabaseTransaction
    ) throws -> RequestRecord {
        guard stored.subscriptionID != request.subscriptionID,
            let named = try SubscriptionStorage.find(request.subscriptionID, in: tx)
        else { return request }
        let rating = try named.rating(at: request.acceptedAt) {
            try SubscriptionStorage.all(of: named.tenantID, account: named.accountID, in: tx)
        }
        var expected = request
        if let rating { expected.subscriptionID = rating.id }
        return expected
    }

    /// What of a request decides about money and promises.
    private static func facts(_ request: RequestRecord, _ attempts: [AttemptRecord]) -> String {
        let head = [
            "\(request.accountID)", "\(request.tenantID)", "\(request.projectID)", "\(request.keyID)",
            "\(request.subscriptionID)", request.model, request.modelRequested, request.tierRequested,
            request.outcome.rawValue, "\(request.httpStatus)", text(request.marks.firstByte),
            text(request.marks.firstToken),
            text(request.marks.end), request.tags.map { "\($0.name)=\($0.value)" }.sorted().joined(separator: ","),
        ]
        let tries = attempts.sorted { $0.number < $1.number }.map { attempt in
            [
                "\(attempt.id)", attempt.priceKey, attempt.tierServed ?? "-", "\(attempt.buckets.facts)",
                attempt.usageSource.rawValue, attempt.termination.rawValue, attempt.isDelivered ? "delivered" : "-",
                attempt.contradiction ?? "-",
            ].joined(separator: " ")
        }
        return (head + tries).joined(separator: " ")
    }

    private static func text(_ mark: Int64?) -> String { mark.map { "\($0)" } ?? "-" }
}

/// What the ingested part of a journal holds.
private struct JournalContent {
    var requests: Int64 = 0
    var attempts: Int64 = 0
    /// The first segment that is still there.
    var firstSegment: Int64?
    private var ids: Set<RequestID> = []
    /// By place, why someone released it.
    private let released: [JournalPosition: String]
    /// Places that nobody released, which are told already.
    private let unreleased: Set<JournalPosition>

    init(_ known: [StoredQuarantine]) {
        let done = known.filter { $0.releasedAt != nil }
        released = Dictionary(done.map { ($0.mark, $0.releaseReason ?? "") }) { first, _ in first }
        unreleased = Set(known.filter { $0.releasedAt == nil }.map(\.mark))
    }

    /// Whether a record is stored from this journal, as far as its files are still there. Only those of batches may be
    /// in several journals, or several times in one: whoever sees a batch's end writes them, and the first counts.
    func isFirst(_ stored: StoredRequest, in journal: RegisteredJournal) -> Bool {
        guard stored.request.operation == .batch else { return true }
        return stored.journalID == journal.id && stored.mark.segment >= firstSegment ?? 0
    }

    /// These are counted where they were stored from.
    mutating func leaveOut(_ others: [StoredRequest]) {
        requests -= Int64(others.count)
        attempts -= others.reduce(0) { $0 + Int64($1.attempts.count) }
    }

    /// Of accounts that were deleted nothing is stored.
    mutating func leaveOut(_ dropped: [UsageEntry]) {
        requests -= Int64(dropped.count)
        attempts -= dropped.reduce(0) { $0 + Int64($1.attempts.count) }
    }

    /// Counts items; returns the closed requests among them, each once.
    mutating func add(
        _ items: [JournalItem], ingestedUpTo end: JournalPosition, journal: RegisteredJournal,
        _ check: inout ReconciliationCheck
    ) -> [UsageEntry] {
        var entries: [UsageEntry] = []
        for item in items where item.end <= end {
            switch item.content {
            case .entry(let entry):
                if firstSegment == nil { firstSegment = item.end.segment }
                guard case .close(let closed) = entry, ids.insert(closed.request.id).inserted else { continue }
                requests += 1
                attempts += Int64(closed.attempts.count)
                entries.append(closed)
            case .quarantined(let range):
                let place = JournalPosition(segment: range.segment, offset: range.offset)
                if unreleased.contains(place) { continue }
                if let reason = released[place] {
                    check.note("journal \(journal.id): \(range); released: \(reason)")
                } else if range.reason == .missingSegment, firstSegment == nil {
                    // Ingest read them: else it would have found the hole.
                    check.note("journal \(journal.id): segments up to \(range.lastSegment) are removed")
                } else {
                    check.report("journal \(journal.id): \(range)")
                }
            }
        }
        return entries
    }
}

extension TokenBuckets {
    fileprivate var facts: [Int64] {
        [
            inputUncached, cacheRead, cacheWriteFiveMinutes, cacheWriteHour, cacheWriteLong, outputVisible,
            outputReasoning,
        ]
    }
}
