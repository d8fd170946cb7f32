import Accounts
import Engines
import Identity
import Limits
import Metering
import NIOCore
import NIOSSL
import Routing
import Synchronization
import Telemetry
import UsageJournal

/// What all event loops share. Everything in it is immutable or guards itself.
final class GatewayShared: Sendable {
    let configuration: GatewayConfiguration
    let journal: any RequestJournal
    let snapshots: SnapshotHolder
    let log: StructuredLog
    let registry: MetricsRegistry
    let clock: BillingClock
    let refusals = RefusalCounts()
    let limits: LimitGate
    /// For the bodies of requests.
    let memory: MemoryBudget
    let routes: RouteTable
    let idempotency: IdempotencyTable
    let batches: BatchRegistry
    let settlements = SettlementRegistry()
    let upstreamTLS: NIOSSLContext?
    let openRequests = Atomic<Int>(0)
    let connections = Atomic<Int>(0)
    private let draining = Atomic<Bool>(false)

    init(
        configuration: GatewayConfiguration, journal: any RequestJournal, snapshot: GatewaySnapshot,
        log: StructuredLog, registry: MetricsRegistry, upstreamTLS: NIOSSLContext?, sliceSource: (any SliceSource)?,
        idempotency: IdempotencyTable, batchBook: (any BatchBook)?
    ) {
        self.configuration = configuration
        self.journal = journal
        snapshots = SnapshotHolder(snapshot)
        self.log = log
        self.registry = registry
        self.upstreamTLS = upstreamTLS
        memory = MemoryBudget(bytesMax: configuration.limits.memoryBytes)
        routes = RouteTable(registry: registry)
        self.idempotency = idempotency
        batches = BatchRegistry(book: batchBook)
        clock = BillingClock(realMilliseconds: StructuredLog.wallClock)
        limits = LimitGate(
            source: sliceSource, registry: registry, waitMilliseconds: configuration.times.limitWaitMilliseconds)
    }

    /// What is decided by the newest snapshot, now.
    var admission: Admission { Admission(snapshot: snapshots.current, now: clock.realTime) }

    var isDraining: Bool { draining.load(ordering: .relaxed) }

    func beginDraining() { draining.store(true, ordering: .relaxed) }

    /// Counts a refusal for the journal and the metrics.
    func refuse(_ error: APIError, grant: KeyGrant?) {
        let milliseconds = clock.milliseconds(offset: grant?.clockOffsetMilliseconds ?? 0)
        refusals.count(error.code, grant: grant, milliseconds: milliseconds)
        countInMetrics(error)
    }

    /// Why a request cannot be served now; nil when it can.
    func unavailability(openRequests: Int) -> APIError? {
        if isDraining { return .draining }
        return openRequests > configuration.limits.openRequests ? .overloaded : nil
    }

    func countInMetrics(_ error: APIError) {
        registry.counter(
            "tollgate_refusals_total", help: "Requests that the gateway refused, by reason.",
            labels: ["reason": error.code]
        ).increment()
    }

    /// Writes the refusal counts to the journal; what it does not take stays for the next time.
    func appendRefusals() {
        let counts = refusals.takeAll()
        guard !counts.isEmpty else { return }
        do {
            try journal.append(counts)
        } catch {
            refusals.putBack(counts)
            log.warning("could not write refusal counts to the journal", ["error": "\(error)"])
        }
    }
}

/// All that one event loop owns: its connections, running requests and engine connections. Confined to its loop.
final class LoopContext {
    let eventLoop: any EventLoop
    let shared: GatewayShared
    let pool: UpstreamPool
    let metrics: GatewayMetrics
    private var random = RandomBits()
    private var clients: [ObjectIdentifier: ClientHandler] = [:]
    private var exchanges: [Int: Exchange] = [:]
    private var lastNumber = 0
    private var nextJournalWarning = NIODeadline.uptimeNanoseconds(0)
    private var closing: [(exchange: Exchange, request: any OpenRequest, since: NIODeadline)] = []
    private let completions: CompletionQueue
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
        completions = CompletionQueue(eventLoop: eventLoop)
    }

    /// Begins to look at times. On the event loop.
    func start() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        completions.whenFilled = { bound.value.takeCompletions() }
        let period = TimeAmount.milliseconds(LoopContext.tickMilliseconds)
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: period, delay: period) { _ in bound.value.tick() }
    }

    /// Closes everything. On the event loop.
    func stop() {
        ticker?.cancel()
        ticker = nil
        for client in clients.values { client.cut() }
        pool.closeAll()
        completions.whenFilled = nil
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
            source: UInt64(bitPattern: Int64(admitted.grant.tenantID.hashValue)), now: milliseconds)
        guard let ticket = shared.routes.begin(&plan, now: milliseconds) else { return nil }
        let entry = accept(admitted, on: ticket.route)
        lastNumber += 1
        let exchange = Exchange(
            number: lastNumber, loop: self, client: client, admitted: admitted, hold: hold, entry: entry,
            try: ticket, plan: plan, head: head, body: body, now: now)
        do {
            try claimIdempotencyKey(head.headers, of: &exchange.entry, asking: admitted.request, body)
            try exchange.start()
        } catch {
            exchange.giveBackTicket(isNeutral: true, at: now)
            releaseIdempotencyKey(of: exchange.entry)
            throw error
        }
        return exchange
    }

    /// Requests that have not ended, or whose end is still going out.
    var running: [Exchange] { Array(exchanges.values) }

    /// Writes the record of a request that never went to an engine. The answer need not wait for it.
    func recordRefusal(of admitted: AdmittedRequest, _ error: APIError) throws -> RequestID {
        var entry = accept(admitted, on: admitted.routes[0])
        entry.attempts = []
        entry.request.outcome = .providerError
        entry.request.httpStatus = Int32(error.status)
        entry.request.reason = error.code
        entry.request.marks.end = 0
        try shared.journal.open(entry).close(entry) { _ in }
        return entry.request.id
    }

    /// Under which key plans price a model that an answer names beside its own; nil for one that nobody may name.
    func priceKey(of model: String) -> String? { shared.snapshots.current.catalogue.model(named: model)?.priceKey }

    /// A new id with the billing time of the request that it belongs to.
    func newAttemptID(of request: RequestID) -> AttemptID {
        AttemptID(
            UUIDv7(milliseconds: request.uuid.timestamp.milliseconds, randomness: (random.next(), random.next())))
    }

    /// Stamps a request with billing time.
    private func accept(_ admitted: AdmittedRequest, on route: ModelRoute) -> UsageEntry {
        let milliseconds = shared.clock.milliseconds(offset: admitted.grant.clockOffsetMilliseconds)
        let id = RequestID(UUIDv7(milliseconds: milliseconds, randomness: (random.next(), random.next())))
        let attemptID = AttemptID(UUIDv7(milliseconds: milliseconds, randomness: (random.next(), random.next())))
        return admitted.entry(id: id, attemptID: attemptID, on: route)
    }

    func opened(_ exchange: Exchange) { exchanges[exchange.number] = exchange }

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
        guard exchanges.removeValue(forKey: exchange.number) != nil else { return }
        shared.openRequests.subtract(1, ordering: .relaxed)
    }

    private func takeCompletions() {
        let now = NIODeadline.now()
        for (number, isDurable, since) in completions.takeAll() {
            metrics.journalWait.observe((now - since).nanoseconds / 1000)
            if !isDurable {
                shared.log.error("could not make a record durable; its response was cut off")
            }
            exchanges[number]?.recorded(isDurable: isDurable)
        }
    }

    // MARK: Files and batches

    /// Calls about files and batches that have not ended.
    var runningJobs: [JobCall] { Array(jobs.values) }

    func began(_ job: JobCall) { jobs[ObjectIdentifier(job)] = job }

    func finished(_ job: JobCall) {
        guard jobs.removeValue(forKey: ObjectIdentifier(job)) != nil else { return }
        shared.openRequests.subtract(1, ordering: .relaxed)
    }

    /// A new id with the billing time of now.
    func newRequestID(offset: Int64) -> RequestID {
        RequestID(
            UUIDv7(
                milliseconds: shared.clock.milliseconds(offset: offset), randomness: (random.next(), random.next())))
    }

    /// 16 of them.
    func randomBytes() -> [UInt8] { withUnsafeBytes(of: (random.next(), random.next())) { Array($0) } }

    private func tick() {
        let now = NIODeadline.now()
        for exchange in exchanges.values { exchange.tick(now: now) }
        for client in clients.values { client.tick(now: now) }
        pool.tick(now: now)
        settlements.tick(now: now)
        batches.tick(now: now)
        lateCounts.tick(now: now)
    }
}

extension AdmittedRequest {
    /// The records of a request just accepted.
    fileprivate func entry(id: RequestID, attemptID: AttemptID, on route: ModelRoute) -> UsageEntry {
        let record = RequestRecord(
            id: id, accountID: grant.accountID, tenantID: grant.tenantID, projectID: grant.projectID,
            keyID: grant.keyID, subscriptionID: subscriptionID, surface: request.surface,
            modelRequested: request.model, model: model.publicName,
            tierRequested: tier, isStream: request.isStream, tags: tags,
            clockOffsetMilliseconds: grant.clockOffsetMilliseconds, notes: notes)
        return UsageEntry(request: record, attempts: [attempt(id: attemptID, number: 1, on: route)])
    }

    /// What it will come to, as far as one can tell before: for the choice by price, and of backends with room for it.
    fileprivate var size: RouteChooser.Size {
        let input = request.input.estimatedTokens
        let prompt = UsageEstimate.tokensAtLeast(inTextBytes: request.input.promptBytes)
        let (least, isOver) = prompt.addingReportingOverflow(max(0, request.outputTokensMax ?? 0))
        return RouteChooser.Size(
            inputTokens: input, outputTokens: request.outputTokensMax ?? max(1, input / 3),
            tokensAtLeast: isOver ? .max : least)
    }

    /// The record of a try on a route.
    func attempt(id: AttemptID, number: Int32, on route: ModelRoute) -> AttemptRecord {
        var attempt = AttemptRecord(
            id: id, number: number, backend: route.backend.name, upstreamModel: route.upstreamName,
            priceKey: model.priceKey, hardware: route.backend.hardware, quantisation: route.backend.quantisation)
        attempt.region = route.backend.settings.region
        return attempt
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
