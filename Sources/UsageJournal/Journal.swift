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

    private struct State {
        var writer: SegmentWriter
        var pending: [PendingClose] = []
        var failure: JournalError?
        var isClosing = false
        var isAbandoned = false
        var isSyncWanted = false
        var durable: JournalPosition
    }

    private let state: Mutex<State>
    private let salt: FrameSalt
    private let lock: DirectoryLock
    private let wakeUp = Semaphore()
    private let thread = Mutex<JoinableThread?>(nil)
    private let onFailure: @Sendable (JournalError) -> Void

    init(
        writer: consuming sending SegmentWriter, lock: DirectoryLock,
        onFailure: @escaping @Sendable (JournalError) -> Void
    ) {
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

    /// The end of what survives a loss of power: how far an ingester may read.
    public var durablePosition: JournalPosition { state.withLock { $0.durable } }

    /// The oldest segment that a recovery would have to read.
    var oldestNeeded: Int64 { state.withLock { $0.writer.oldestNeeded } }

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

    /// Gathers the close record for the next group.
    ///
    /// `whenDurable` runs once, on the journal's thread, when a sync covers the record or when that failed; on the
    /// caller's thread, at once, when the journal had failed before. It must not block. A failure means that the client
    /// must not see the answer's end; the request is closed by this record or, at the next opening, as `gateway_lost`.
    public func appendClose(
        _ entry: borrowing UsageEntry, reservation: CloseReservation,
        whenDurable: @escaping @Sendable (Result<Void, JournalError>) -> Void
    ) {
        do throws(JournalError) {
            do throws(JournalError) {
                try gather(salt.close(entry), reservation, whenDurable)
            } catch .full {
                // Larger than what was kept, and no more is left: better a record without the engine's own words.
                try gather(salt.close(withoutRawUsage(entry)), reservation, whenDurable)
            }
            wakeUp.signal()
        } catch {
            whenDurable(.failure(error))
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

// MARK: - The sync thread

extension Journal {
    private enum Pass {
        case idle
        case sync(group: [PendingClose], work: SegmentWriter.SyncWork, end: JournalPosition)
        case failed([PendingClose], JournalError, isNew: Bool)
    }

    private func runSyncThread() {
        while true {
            wakeUp.wait()
            let (isClosing, isAbandoned) = state.withLock { ($0.isClosing, $0.isAbandoned) }
            if isAbandoned { break }
            runPass()
            if isClosing {
                finish()
                break
            }
            prepareAhead()
        }
        state.withLock { $0.writer.closeFiles() }
    }

    /// Writes what was gathered, syncs once, and tells those who wait. What arrives meanwhile is the next group.
    private func runPass() {
        switch state.withLock({ takePass(&$0) }) {
        case .idle: return
        case .failed(let group, let error, let isNew):
            if isNew { onFailure(error) }
            for close in group { close.whenDurable(.failure(error)) }
        case .sync(let group, let work, let end):
            if !group.isEmpty { KillPoint.reach(.afterCloseBeforeSync) }
            do throws(JournalError) {
                try work.perform()
            } catch {
                fail(error)
                for close in group { close.whenDurable(.failure(error)) }
                return
            }
            if !group.isEmpty { KillPoint.reach(.afterSync) }
            state.withLock { $0.durable = end }
            for close in group { close.whenDurable(.success(())) }
        }
    }

    private func takePass(_ state: inout State) -> Pass {
        let group = state.pending
        state.pending = []
        if let failure = state.failure {
            return group.isEmpty ? .idle : .failed(group, failure, isNew: false)
        }
        guard !group.isEmpty || state.isSyncWanted else { return .idle }
        state.isSyncWanted = false
        do throws(JournalError) {
            try state.writer.write(group)
        } catch {
            // The room was kept, so even a full disk is a failure here.
            let failure: JournalError = if case .failed = error { error } else { .failed("\(error)") }
            state.failure = failure
            return .failed(group, failure, isNew: true)
        }
        return .sync(group: group, work: state.writer.takeSyncWork(), end: state.writer.position)
    }

    private func fail(_ error: JournalError) {
        let isNew = state.withLock { state in
            guard state.failure == nil else { return false }
            state.failure = error
            return true
        }
        if isNew { onFailure(error) }
    }

    /// Allocates the next segment before anyone has to wait for it.
    private func prepareAhead() {
        while let preparation = state.withLock({
            $0.failure == nil && $0.writer.wantsPreparation ? $0.writer.takePreparation() : nil
        }) {
            let result = SegmentWriter.prepare(preparation)
            let failure = state.withLock { state -> JournalError? in
                switch result {
                case .success(let file): state.writer.prepared(file)
                case .failure(let fault):
                    do throws(JournalError) { try state.writer.preparationFailed(fault) } catch { return error }
                }
                return nil
            }
            guard let failure else { continue }
            if case .failed = failure { fail(failure) }
            return
        }
    }
}

// MARK: - Closing

extension Journal {
    /// Syncs everything, finishes the segment and lets the directory go. Not to be called from a `whenDurable`.
    public func close() { stop(abandoning: false) }

    /// Lets go without a sync, as a killed process would; for tests.
    func abandon() { stop(abandoning: true) }

    private func stop(abandoning: Bool) {
        state.withLock {
            $0.isClosing = true
            $0.isAbandoned = abandoning
            $0.isSyncWanted = true
        }
        guard let running = thread.withLock({ $0.take() }) else { return }
        wakeUp.signal()
        running.join()
        lock.release()
    }

    private func finish() {
        let work = state.withLock { state -> SegmentWriter.SyncWork? in
            guard state.failure == nil else { return nil }
            do throws(JournalError) { try state.writer.finishActive() } catch { return nil }
            return state.writer.takeSyncWork()
        }
        // Without its end mark the segment is recovered at the next opening, as after a crash.
        do throws(JournalError) { try work?.perform() } catch { fail(error) }
    }
}
