import Accounts
import Limits
import Synchronization

/// Requests about files and batches: authenticated and held to limits as all are, then handed to a `JobCall`.
extension ClientHandler {
    /// `hold` is what a request got that waited for its limits.
    func call(_ path: JobPath, _ incoming: Incoming, hold: LimitHold? = nil) {
        let open = shared.openRequests.add(1, ordering: .relaxed).newValue
        var isHandedOver = false
        var hold = hold
        defer {
            if !isHandedOver {
                hold?.release()
                shared.openRequests.subtract(1, ordering: .relaxed)
            }
        }
        do throws(APIError) {
            guard let grant = try currentGrant(of: incoming) else { throw .missingKey }
            if let error = shared.unavailability(openRequests: open) { throw error }
            let snapshot = shared.snapshots.current
            guard let seal = ObjectSeal(secret: snapshot.sealingSecret) else { throw .batchesUnavailable }
            let rules = hold == nil ? limits(of: grant, model: "", in: snapshot.limits) : []
            let demand = LimitDemand(inputBound: 0, outputBound: 0)
            if !rules.isEmpty, try waits(for: ask(rules, model: "", worst: demand, incoming), &hold) {
                isHandedOver = true
                return
            }
            let call = JobCall(
                loop: loop, client: self, incoming: incoming, path: path, grant: grant, seal: seal, hold: hold)
            isHandedOver = true
            loop.began(call)
            state = .calling(call)
            call.start()
        } catch {
            refuse(error, incoming, closes: false)
        }
    }
}
