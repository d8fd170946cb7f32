import Engines
import Metering
import NIOCore
import UsageJournal

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
        if stream != nil, !isHeadSent, output.readableBytes > 0, !holdsBeginning(at: now) { flushOutput() }
        if now >= progressAt {
            progressAt = now + .milliseconds(times.progressMilliseconds)
            appendProgress()
        }
    }

    /// The count so far, for a progress record; nil when nothing new came.
    func progress() -> UsageProgress? {
        guard let facts = stream?.facts, facts.contentEvents > progressEvents else { return nil }
        progressEvents = facts.contentEvents
        var counted = attempt
        facts.fill(
            &counted, operation: entry.request.operation, promptTextBytes: admitted.request.input.estimatedBytes,
            isCut: true, measures: admitted.request.measures, own: counting == nil ? OwnCounts() : ownCountsSoFar())
        return UsageProgress(
            requestID: entry.request.id, contentEvents: facts.contentEvents, buckets: counted.buckets,
            units: counted.units)
    }

    func appendProgress() {
        guard let progress = progress() else { return }
        openRequest?.progress(progress)
    }

    /// Another try begins: should the gateway die in it, this says who was asked, and how the tries before it ended.
    func appendTries() {
        openRequest?.progress(
            UsageProgress(
                requestID: entry.request.id, contentEvents: 0, buckets: TokenBuckets(), attempts: entry.attempts))
    }
}
