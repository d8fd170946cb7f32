import Accounts
import Limits
import NIOSSL
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
    /// Large ones among them are read here.
    let reading = ReadingPool()
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
