public import Metering
public import UsageJournal

/// What the gateway asks of the journal. `UsageJournal.Journal` is the real one; tests put others in its place.
public protocol RequestJournal: Sendable {
    /// False when no request may be accepted: the disk is full, or a write has failed.
    var isAccepting: Bool { get }

    /// False while a full disk leaves no room for another request. Only `/readyz` asks: whoever comes is tried.
    var hasRoom: Bool { get }

    /// Writes that a request was accepted and reserves room for its end. Not synced.
    func open(_ entry: UsageEntry) throws -> any OpenRequest

    /// Writes refusal counts. Not synced.
    func append(_ refusals: [RefusalCount]) throws

    /// Writes and syncs the record of something that was never open here. Calls back once, on a thread of the
    /// journal's. `moreFollow`: others are written right after it, and one sync is for all of them. Throws when the
    /// disk is full.
    func append(
        _ entry: UsageEntry, moreFollow: Bool, whenDurable: @escaping @Sendable (Bool) -> Void
    ) throws
}

extension RequestJournal {
    public var hasRoom: Bool { true }
}

/// A request that the journal knows to be running, and must be told the end of.
public protocol OpenRequest: Sendable {
    /// Writes what was received so far, or that another try begins. Not synced; a failure shows in `isAccepting`.
    func progress(_ progress: UsageProgress)

    /// The same, synced with the open record before it. Calls back as `close` does.
    func progress(_ progress: UsageProgress, whenDurable: @escaping @Sendable (Bool) -> Void)

    /// Writes the end and syncs it. Calls back once, on a thread of the journal's: true when it will outlive a crash,
    /// false when it was not, or perhaps not, written.
    func close(_ entry: UsageEntry, whenDurable: @escaping @Sendable (Bool) -> Void)

    /// The same where others are closed right after it (`moreFollow`): one sync for all of them.
    func close(_ entry: UsageEntry, moreFollow: Bool, whenDurable: @escaping @Sendable (Bool) -> Void)
}

extension OpenRequest {
    public func close(_ entry: UsageEntry, moreFollow: Bool, whenDurable: @escaping @Sendable (Bool) -> Void) {
        close(entry, whenDurable: whenDurable)
    }
}

extension Journal: RequestJournal {
    /// Writes the open record and reserves room for the close record.
    public func open(_ entry: UsageEntry) throws -> any OpenRequest {
        JournalledRequest(journal: self, reservation: try appendOpen(entry))
    }

    /// Writes refusal counts.
    public func append(_ refusals: [RefusalCount]) throws { try appendRefusals(refusals) }

    /// Writes and syncs a record that nothing was written of before.
    public func append(
        _ entry: UsageEntry, moreFollow: Bool, whenDurable: @escaping @Sendable (Bool) -> Void
    ) throws {
        try appendClosed(entry, moreFollow: moreFollow) { result in
            if case .success = result { whenDurable(true) } else { whenDurable(false) }
        }
    }
}

extension Journal {
    /// The open request of work that an earlier process left.
    func resumed(_ work: RecoveryReport.RunningWork) -> any OpenRequest {
        JournalledRequest(journal: self, reservation: work.reservation)
    }
}

/// One running request in the journal.
private struct JournalledRequest: OpenRequest {
    let journal: Journal
    let reservation: CloseReservation

    func progress(_ progress: UsageProgress) {
        // A count left out is no loss: the next one, or the close record, says more.
        try? journal.appendProgress(progress)
    }

    func progress(_ progress: UsageProgress, whenDurable: @escaping @Sendable (Bool) -> Void) {
        journal.appendProgress(progress) { result in
            if case .success = result { whenDurable(true) } else { whenDurable(false) }
        }
    }

    func close(_ entry: UsageEntry, whenDurable: @escaping @Sendable (Bool) -> Void) {
        close(entry, moreFollow: false, whenDurable: whenDurable)
    }

    func close(_ entry: UsageEntry, moreFollow: Bool, whenDurable: @escaping @Sendable (Bool) -> Void) {
        journal.appendClose(entry, reservation: reservation, moreFollow: moreFollow) { result in
            if case .success = result { whenDurable(true) } else { whenDurable(false) }
        }
    }
}
