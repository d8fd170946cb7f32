import Identity
import NIOCore
import NIOPosix
import Synchronization

/// Reads large bodies away from the event loops, few at a time: no other request waits for one, and tenants take turns,
/// so that nobody's large bodies wait for all those of another.
final class ReadingPool: Sendable {
    /// A longer body is not read on its event loop.
    static let inPlaceBytesMax = 64 * 1024

    /// Whose turn it is.
    enum Owner: Hashable {
        case requests(TenantID)
        /// What is counted behind a tenant's answers does not wait for its requests.
        case counting(TenantID)
    }

    private struct State {
        var queue = FairQueue<Owner, @Sendable () -> Void>()
        var running = 0
    }

    private let state = Mutex(State())
    private let runningMax: Int
    private let threads: NIOThreadPool

    /// Half of the cores, so that the event loops keep the others.
    init(threads: NIOThreadPool = .singleton, runningMax: Int = max(1, System.coreCount / 2)) {
        self.threads = threads
        self.runningMax = runningMax
    }

    /// Does `work` when it is the owner's turn, then tells its result on `eventLoop`. Whoever does not want it any
    /// more cancels it: a work that has not begun is left out then, and nobody is told.
    func run<Value: Sendable>(
        for owner: Owner, on eventLoop: any EventLoop, _ work: @escaping @Sendable () -> Value,
        then: @escaping @Sendable (Value) -> Void
    ) -> Reading {
        let reading = Reading()
        let job: @Sendable () -> Void = {
            guard !reading.isCancelled else { return }
            let value = work()
            eventLoop.execute { if !reading.isCancelled { then(value) } }
        }
        state.withLock { $0.queue.append(job, of: owner) }
        startNext()
        return reading
    }

    private func startNext() {
        let next = state.withLock { state -> (@Sendable () -> Void)? in
            guard state.running < runningMax, let job = state.queue.popFirst() else { return nil }
            state.running += 1
            return job
        }
        guard let next else { return }
        threads.submit { _ in
            next()
            self.state.withLock { $0.running -= 1 }
            self.startNext()
        }
    }

    /// A body that is being read, or waits for its turn.
    final class Reading: Sendable {
        private let cancelled = Atomic<Bool>(false)

        var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

        func cancel() { cancelled.store(true, ordering: .relaxed) }
    }
}
