import Dispatch
import Gateway
import Identity
import Limits
import Synchronization

/// The shared side of limits without a database: gateways of a test share them through it.
final class SharedLimits: Sendable {
    private struct State {
        var ledgers: [LimitID: SliceLedger] = [:]
        var gateways: [UUIDv7: @Sendable ([LimitID]) -> Void] = [:]
        var isAway = false
    }

    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "shared limits")

    init(_ rules: [LimitRule]) {
        state.withLock { state in
            for rule in rules {
                state.ledgers[rule.id] = SliceLedger(
                    limitID: rule.id, kind: rule.kind, value: rule.value, now: GatewayTests.now())
            }
        }
    }

    /// Whether nobody gets an answer.
    func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }

    /// What is left of a limit for all.
    func available(_ id: LimitID) -> Int64 { state.withLock { $0.ledgers[id]?.available ?? -1 } }

    /// What running requests hold of it, as gateways reported it.
    func reserved(_ id: LimitID) -> Int64 {
        state.withLock { $0.ledgers[id]?.slices.values.reduce(0) { $0 + $1.reserved } ?? -1 }
    }

    func source(_ gateway: UInt64) -> Source { Source(shared: self, gateway: UUIDv7(high: 1, low: gateway)) }

    func join(_ gateway: UInt64, _ server: GatewayServer) {
        state.withLock { $0.gateways[UUIDv7(high: 1, low: gateway)] = { [weak server] in server?.recall($0) } }
    }

    struct Source: SliceSource {
        let shared: SharedLimits
        let gateway: UUIDv7

        func request(_ batch: [SliceRequest], reply: @escaping @Sendable (SliceReply) -> Void) {
            shared.queue.async {
                let (answer, recalls) = shared.exchange(batch, gateway)
                for recall in recalls { recall() }
                reply(answer)
            }
        }
    }

    private func exchange(_ batch: [SliceRequest], _ gateway: UUIDv7) -> (SliceReply, [@Sendable () -> Void]) {
        state.withLock { state in
            if state.isAway { return (.unreachable, []) }
            var grants: [SliceGrant] = []
            var recalled: [LimitID] = []
            for request in batch {
                guard
                    let grant = state.ledgers[request.limitID]?.exchange(
                        request, gateway: gateway, now: GatewayTests.now())
                else { continue }
                grants.append(grant)
                if grant.isHeldElsewhere, grant.amount < request.wanted { recalled.append(request.limitID) }
            }
            let others = recalled.isEmpty ? [] : state.gateways.filter { $0.key != gateway }.map(\.value)
            let ids = recalled
            return (.granted(grants), others.map { recall in { recall(ids) } })
        }
    }
}
