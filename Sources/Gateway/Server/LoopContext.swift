import Accounts
import Engines
import Identity
import Metering
import NIOCore
import Routing
import Synchronization
import Telemetry
import UsageJournal

/// All that one event loop owns: its connections, running requests and engine connections. Confined to its loop.
final class LoopContext {
    let eventLoop: any EventLoop
    let shared: GatewayShared
    let pool: UpstreamPool
    let metrics: GatewayMetrics
    /// For new records.
    let ids: RecordIDs
    private var clients: [ObjectIdentifier: ClientHandler] = [:]
    let exchanges: RunningExchanges
    private var random = RandomBits()
    private var lastNumber = 0
    private var nextJournalWarning = NIODeadline.uptimeNanoseconds(0)
    private(set) lazy var settlements = Settlements(loop: self)
    private(set) lazy var batches = BatchKeeper(loop: self)
    private var jobs: [ObjectIdentifier: JobCall] = [:]
    /// Of a gateway's event loops one does what only one need do.
    let isFirst: Bool
    private(set) lazy var lateCounts = LateCounts(loop: self)
    private(set) lazy var audit = UsageAudit(registry: shared.registry)
    private var ticker: RepeatedTask?

    /// How often times are looked at.
    private static let tickMilliseconds: Int64 = 100

    init(eventLoop: any EventLoop, shared: GatewayShared, isFirst: Bool = false) {
        self.eventLoop = eventLoop
        self.shared = shared
        self.isFirst = isFirst
        pool = UpstreamPool(eventLoop: eventLoop, tls: shared.upstreamTLS, configuration: shared.configuration)
        metrics = GatewayMetrics(registry: shared.registry) { [snapshots = shared.snapshots] in
            snapshots.current.catalogue.backend(named: $0)?.kind
        }
        ids = RecordIDs(clock: shared.clock)
        exchanges = RunningExchanges(eventLoop: eventLoop, shared: shared, metrics: metrics)
    }

    /// Begins to look at times. On the event loop.
    func start() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        exchanges.start()
        let period = TimeAmount.milliseconds(LoopContext.tickMilliseconds)
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: period, delay: period) { _ in bound.value.tick() }
    }

    /// Closes everything. On the event loop.
    func stop() {
        ticker?.cancel()
        ticker = nil
        for client in clients.values { client.cut() }
        pool.closeAll()
        exchanges.stop()
    }

    func buffer(_ bytes: Int) -> ByteBuffer { ByteBufferAllocator().buffer(capacity: bytes) }

    // MARK: Connections

    func joined(_ client: ClientHandler) { clients[ObjectIdentifier(client)] = client }
    func left(_ client: ClientHandler) { clients[ObjectIdentifier(client)] = nil }

    /// Closes connections that have no request running.
    func closeIdleClients() {
        for client in clients.values { client.closeIfIdle() }
    }

    /// Says that the journal takes no requests, once a second at most: every request would say it again.
    func warnOfJournal(_ error: any Error) {
        let now = NIODeadline.now()
        guard now >= nextJournalWarning else { return }
        nextJournalWarning = now + .seconds(1)
        shared.log.warning("journal is not accepting requests", ["error": "\(error)"])
    }

    // MARK: Requests

    /// Begins an admitted request: its way to an engine, its records, its place in the journal. Nil when none of the
    /// engines that may serve it takes more.
    func begin(
        _ admitted: AdmittedRequest, hold: LimitHold?, client: ClientHandler, head: ForwardedHead, body: ByteBuffer
    ) throws -> Exchange? {
        let now = NIODeadline.now()
        let milliseconds = ProcessTime.milliseconds(of: now)
        var plan = shared.routes.plan(
            among: admitted.routes, rules: admitted.model.routing, size: admitted.size, random: random.next(),
            source: Self.source(of: admitted), now: milliseconds)
        guard let ticket = shared.routes.begin(&plan, now: milliseconds) else { return nil }
        let entry = accept(admitted, on: ticket.route)
        lastNumber += 1
        let exchange = Exchange(
            number: lastNumber, loop: self, client: client, admitted: admitted, hold: hold, entry: entry,
            try: ticket, plan: plan, head: head, body: body, now: now)
        do {
            try claimIdempotencyKey(head.headers, of: &exchange.entry, asking: admitted.fingerprint)
            try exchange.start()
        } catch {
            exchange.giveBackTicket(isNeutral: true, at: now)
            releaseIdempotencyKey(of: exchange.entry)
            throw error
        }
        return exchange
    }

    /// Whose a request is, to breakers and full backends: one customer's failures and requests are not everybody's.
    static func source(of admitted: AdmittedRequest) -> UInt64 {
        UInt64(bitPattern: Int64(admitted.grant.accountID.hashValue))
    }

    /// Writes the record of a request that never went to an engine. The answer need not wait for it. Who fills what it
    /// finds full (`isOwnDoing`) is owed nothing for that.
    func recordRefusal(of admitted: AdmittedRequest, _ error: APIError, isOwnDoing: Bool) throws -> RequestID {
        var entry = accept(admitted, on: admitted.routes[0])
        entry.attempts = []
        entry.request.outcome = isOwnDoing ? .clientError : .providerError
        entry.request.httpStatus = Int32(error.status)
        entry.request.reason = error.code
        entry.request.marks.end = 0
        try shared.journal.open(entry).close(entry) { _ in }
        return entry.request.id
    }

    /// Under which key plans price a model that an answer names beside its own; nil for one that nobody may name.
    func priceKey(of model: String) -> String? { shared.snapshots.current.catalogue.model(named: model)?.priceKey }

    /// Stamps a request with billing time.
    private func accept(_ admitted: AdmittedRequest, on route: ModelRoute) -> UsageEntry {
        let id = ids.request(offset: admitted.grant.clockOffsetMilliseconds)
        return admitted.entry(id: id, attemptID: ids.attempt(of: id), on: route)
    }

    // MARK: Files and batches

    /// Calls about files and batches that have not ended.
    var runningJobs: [JobCall] { Array(jobs.values) }

    func began(_ job: JobCall) { jobs[ObjectIdentifier(job)] = job }

    func finished(_ job: JobCall) {
        guard jobs.removeValue(forKey: ObjectIdentifier(job)) != nil else { return }
        shared.openRequests.subtract(1, ordering: .relaxed)
    }

    private func tick() {
        let now = NIODeadline.now()
        for exchange in exchanges.all { exchange.tick(now: now) }
        for client in clients.values { client.tick(now: now) }
        pool.tick(now: now)
        settlements.tick(now: now)
        batches.tick(now: now)
        lateCounts.tick(now: now)
    }
}
