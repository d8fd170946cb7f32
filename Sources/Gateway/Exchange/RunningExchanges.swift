import Identity
import Metering
import NIOCore
import Synchronization
import Telemetry
import UsageJournal

/// The requests of one event loop that have not ended, or whose end is still going out, and what they hand to the
/// journal. Confined to its loop.
final class RunningExchanges {
    private let eventLoop: any EventLoop
    private let shared: GatewayShared
    private let metrics: GatewayMetrics
    private var running: [Int: Exchange] = [:]
    private var closing: [(exchange: Exchange, request: any OpenRequest, since: NIODeadline)] = []
    private let completions: CompletionQueue

    init(eventLoop: any EventLoop, shared: GatewayShared, metrics: GatewayMetrics) {
        self.eventLoop = eventLoop
        self.shared = shared
        self.metrics = metrics
        completions = CompletionQueue(eventLoop: eventLoop)
    }

    func start() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        completions.whenFilled = { bound.value.takeCompletions() }
    }

    func stop() { completions.whenFilled = nil }

    var all: [Exchange] { Array(running.values) }

    /// Whether at least half of what runs here is of one account. Looks at each: asked only of a full gateway.
    func areMostly(of account: AccountID) -> Bool {
        let own = running.values.count { $0.entry.request.accountID == account }
        return own > 0 && own * 2 >= running.count
    }

    func opened(_ exchange: Exchange) { running[exchange.number] = exchange }

    /// Hands the record to the journal at the end of this turn of the event loop, together with all others that end
    /// in it: one sync for many. The journal's answer comes back to this event loop.
    func close(_ exchange: Exchange, _ request: (any OpenRequest)?, at now: NIODeadline) {
        guard let request else { return }
        closing.append((exchange, request, now))
        guard closing.count == 1 else { return }
        eventLoop.assumeIsolated().execute { self.appendCloses() }
    }

    /// Syncs what is known of a request whose record is closed after its client has seen the end. The journal's answer
    /// comes back as that to a close does.
    func keepOpen(_ exchange: Exchange, _ request: any OpenRequest, _ progress: UsageProgress, at now: NIODeadline) {
        let completions = completions
        let number = exchange.number
        request.progress(progress) { isDurable in completions.add((number, isDurable, now)) }
    }

    private func appendCloses() {
        let closes = closing
        closing.removeAll(keepingCapacity: true)
        let completions = completions
        for (index, (exchange, request, since)) in closes.enumerated() {
            let number = exchange.number
            request.close(exchange.entry, moreFollow: index + 1 < closes.count) { isDurable in
                completions.add((number, isDurable, since))
            }
        }
    }

    func finished(_ exchange: Exchange) {
        guard running.removeValue(forKey: exchange.number) != nil else { return }
        shared.openRequests.subtract(1, ordering: .relaxed)
    }

    private func takeCompletions() {
        let now = NIODeadline.now()
        for (number, isDurable, since) in completions.takeAll() {
            metrics.journalWait.observe((now - since).nanoseconds / 1000)
            if !isDurable {
                shared.log.error("could not make a record durable; its response was cut off")
            }
            running[number]?.recorded(isDurable: isDurable)
        }
    }
}

/// Carries the journal's answers from its thread to an event loop: one wake-up for all that came meanwhile.
final class CompletionQueue: @unchecked Sendable {
    typealias Entry = (number: Int, isDurable: Bool, since: NIODeadline)

    private let entries = Mutex<[Entry]>([])
    private let eventLoop: any EventLoop
    /// Only touched on the event loop.
    var whenFilled: (() -> Void)?

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func add(_ entry: Entry) {
        let isFirst = entries.withLock { entries in
            entries.append(entry)
            return entries.count == 1
        }
        if isFirst { eventLoop.execute { self.whenFilled?() } }
    }

    func takeAll() -> [Entry] {
        entries.withLock { entries in
            let taken = entries
            entries.removeAll()
            return taken
        }
    }
}
