import Engines
import Metering
import NIOCore

extension Exchange {
    /// Looks at all that may have taken too long; called several times a second.
    func tick(now: NIODeadline) {
        let times = loop.shared.configuration.times
        if machine.state == .delivering {
            if let lingerUntil, now >= lingerUntil { lingerEnded() }
            return
        }
        guard machine.isRunning else { return }
        if now >= startedAt + .milliseconds(times.totalMilliseconds) { return fail(.totalTimeout) }
        if let drainUntil, now >= drainUntil { return fail(.totalTimeout) }
        switch machine.state {
        case .waiting:
            if let sentUpstreamAt, now >= sentUpstreamAt + .milliseconds(times.firstByteMilliseconds) {
                return fail(.firstByteTimeout)
            }
        case .relaying:
            // While the client takes nothing, the engine is not read: its silence is none then.
            let isHeldUp = client?.isWritable == false
            if !isHeldUp, now >= lastReceivedAt + .milliseconds(times.answerIdleMilliseconds) {
                return fail(.idleTimeout)
            }
        case .closing, .delivering, .finished: break
        }
        if now >= progressAt {
            progressAt = now + .milliseconds(times.progressMilliseconds)
            appendProgress()
        }
    }

    /// The count so far, for a progress record; nil when nothing new came.
    func progress() -> (events: Int64, buckets: TokenBuckets)? {
        guard let facts = stream?.facts, facts.contentEvents > progressEvents else { return nil }
        progressEvents = facts.contentEvents
        var counted = attempt
        facts.fill(
            &counted, operation: entry.request.operation, promptTextBytes: admitted.request.promptTextBytes,
            isCut: true)
        return (facts.contentEvents, counted.buckets)
    }

    func appendProgress() {
        guard let (events, buckets) = progress() else { return }
        openRequest?.progress(contentEvents: events, buckets: buckets)
    }
}
