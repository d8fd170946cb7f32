import Identity
import Synchronization

// MARK: - The sync thread

extension Journal {
    private enum Pass {
        case idle
        case sync(Group, work: SegmentWriter.SyncWork, end: JournalPosition)
        case failed(Group, JournalError, isNew: Bool)
    }

    /// What one sync is for.
    private struct Group {
        let closes: [PendingClose]
        let waiting: [@Sendable (Result<Void, JournalError>) -> Void]

        var isEmpty: Bool { closes.isEmpty && waiting.isEmpty }

        func tell(_ result: Result<Void, JournalError>) {
            for close in closes { close.whenDurable(result) }
            for tell in waiting { tell(result) }
        }
    }

    func runSyncThread() {
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
            group.tell(.failure(error))
        case .sync(let group, let work, let end):
            if !group.closes.isEmpty { KillPoint.reach(.afterCloseBeforeSync) }
            do throws(JournalError) {
                try work.perform()
            } catch {
                fail(error)
                return group.tell(.failure(error))
            }
            if !group.closes.isEmpty { KillPoint.reach(.afterSync) }
            state.withLock {
                $0.writer.forget(group.closes)
                synced(&$0, upTo: end)
            }
            group.tell(.success(()))
        }
    }

    private func takePass(_ state: inout State) -> Pass {
        let group = Group(closes: state.pending, waiting: state.waiting)
        state.pending = []
        state.waiting = []
        if let failure = state.failure {
            return group.isEmpty ? .idle : .failed(group, failure, isNew: false)
        }
        guard !group.isEmpty || state.isSyncWanted else { return .idle }
        state.isSyncWanted = false
        do throws(JournalError) {
            try state.writer.write(group.closes)
        } catch {
            // The room was kept, so even a full disk is a failure here.
            let failure: JournalError = if case .failed = error { error } else { .failed("\(error)") }
            state.failure = failure
            return .failed(group, failure, isNew: true)
        }
        return .sync(group, work: state.writer.takeSyncWork(), end: state.writer.position)
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
