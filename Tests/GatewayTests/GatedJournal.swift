import Metering
import Synchronization
import UsageJournal

@testable import Gateway

/// A journal whose answers a test holds back or falsifies.
final class GatedJournal: RequestJournal {
    private struct State {
        var isAccepting = true
        var refusesOpens = false
        /// Nil passes the journal's answer on; else it is what closes are answered with.
        var verdict: Bool?
        var isHolding = false
        var waiting: [@Sendable () -> Void] = []
        var closed: [UsageEntry] = []
        var refusals: [RefusalCount] = []
    }

    struct Full: Error {}

    private let base: Journal
    private let state = Mutex(State())

    init(_ base: Journal) { self.base = base }

    func setAccepting(_ accepts: Bool) { state.withLock { $0.isAccepting = accepts } }
    func setRefusesOpens(_ refuses: Bool) { state.withLock { $0.refusesOpens = refuses } }
    func setVerdict(_ verdict: Bool?) { state.withLock { $0.verdict = verdict } }
    func hold() { state.withLock { $0.isHolding = true } }
    func release() {
        let waiting = state.withLock { state in
            state.isHolding = false
            let waiting = state.waiting
            state.waiting = []
            return waiting
        }
        for answer in waiting { answer() }
    }
    var waitingCount: Int { state.withLock { $0.waiting.count } }
    var refusals: [RefusalCount] { state.withLock { $0.refusals } }

    var isAccepting: Bool { state.withLock { $0.isAccepting } && base.isAccepting }

    func open(_ entry: UsageEntry) throws -> any OpenRequest {
        if state.withLock({ $0.refusesOpens }) { throw Full() }
        return Gated(journal: self, base: try base.open(entry))
    }

    func append(_ refusals: [RefusalCount]) throws {
        state.withLock { $0.refusals += refusals }
        try base.append(refusals)
    }

    func append(
        _ entry: UsageEntry, moreFollow: Bool, whenDurable: @escaping @Sendable (Bool) -> Void
    ) throws {
        try base.append(entry, moreFollow: moreFollow) { self.answer($0, whenDurable) }
    }

    private func answer(_ isDurable: Bool, _ whenDurable: @escaping @Sendable (Bool) -> Void) {
        let verdict = state.withLock { $0.verdict } ?? isDurable
        let isHeld = state.withLock { state in
            if state.isHolding { state.waiting.append { whenDurable(verdict) } }
            return state.isHolding
        }
        if !isHeld { whenDurable(verdict) }
    }

    private struct Gated: OpenRequest {
        let journal: GatedJournal
        let base: any OpenRequest

        func progress(_ progress: UsageProgress) { base.progress(progress) }

        func progress(_ progress: UsageProgress, whenDurable: @escaping @Sendable (Bool) -> Void) {
            base.progress(progress) { journal.answer($0, whenDurable) }
        }

        func close(_ entry: UsageEntry, whenDurable: @escaping @Sendable (Bool) -> Void) {
            base.close(entry) { journal.answer($0, whenDurable) }
        }
    }
}
