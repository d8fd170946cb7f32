import Engines
import HTTP1
import Identity
import Limits
import Metering
import NIOCore
import Telemetry
import UsageJournal

/// Work that goes on after its receipt was given: predictions, and responses in the background. What it comes to is
/// asked for until the engine says it, and only then is its record closed. Whoever ordered it pays for it, whether it
/// is looked at again or not, and once, however often it is looked at. The same goes for responses that their engine
/// keeps and whose streams were left: it may have finished them all the same.
///
/// Until then the request stays open in the journal, with the engine's id of it, synced before a client knew that id. A
/// gateway that stops or dies leaves it there, and the next process on the journal goes on. Confined to one event loop;
/// what is being asked after is known to all of them (`SettlementRegistry`).
final class Settlements {
    /// The first look; each pause after it is half as long again, up to the longest.
    static let firstPauseMilliseconds: Int64 = 500
    private static let pauseMillisecondsMax: Int64 = 15_000
    private static let answerMilliseconds: Int64 = 30_000
    /// Pictures are inside.
    private static let answerBytesMax = 64 << 20
    /// What has not ended by then never will.
    static let hoursMax: Int64 = 24

    private unowned let loop: LoopContext
    private var pending: [Int: Pending] = [:]
    private var lastNumber = 0
    /// Looks that are under way.
    private var asking: [Pending.Turn: Int] = [:]
    /// Left streams that are pending.
    private var leftCount = 0
    private var leftCounts: [AccountID: Int] = [:]

    init(loop: LoopContext) { self.loop = loop }

    private var registry: SettlementRegistry { loop.shared.settlements }

    /// Whether another left stream of the account may be asked after; beyond, streams are read on when they are left.
    func hasRoomForLeft(of account: AccountID) -> Bool {
        let limits = loop.shared.configuration.limits
        return leftCount < limits.leftStreams && leftCounts[account, default: 0] < limits.leftStreamsOfAccount
    }

    private func countLeft(of account: AccountID, _ change: Int) {
        leftCount += change
        let count = leftCounts[account, default: 0] + change
        assert(count >= 0, "a left stream ends once")
        leftCounts[account] = count > 0 ? count : nil
    }

    /// `seen`: what has come of it already.
    func add(_ work: Pending, seen: AnswerFacts? = nil) {
        var work = work
        if work.kind == .leftStream {
            work.until = min(
                work.until, .now() + .milliseconds(loop.shared.configuration.times.totalMilliseconds))
            countLeft(of: work.entry.request.accountID, 1)
        }
        lastNumber += 1
        pending[lastNumber] = work
        guard let place = work.place else { return }
        registry.began(place)
        if let seen { registry.saw(seen, of: place) }
    }

    /// Goes on with what another process left open.
    func resume(_ work: Pending) {
        var work = work
        let acceptedAt = work.entry.request.acceptedAt.milliseconds - work.entry.request.clockOffsetMilliseconds
        let age = max(0, loop.shared.clock.realTime.milliseconds - acceptedAt)
        work.until = .now() + .milliseconds(max(0, Self.hoursMax * 3_600_000 - age))
        add(work)
    }

    func tick(now: NIODeadline) {
        guard !pending.isEmpty else { return }
        var due: [(number: Int, since: NIODeadline)] = []
        for (number, work) in pending where !work.isAsking {
            var askAt = work.askAt
            if let place = work.place, registry.takeWish(place) {
                askAt = .uptimeNanoseconds(0)
                pending[number]?.askAt = askAt
            }
            if askAt <= now { due.append((number, askAt)) }
        }
        // What someone waits for, then what has waited longest.
        due.sort { ($0.since, $0.number) < ($1.since, $1.number) }
        for (number, _) in due {
            guard let work = pending[number] else { continue }
            if now >= work.until {
                end(number, work, .neverTold)
            } else if asking[work.turn, default: 0] < work.kind.askingMax {
                ask(number, work)
            }
        }
    }

    /// The gateway stops: the open records tell the next process what to go on with.
    func stop() { pending.removeAll() }

    // MARK: Asking

    private func ask(_ number: Int, _ work: Pending) {
        guard let last = work.entry.attempts.last, let id = last.upstreamID,
            let backend = loop.shared.snapshots.current.catalogue.backend(named: last.backend),
            let target = backend.target(ofWork: id, surface: work.entry.request.surface)
        else { return pauseLonger(number) }
        pending[number]?.isAsking = true
        asking[work.turn, default: 0] += 1
        var question = EngineCall.Question(
            backend: backend, path: target.requestTarget,
            headers: backend.dialect.headers(for: target, backend: backend, content: .unsigned),
            answerMilliseconds: Settlements.answerMilliseconds)
        question.answerBytesMax = Settlements.answerBytesMax
        EngineCall.ask(question, tls: loop.shared.upstreamTLS, on: loop.eventLoop) { [weak self] answer in
            self?.asking[work.turn, default: 1] -= 1
            self?.answered(number, answer, by: backend)
        }
    }

    private func answered(_ number: Int, _ answer: EngineCall.Answer?, by backend: Backend) {
        pending[number]?.isAsking = false
        guard let work = pending[number] else { return }
        let status = answer.map { Self.status(of: $0, for: work) }
        switch status {
        case 200:
            pending[number]?.goneSince = nil
            var facts = AnswerFacts(ofWork: answer?.body ?? [], in: work.request, by: backend)
            if facts.hasEndedLater {
                let surface = work.entry.request.surface
                let seen = seen(of: work, by: backend)
                if let seen, !facts.hasFailedLater(surface) {
                    facts.keep(seen: seen)
                } else if let seen, seen.hasEndedLater, !seen.hasFailedLater(surface) {
                    // Its client had all of it, whatever is said of it now.
                    facts = seen
                }
                return end(number, work, .told(facts))
            }
            if let place = work.place { registry.saw(facts, of: place) }
        case 404, 410:
            // One of several replicas may not know it: only what nobody knows for a while is gone.
            let since = work.goneSince ?? .now()
            pending[number]?.goneSince = since
            let isGone =
                NIODeadline.now() >= since + .milliseconds(loop.shared.configuration.times.workGoneMilliseconds)
            if isGone { return end(number, work, .forgotten(seen(of: work, by: backend))) }
        default: pending[number]?.goneSince = nil
        }
        pauseLonger(number)
    }

    /// What was seen of the work, whoever saw it, read as the answer to what was asked for.
    private func seen(of work: Pending, by backend: Backend) -> AnswerFacts? {
        work.place.flatMap { registry.seen(of: $0)?.read(asAnswerTo: work.request, by: backend) }
    }

    /// Engines that keep no responses refuse to show one in many ways. What speaks of our key, or of the engine's
    /// state, says nothing of the response.
    private static func status(of answer: EngineCall.Answer, for work: Pending) -> Int {
        let status = answer.head.status
        let isRefused = (400..<500).contains(status) && ![401, 403, 407, 408, 429].contains(status) || status == 501
        return work.kind == .leftStream && isRefused ? 404 : status
    }

    private func pauseLonger(_ number: Int) {
        guard let pause = pending[number]?.pauseMilliseconds else { return }
        let longer = min(pause * 3 / 2, Settlements.pauseMillisecondsMax)
        pending[number]?.pauseMilliseconds = longer
        pending[number]?.askAt = .now() + .milliseconds(longer)
    }

    // MARK: Ending

    /// How work is over.
    private enum End {
        case told(AnswerFacts)
        /// The engine no longer knows it; what it last said of it is all there is.
        case forgotten(AnswerFacts?)
        /// Nobody will ever say what it came to.
        case neverTold
    }

    /// What its failure means.
    private func refusal(_ facts: AnswerFacts, _ backend: String, _ work: Pending) -> EngineRefusal {
        let kind = loop.shared.snapshots.current.catalogue.backend(named: backend)?.kind ?? .openAICompatible
        return EngineRefusal(kind: kind, insideAnswer: facts, choices: work.choices)
    }

    /// Completes the record and closes it.
    private func end(_ number: Int, _ work: Pending, _ ending: End) {
        pending[number] = nil
        if work.kind == .leftStream { countLeft(of: work.entry.request.accountID, -1) }
        let loop = loop
        let requestID = work.entry.request.id
        var entry = work.entry
        let last = entry.attempts.count - 1
        var base = entry.attempts[last]
        // What was noted with the receipt was a guess; the prompt's size still stands in where the engine is silent.
        var own = OwnCounts()
        if base.buckets.inputTotal > 0 { own.input = base.buckets.inputTotal }
        base.buckets = TokenBuckets()
        base.rawUsage = []
        func complete(_ facts: AnswerFacts, isCut: Bool) {
            let inferences = facts.attempts(
                completing: base, request: work.request, isCut: isCut,
                own: own, priceKey: { loop.priceKey(of: $0) },
                newID: { loop.ids.attempt(of: requestID) }
            ).prefix(UsageEntry.attemptsMax - last)
            if work.kind == .leftStream, !facts.replaces(entry.attempts[last...], by: inferences) { return }
            entry.attempts.replaceSubrange(last..., with: inferences)
        }
        func fail(_ facts: AnswerFacts?, reason: String) {
            base.termination = .upstreamError
            base.isDelivered = false
            base.usageSource = .nothing
            base.usageComplete = true
            base.finishReason = facts?.finishReason
            entry.request.outcome = .providerError
            entry.request.reason = reason
            entry.attempts[last] = base
        }
        switch ending {
        // What came before the client left stands, with its own counts, where the engine knows no more.
        case .told(let facts) where work.kind == .leftStream,
            .forgotten(let facts?) where work.kind == .leftStream:
            entry.request.leave()
            guard !facts.hasFailedLater(work.entry.request.surface) else { break }
            base.termination = .complete
            complete(facts, isCut: false)
        case .forgotten where work.kind == .leftStream, .neverTold where work.kind == .leftStream:
            entry.request.leave()
        case .told(let facts) where facts.hasFailedLater(work.entry.request.surface),
            .forgotten(let facts?) where facts.hasFailedLater(work.entry.request.surface):
            let refusal = refusal(facts, base.backend, work)
            let reason = refusal.reasonOfFailedWork
            if refusal.countsAgainstPromises || !facts.isOwedAlthoughFailed(work.entry.request.surface) {
                fail(facts, reason: reason)
            } else {
                base.termination = .complete
                entry.request.reason = reason
                complete(facts, isCut: false)
            }
            if !refusal.countsAgainstPromises { entry.request.outcome = .clientError }
        case .told(let facts),
            .forgotten(let facts?) where facts.hasEndedLater:
            base.termination = .complete
            complete(facts, isCut: false)
        case .forgotten(let facts?) where facts.hasBegunLater || work.request.operation == .prediction:
            base.termination = .upstreamError
            entry.request.outcome = .providerError
            entry.request.reason = "work_gone"
            complete(facts, isCut: true)
            if work.request.operation == .prediction, entry.attempts[last].units.isEmpty {
                // Time on hardware is owed, and nobody knows how much.
                entry.attempts[last].contradiction = "the engine no longer knows this work, nor how long it ran"
            }
        case .forgotten(let facts): fail(facts, reason: "work_gone")
        case .neverTold:
            base.termination = .timeout
            base.usageComplete = false
            base.contradiction = "what this work came to could not be learned within \(Self.hoursMax) hours"
            entry.request.outcome = .providerError
            entry.request.reason = "work_not_settled"
            entry.attempts[last] = base
        }
        loop.metrics.finished(entry)
        work.hold?.settle(LimitUsage(entry.attempts))
        close(entry, of: work)
    }

    private func close(_ entry: UsageEntry, of work: Pending) {
        let registry = registry
        let place = work.place
        let log = loop.shared.log
        work.open.close(entry) { isDurable in
            if let place { registry.ended(place, isSettled: isDurable) }
            if !isDurable {
                log.error(
                    "could not sync the record of finished background work", ["request_id": "\(entry.request.id)"])
            }
        }
    }
}

extension RequestRecord {
    /// Its client left before the end, whatever became of its answer.
    fileprivate mutating func leave() {
        outcome = .clientAbort
        httpStatus = 499
        reason = "client_closed"
    }
}
