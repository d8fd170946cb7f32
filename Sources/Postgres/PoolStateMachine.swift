/// What a connection pool may hold and how long things may take.
public struct PoolLimits: Sendable, Hashable {
    /// Connections open at once.
    public var connectionCountMax: Int
    /// Callers that may wait for a connection; the next one is refused at once.
    public var waiterCountMax = 256
    public var acquireTimeout = Duration.seconds(2)
    /// A connection older than this is closed when it is next free. A random tenth is taken off, so that connections
    /// made together do not end together.
    public var lifetimeMax = Duration.seconds(1800)
    /// A connection idle for longer is asked `SELECT 1` before it is lent.
    public var probeAfterIdle = Duration.seconds(30)
    /// After a failed attempt to connect, callers are refused at once for this long; doubled up to the maximum.
    public var reconnectDelayMin = Duration.milliseconds(50)
    public var reconnectDelayMax = Duration.seconds(1)

    public init(connectionCountMax: Int) { self.connectionCountMax = connectionCountMax }
}

/// The pool's rules, without connections, clocks or tasks: times come in as durations since the pool began, and
/// methods return what the caller has to do.
struct PoolStateMachine {
    typealias ConnectionID = Int
    typealias WaiterID = Int

    /// What someone who wants a connection gets.
    enum Grant: Equatable {
        /// An open connection; ask it whether it is alive first when `probe` says so.
        case lend(ConnectionID, probe: Bool)
        /// The right to open one, under this id.
        case connect(ConnectionID)
    }

    enum Refusal: Equatable {
        case timedOut, tooManyWaiters, unavailable, closed
    }

    enum Answer: Equatable {
        case grant(Grant)
        case wait(WaiterID)
        case refuse(Refusal)
    }

    /// What to do after something happened: in this order.
    struct Effects: Equatable {
        var close: [ConnectionID] = []
        var grant: [WaiterGrant] = []
        var refuse: [WaiterRefusal] = []
    }

    struct WaiterGrant: Equatable {
        var waiter: WaiterID
        var grant: Grant
    }

    struct WaiterRefusal: Equatable {
        var waiter: WaiterID
        var refusal: Refusal
    }

    private struct Idle {
        var id: ConnectionID
        var since: Duration
    }

    private struct Waiter {
        var id: WaiterID
        var deadline: Duration
    }

    let limits: PoolLimits
    private var idle: [Idle] = []
    private var leased: Set<ConnectionID> = []
    private var connecting: Set<ConnectionID> = []
    private var endOfLife: [ConnectionID: Duration] = [:]
    private var waiters: [Waiter] = []
    private var lastID = 0
    private var retryAt = Duration.zero
    private var retryDelay: Duration
    private(set) var isClosed = false

    init(limits: PoolLimits) {
        self.limits = limits
        retryDelay = limits.reconnectDelayMin
    }

    var idleCount: Int { idle.count }
    var leasedCount: Int { leased.count }
    var connectingCount: Int { connecting.count }
    var waiterCount: Int { waiters.count }
    var openCount: Int { idle.count + leased.count + connecting.count }
    /// When the waiter who has waited longest must be refused.
    var nextDeadline: Duration? { waiters.first?.deadline }

    /// Someone wants a connection. Idle ones that are too old come back in `closing`.
    mutating func acquire(now: Duration) -> (answer: Answer, closing: [ConnectionID]) {
        if isClosed { return (.refuse(.closed), []) }
        var closing: [ConnectionID] = []
        while let candidate = idle.popLast() {
            if endOfLife[candidate.id, default: .zero] <= now {
                endOfLife[candidate.id] = nil
                closing.append(candidate.id)
                continue
            }
            leased.insert(candidate.id)
            let probe = now - candidate.since > limits.probeAfterIdle
            return (.grant(.lend(candidate.id, probe: probe)), closing)
        }
        if openCount < limits.connectionCountMax {
            return (now < retryAt ? .refuse(.unavailable) : .grant(startConnecting()), closing)
        }
        guard waiters.count < limits.waiterCountMax else { return (.refuse(.tooManyWaiters), closing) }
        lastID += 1
        waiters.append(Waiter(id: lastID, deadline: now + limits.acquireTimeout))
        return (.wait(lastID), closing)
    }

    /// An attempt to connect worked; the connection is lent to whoever made it. `jitter` from 0 to 1 is random.
    mutating func connected(_ id: ConnectionID, now: Duration, jitter: Int, of jitterMax: Int) {
        connecting.remove(id)
        leased.insert(id)
        endOfLife[id] = now + limits.lifetimeMax - limits.lifetimeMax / 10 * jitter / jitterMax
        retryDelay = limits.reconnectDelayMin
        retryAt = .zero
    }

    /// An attempt to connect failed. When nothing is open any more, nobody need wait.
    mutating func connectFailed(_ id: ConnectionID, now: Duration) -> Effects {
        connecting.remove(id)
        retryAt = now + retryDelay
        retryDelay = min(retryDelay * 2, limits.reconnectDelayMax)
        guard openCount == 0 else { return Effects() }
        return refuseAll(.unavailable)
    }

    /// A lent connection comes back; one that is not `reusable` is closed.
    mutating func release(_ id: ConnectionID, reusable: Bool, now: Duration) -> Effects {
        guard leased.remove(id) != nil else { return Effects() }
        if isClosed || !reusable || endOfLife[id, default: .zero] <= now {
            endOfLife[id] = nil
            var effects = grantFreeSlot(now: now)
            effects.close = [id]
            return effects
        }
        if waiters.isEmpty {
            idle.append(Idle(id: id, since: now))
            return Effects()
        }
        leased.insert(id)
        return Effects(grant: [WaiterGrant(waiter: waiters.removeFirst().id, grant: .lend(id, probe: false))])
    }

    /// Refuses those whose time is up.
    mutating func expire(now: Duration) -> Effects {
        var effects = Effects()
        while let first = waiters.first, first.deadline <= now {
            waiters.removeFirst()
            effects.refuse.append(WaiterRefusal(waiter: first.id, refusal: .timedOut))
        }
        return effects
    }

    /// A waiter was cancelled. False when it had already been answered.
    mutating func cancel(_ waiter: WaiterID) -> Bool {
        guard let index = waiters.firstIndex(where: { $0.id == waiter }) else { return false }
        waiters.remove(at: index)
        return true
    }

    /// No more connections; lent ones are closed when they come back.
    mutating func close() -> Effects {
        isClosed = true
        var effects = refuseAll(.closed)
        effects.close = idle.map(\.id)
        idle = []
        return effects
    }

    private mutating func startConnecting() -> Grant {
        lastID += 1
        connecting.insert(lastID)
        return .connect(lastID)
    }

    /// A place became free: the first waiter may connect.
    private mutating func grantFreeSlot(now: Duration) -> Effects {
        guard !isClosed, !waiters.isEmpty, openCount < limits.connectionCountMax else { return Effects() }
        if now < retryAt { return openCount == 0 ? refuseAll(.unavailable) : Effects() }
        return Effects(grant: [WaiterGrant(waiter: waiters.removeFirst().id, grant: startConnecting())])
    }

    private mutating func refuseAll(_ refusal: Refusal) -> Effects {
        defer { waiters = [] }
        return Effects(refuse: waiters.map { WaiterRefusal(waiter: $0.id, refusal: refusal) })
    }
}
