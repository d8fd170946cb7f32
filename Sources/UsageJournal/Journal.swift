public import Identity
public import Metering
import Synchronization

/// Room kept for the close record of a running request. Each is handed back once, with `appendClose`.
public struct CloseReservation: Hashable, Sendable {
    public let requestID: RequestID
    /// Kept bytes.
    let bytes: Int
    /// The segment that holds the open record.
    let openSegment: Int64
}

/// A close record on its way to the disk.
struct PendingClose: Sendable {
    let frame: [UInt8]
    let openSegment: Int64
    let whenDurable: @Sendable (Result<Void, JournalError>) -> Void
}

/// The durable journal of one gateway: what is in it survives the process and, once synced, a loss of power.
///
/// Appends may be called from any thread. Open and progress records are written by the caller, at once, so that they
/// outlive a SIGKILL; close records are gathered, written and synced as a group by the journal's own thread.
/// `close()` must be called: the thread keeps the journal alive until then.
public final class Journal: Sendable {
    public let id: JournalID
    /// Counts the openings of this directory, from 1.
    public let epoch: Int64
    public let directory: String

    /// What the lock guards.
    struct State {
        var writer: SegmentWriter
        var pending: [PendingClose] = []
        /// Who waits for the next sync beside them.
        var waiting: [@Sendable (Result<Void, JournalError>) -> Void] = []
        var failure: JournalError?
        var isClosing = false
        var isAbandoned = false
        var isSyncWanted = false
        var durable: JournalPosition
    }

    let state: Mutex<State>
    private let salt: FrameSalt
    let lock: DirectoryLock
    private let mark: DurableMark
    let wakeUp = Semaphore()
    let thread = Mutex<JoinableThread?>(nil)
    let onFailure: @Sendable (JournalError) -> Void

    init(
        writer: consuming sending SegmentWriter, lock: DirectoryLock,
        onFailure: @escaping @Sendable (JournalError) -> Void
    ) throws(JournalError) {
        mark = try DurableMark(
            writing: writer.directory, epoch: writer.epoch, position: writer.position,
            oldestNeeded: writer.oldestNeeded)
        id = writer.id
        epoch = writer.epoch
        directory = writer.directory.path
        salt = writer.salt
        self.lock = lock
        self.onFailure = onFailure
        let durable = writer.position
        state = Mutex(State(writer: writer, durable: durable))
        thread.withLock { $0 = JoinableThread { self.runSyncThread() } }
        wakeUp.signal()
    }

    /// False after a failed write or sync (final for the process) and after `close()`.
    public var isAccepting: Bool { state.withLock { $0.failure == nil && !$0.isClosing } }

    /// False while there is no room for another request: the disk is full, or as many run as segments can keep room
    /// for. Asking has the journal's thread look for room, so that it shows when there is some again.
    public var hasRoom: Bool {
        let (hasRoom, wakes) = state.withLock { ($0.writer.hasRoom, $0.writer.wantsPreparation) }
        if !hasRoom, wakes { wakeUp.signal() }
        return hasRoom
    }

    /// The end of what survives a loss of power: how far an ingester may read.
    public var durablePosition: JournalPosition { state.withLock { $0.durable } }

    /// The oldest segment that a recovery would have to read.
    public var oldestNeeded: Int64 { state.withLock { $0.writer.oldestNeeded } }

    /// Notes that all up to there is synced, here and for a follower.
    func synced(_ state: inout State, upTo end: JournalPosition) {
        state.durable = end
        mark.set(position: end, oldestNeeded: state.writer.oldestNeeded)
    }

    /// The end of what was written, synced or not.
    public var writtenPosition: JournalPosition { state.withLock { $0.writer.position } }
}

// MARK: - Appending

extension Journal {
    /// Writes the open record, not synced, and keeps room for the request's close record.
    ///
    /// Returns before anything may go upstream. Throws `.full` when the disk cannot take it: refuse with 503.
    public func appendOpen(_ entry: borrowing UsageEntry) throws(JournalError) -> CloseReservation {
        let frame = salt.open(entry)
        let id = entry.request.id
        let bytes = frame.count + SegmentWriter.closeGrowthBytes
        let (segment, wakes) = try perform { (state) throws(JournalError) in
            let segment = try state.writer.admit(frame, reserve: bytes)
            return (segment, state.writer.wantsPreparation)
        }
        if wakes { wakeUp.signal() }
        KillPoint.reach(.afterOpen)
        return CloseReservation(requestID: id, bytes: bytes, openSegment: segment)
    }

    /// Writes what a running request received so far, not synced. A full disk leaves it out: `.full`.
    public func appendProgress(_ progress: UsageProgress) throws(JournalError) {
        let frame = salt.progress(progress)
        try perform { (state) throws(JournalError) in try state.writer.append(frame) }
    }

    /// The same, with the open record before it synced: for a request whose record is closed only after its client has
    /// seen the end. `whenDurable` runs as that of `appendClose` does. On a full disk the count is left out and the
    /// open record synced without it.
    public func appendProgress(
        _ progress: UsageProgress, whenDurable: @escaping @Sendable (Result<Void, JournalError>) -> Void
    ) {
        let frame = salt.progress(progress)
        do throws(JournalError) {
            try perform { (state) throws(JournalError) in
                do throws(JournalError) {
                    try state.writer.append(frame)
                } catch {
                    guard case .full = error else { throw error }
                }
                state.waiting.append(whenDurable)
                state.isSyncWanted = true
            }
            wakeUp.signal()
        } catch {
            whenDurable(.failure(error))
        }
    }

    /// Gathers the close record for the next group.
    ///
    /// `whenDurable` runs once, on the journal's thread, when a sync covers the record or when that failed; on the
    /// caller's thread, at once, when the journal had failed before. It must not block. A failure means that the client
    /// must not see the answer's end; the request is closed by this record or, at the next opening, as `gateway_lost`.
    ///
    /// `moreFollow`: the caller appends others right after this one; the thread is woken for all of them together.
    public func appendClose(
        _ entry: borrowing UsageEntry, reservation: CloseReservation, moreFollow: Bool = false,
        whenDurable: @escaping @Sendable (Result<Void, JournalError>) -> Void
    ) {
        defer { if !moreFollow { wakeUp.signal() } }
        do throws(JournalError) {
            do throws(JournalError) {
                try gather(salt.close(entry), reservation, whenDurable)
            } catch .full {
                // Larger than what was kept, and no more is left: better a record without the engine's own words.
                try gather(salt.close(withoutRawUsage(entry)), reservation, whenDurable)
            }
        } catch {
            whenDurable(.failure(error))
        }
    }

    /// Gathers the record of something that was never open here, as close records are gathered: what a line of a batch
    /// came to. A process that dies before it is synced leaves nothing of it, so whoever writes it must be able to do
    /// so again. Throws `.full` when the disk cannot take it.
    public func appendClosed(
        _ entry: borrowing UsageEntry, moreFollow: Bool = false,
        whenDurable: @escaping @Sendable (Result<Void, JournalError>) -> Void
    ) throws(JournalError) {
        defer { if !moreFollow { wakeUp.signal() } }
        let frame = salt.close(entry)
        try perform { (state) throws(JournalError) in
            let segment = try state.writer.admit([], reserve: frame.count)
            state.pending.append(PendingClose(frame: frame, openSegment: segment, whenDurable: whenDurable))
        }
    }

    private func gather(
        _ frame: [UInt8], _ reservation: CloseReservation,
        _ whenDurable: @escaping @Sendable (Result<Void, JournalError>) -> Void
    ) throws(JournalError) {
        try perform { (state) throws(JournalError) in
            try state.writer.settle(reserved: reservation.bytes, actual: frame.count)
            state.pending.append(
                PendingClose(frame: frame, openSegment: reservation.openSegment, whenDurable: whenDurable))
        }
    }

    /// Writes a sign of life and has it synced soon, so that an idle gateway's journal can be read past it.
    public func appendHeartbeat(_ heartbeat: JournalHeartbeat) throws(JournalError) {
        try appendSynced(salt.heartbeat(heartbeat))
    }

    /// Writes counts of refusals and has them synced soon.
    public func appendRefusals(_ counts: [RefusalCount]) throws(JournalError) {
        var rest = counts[...]
        while !rest.isEmpty {
            try appendSynced(salt.refusals(Array(rest.prefix(JournalEntry.refusalsMax))))
            rest = rest.dropFirst(JournalEntry.refusalsMax)
        }
    }

    func appendSynced(_ frame: [UInt8]) throws(JournalError) {
        try perform { (state) throws(JournalError) in
            try state.writer.append(frame)
            state.isSyncWanted = true
        }
        wakeUp.signal()
    }

    private func withoutRawUsage(_ entry: borrowing UsageEntry) -> UsageEntry {
        var entry = copy entry
        for index in entry.attempts.indices { entry.attempts[index].rawUsage = [] }
        return entry
    }

    /// Runs `body` under the lock unless the journal failed or closed; a failure in it is final.
    private func perform<Value: Sendable>(
        _ body: (inout State) throws(JournalError) -> Value
    ) throws(JournalError) -> Value {
        var failedNow = false
        let result = state.withLock { state -> Result<Value, JournalError> in
            if let failure = state.failure { return .failure(failure) }
            guard !state.isClosing else { return .failure(.closed) }
            do throws(JournalError) {
                return .success(try body(&state))
            } catch {
                if case .failed = error {
                    state.failure = error
                    failedNow = true
                }
                return .failure(error)
            }
        }
        if failedNow, case .failure(let error) = result {
            wakeUp.signal()
            onFailure(error)
        }
        return try result.get()
    }
}
