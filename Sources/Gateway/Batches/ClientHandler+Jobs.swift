import Accounts
import Limits
import Synchronization

/// Requests about files and batches: authenticated and held to limits as all are, then handed to a `JobCall`.
extension ClientHandler {
    func call(_ path: JobPath, _ incoming: Incoming) {
        counted(incoming) { open in
            guard let grant = try currentGrant(of: incoming) else { throw APIError.missingKey }
            if let error = shared.unavailability(openRequests: open) { throw error }
            let rules = limits(of: grant, model: "", in: shared.snapshots.current.limits)
            if rules.isEmpty { return try begin(path, incoming, nil) }
            let demand = LimitDemand(inputBound: 0, outputBound: 0)
            return try ask(rules, model: "", worst: demand, incoming) { client, hold in
                try client.begin(path, incoming, hold)
            }
        }
    }

    private func begin(_ path: JobPath, _ incoming: Incoming, _ hold: LimitHold?) throws(APIError) -> Bool {
        guard let grant = try currentGrant(of: incoming) else { throw .missingKey }
        guard let seal = ObjectSeal(secret: shared.snapshots.current.sealingSecret) else { throw .batchesUnavailable }
        let call = JobCall(
            loop: loop, client: self, incoming: incoming, path: path, grant: grant, seal: seal, hold: hold)
        loop.began(call)
        answering = .call(call)
        call.start()
        return true
    }
}
