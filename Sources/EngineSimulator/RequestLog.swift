import Synchronization

/// The simulator's book of served requests: the last so many, by sequence number.
final class RequestLog: Sendable {
    /// Totals over everything since the last clearing, forgotten requests included.
    struct Totals: Sendable, Equatable {
        var requests = 0
        var forgotten = 0
        var byOutcome: [ServedRequest.Outcome: Int] = [:]
        var promptTokens = 0
        var cachedTokens = 0
        var completionTokensProduced = 0
        var completionTokensSent = 0
    }

    private struct State {
        /// A ring: the entry after `base` stands first.
        var entries: [ServedRequest] = []
        /// The last sequence number before the last clearing; numbers never start again.
        var base = 0
        var lastSequence = 0
        /// The lowest sequence that is still remembered.
        var firstSequence = 1
        var totals = Totals()
    }

    private let entriesMax: Int
    private let state = Mutex(State())

    init(entriesMax: Int) {
        self.entriesMax = entriesMax
    }

    /// Adds the entry that the closure makes of its sequence number, and returns it.
    func open(_ make: (_ sequence: Int) -> ServedRequest) -> ServedRequest {
        state.withLock { state in
            state.lastSequence += 1
            let entry = make(state.lastSequence)
            if state.entries.count < entriesMax {
                state.entries.append(entry)
            } else {
                state.entries[(entry.sequence - state.base - 1) % entriesMax] = entry
                state.firstSequence = entry.sequence - entriesMax + 1
                state.totals.forgotten += 1
            }
            state.totals.requests += 1
            state.totals.byOutcome[.running, default: 0] += 1
            return entry
        }
    }

    /// Writes what became of a request. A request that was forgotten or cleared meanwhile is left alone.
    func close(_ entry: ServedRequest) {
        state.withLock { state in
            guard entry.sequence >= state.firstSequence, entry.sequence <= state.lastSequence else { return }
            state.entries[(entry.sequence - state.base - 1) % entriesMax] = entry
            state.totals.byOutcome[.running, default: 0] -= 1
            state.totals.byOutcome[entry.outcome, default: 0] += 1
            state.totals.promptTokens += entry.promptTokens
            state.totals.cachedTokens += entry.cachedTokens
            state.totals.completionTokensProduced += entry.completionTokensProduced
            state.totals.completionTokensSent += entry.completionTokensSent
        }
    }

    /// Entries after a sequence number, oldest first.
    func entries(after sequence: Int, limit: Int) -> [ServedRequest] {
        state.withLock { state in
            let first = max(sequence + 1, state.firstSequence)
            guard first <= state.lastSequence else { return [] }
            let last = min(state.lastSequence, first - 1 + min(limit, entriesMax))
            return (first...last).map { state.entries[($0 - state.base - 1) % entriesMax] }
        }
    }

    /// Totals, and how many requests are running.
    func totals() -> Totals {
        state.withLock { $0.totals }
    }

    /// Forgets everything. Requests that still run are not written down when they end.
    func clear() {
        state.withLock { state in
            let last = state.lastSequence
            state = State(base: last, lastSequence: last, firstSequence: last + 1)
        }
    }
}
