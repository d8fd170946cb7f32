import Engines
import Metering
import NIOCore
import UsageJournal

extension Exchange {
    /// The count so far, for a progress record; nil when nothing new came.
    func progress() -> UsageProgress? {
        guard let facts = running.stream?.facts, facts.contentEvents > running.progressEvents else { return nil }
        running.progressEvents = facts.contentEvents
        var counted = attempt
        facts.fill(
            &counted, operation: entry.request.operation, promptTextBytes: admitted.request.input.estimatedBytes,
            isCut: true, measures: admitted.request.measures,
            own: running.counting == nil ? OwnCounts() : ownCountsSoFar())
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
