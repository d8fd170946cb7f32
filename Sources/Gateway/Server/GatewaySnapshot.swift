public import Accounts
public import Engines
internal import Identity
public import Limits
public import Pricing
internal import Synchronization
public import Tokenizers

/// Everything the gateway knows about keys and models at one moment. Immutable; a change brings a new one. What
/// supplies a gateway has a type of its own (`SuppliedSnapshot`, which also says what cannot be used), because neither
/// of the two knows the other; the program hands one over as the other.
public struct GatewaySnapshot: Sendable {
    /// The number of the last change that it contains.
    public let change: Int64
    public let keys: KeyDirectory
    public let catalogue: ModelCatalogue
    /// What requests cost, to tell clients; empty where nobody is told.
    public let prices: PriceSnapshot
    public let limits: LimitDirectory
    /// Tokenizers by the path that backends name; a backend without one here is not counted for.
    public let tokenizers: [String: Tokenizer]
    /// What all gateways of the installation share and nobody else knows: ids of files and batches are sealed under
    /// it. Empty where it is not known; then there are neither.
    public let sealingSecret: [UInt8]

    /// The state after change number `change`.
    public init(
        change: Int64, keys: KeyDirectory, catalogue: ModelCatalogue, prices: PriceSnapshot = PriceSnapshot(),
        limits: LimitDirectory = .empty, tokenizers: [String: Tokenizer] = [:], sealingSecret: [UInt8] = []
    ) {
        self.limits = limits
        self.change = change
        self.keys = keys
        self.catalogue = catalogue
        self.prices = prices
        self.tokenizers = tokenizers
        self.sealingSecret = sealingSecret
    }
}

/// Holds the current snapshot for all event loops.
final class SnapshotHolder: Sendable {
    private let snapshot: Mutex<GatewaySnapshot>
    private let updateCount = Atomic<Int>(0)
    /// Real milliseconds at which its source last said that it is current; -1 where nobody says so.
    private let confirmedAt = Atomic<Int64>(-1)

    /// How far ahead prices are announced: what was current so long ago still knows all that is in force.
    static let noticeMilliseconds: Int64 = 60_000

    init(_ snapshot: GatewaySnapshot) { self.snapshot = Mutex(snapshot) }

    var current: GatewaySnapshot { snapshot.withLock { $0 } }

    /// How often there was a newer one. Ask for it before `current`: then what was read is not older than it says.
    var updates: Int { updateCount.load(ordering: .acquiring) }

    /// What the source knew at that real time is what is known here.
    func confirm(at time: Timestamp) { confirmedAt.max(time.milliseconds, ordering: .relaxed) }

    /// Whether every price in force at that real time is known here.
    func knowsPrices(at time: Timestamp) -> Bool {
        let confirmed = confirmedAt.load(ordering: .relaxed)
        return confirmed < 0 || time.milliseconds - confirmed <= Self.noticeMilliseconds
    }

    /// Older snapshots than the current one are ignored, so that two updates may overtake one another.
    func update(_ newer: GatewaySnapshot) {
        snapshot.withLock {
            guard newer.change >= $0.change else { return }
            $0 = newer
            updateCount.add(1, ordering: .releasing)
        }
    }
}
