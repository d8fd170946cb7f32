import Engines
import HTTP1
import Identity
import Limits
import Metering
import NIOCore
import Synchronization
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
    /// Work to ask after: all that is needed stands in its open record.
    struct Pending {
        var entry: UsageEntry
        let open: any OpenRequest
        /// What it holds of its limits, until it has ended.
        let hold: LimitHold?
        /// What its client chose of what an engine may refuse.
        let choices: ClientChoices
        fileprivate var askAt = NIODeadline.now() + .milliseconds(Settlements.firstPauseMilliseconds)
        fileprivate var pauseMilliseconds = Settlements.firstPauseMilliseconds
        fileprivate var until = NIODeadline.now() + .hours(Settlements.hoursMax)
        fileprivate var isAsking = false
        /// Since when the engine has said, each time, that it does not know the work.
        fileprivate var goneSince: NIODeadline?
        /// Of a stream that was left: bytes of text that had come.
        fileprivate var seenTextBytes: Int64 = 0

        init(
            entry: UsageEntry, open: any OpenRequest, hold: LimitHold? = nil,
            choices: ClientChoices = [.address, .length]
        ) {
            assert(entry.attempts.last?.upstreamID != nil, "work without an id cannot be asked after")
            self.entry = entry
            self.open = open
            self.hold = hold
            self.choices = choices
        }

        /// Whether its client left the stream that it was answered with: then what came is known, and stands where the
        /// engine keeps nothing.
        var isLeft: Bool { entry.attempts.last?.termination == .clientAbort }

        fileprivate var place: ObjectSeal.Place? {
            entry.attempts.last.flatMap { last in
                last.upstreamID.map { ObjectSeal.Place(backend: last.backend, id: $0) }
            }
        }
    }

    /// The first look; each pause after it is half as long again, up to the longest.
    static let firstPauseMilliseconds: Int64 = 500
    private static let pauseMillisecondsMax: Int64 = 15_000
    private static let answerMilliseconds: Int64 = 30_000
    /// Pictures are inside.
    private static let answerBytesMax = 64 << 20
    /// What has not ended by then never will.
    private static let hoursMax: Int64 = 24
    /// The most that are asked for at once; more wait their turn.
    private static let askingMax = 16

    private unowned let loop: LoopContext
    private var pending: [Int: Pending] = [:]
    private var lastNumber = 0
    private var askingCount = 0

    init(loop: LoopContext) { self.loop = loop }

    private var registry: SettlementRegistry { loop.shared.settlements }

    /// `seen`: what has come of it already.
    func add(_ work: Pending, seen: AnswerFacts? = nil) {
        var work = work
        if work.isLeft {
            work.until = min(
                work.until, .now() + .milliseconds(loop.shared.configuration.times.totalMilliseconds))
            work.seenTextBytes = seen?.textBytesSeen ?? 0
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
        for (number, work) in pending where !work.isAsking {
            let isWanted = work.place.map { registry.takeWish($0) } ?? false
            guard isWanted || work.askAt <= now else { continue }
            if now >= work.until {
                end(number, work, .neverTold)
            } else if askingCount < Settlements.askingMax {
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
        askingCount += 1
        var question = EngineCall.Question(
            backend: backend, path: target.requestTarget,
            headers: backend.dialect.headers(for: target, backend: backend, content: .unsigned),
            answerMilliseconds: Settlements.answerMilliseconds)
        question.answerBytesMax = Settlements.answerBytesMax
        EngineCall.ask(question, tls: loop.shared.upstreamTLS, on: loop.eventLoop) { [weak self] answer in
            self?.answered(number, answer, by: backend)
        }
    }

    private func answered(_ number: Int, _ answer: EngineCall.Answer?, by backend: Backend) {
        askingCount -= 1
        pending[number]?.isAsking = false
        guard let work = pending[number] else { return }
        switch answer.map({ Self.status(of: $0, for: work) }) {
        case 200:
            pending[number]?.goneSince = nil
            var facts = AnswerFacts(ofWork: answer?.body ?? [], in: work.request, by: backend)
            if facts.hasEndedLater {
                let surface = work.entry.request.surface
                let seen = work.place.flatMap { registry.seen(of: $0) }
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
            if isGone { return end(number, work, .forgotten(work.place.flatMap { registry.seen(of: $0) })) }
        default: pending[number]?.goneSince = nil
        }
        pauseLonger(number)
    }

    /// Engines that keep no responses refuse to show one in many ways, and the gateway's own key was good for it.
    private static func status(of answer: EngineCall.Answer, for work: Pending) -> Int {
        let status = answer.head.status
        guard work.isLeft, (400..<500).contains(status), status != 408, status != 429 else { return status }
        return 404
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

    /// What its failure means. What its request chose is forgotten with the process: then anything may have been.
    private func refusal(_ facts: AnswerFacts, _ backend: String, _ work: Pending) -> EngineRefusal {
        let kind = loop.shared.snapshots.current.catalogue.backend(named: backend)?.kind ?? .openAICompatible
        return EngineRefusal(kind: kind, insideAnswer: facts, choices: work.choices)
    }

    /// Completes the record and closes it.
    private func end(_ number: Int, _ work: Pending, _ ending: End) {
        pending[number] = nil
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
                newID: { loop.ids.attempt(of: requestID) })
            entry.attempts.replaceSubrange(last..., with: inferences.prefix(UsageEntry.attemptsMax - last))
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
        case .told(let facts) where work.isLeft, .forgotten(let facts?) where work.isLeft:
            entry.request.leave()
            guard work.isLess(than: facts) else { break }
            base.termination = .complete
            complete(facts, isCut: false)
        case .forgotten where work.isLeft, .neverTold where work.isLeft: entry.request.leave()
        case .told(let facts) where facts.hasFailedLater(work.entry.request.surface),
            .forgotten(let facts?) where facts.hasFailedLater(work.entry.request.surface):
            let refusal = refusal(facts, base.backend, work)
            fail(facts, reason: refusal.isClients ? "engine_rejected" : "engine_error")
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
        let registry = registry
        let place = work.place
        let log = loop.shared.log
        work.open.close(entry) { isDurable in
            if let place { registry.ended(place, isSettled: isDurable) }
            if !isDurable {
                log.error(
                    "could not sync the record of finished background work", ["request_id": "\(requestID)"])
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

extension Settlements.Pending {
    /// Whether what its client left with is less than what the engine says in the end that there is.
    fileprivate func isLess(than facts: AnswerFacts) -> Bool {
        !facts.hasFailedLater(entry.request.surface)
            && (facts.usage?.completionTokens != nil || facts.textBytesSeen > seenTextBytes)
    }

    /// As far as an answer's reader needs it.
    fileprivate var request: InferenceRequest {
        InferenceRequest(of: entry.request.surface, model: entry.request.modelRequested)
    }
}

/// What this gateway asks after, and what it has put on record lately. Shared by all event loops.
final class SettlementRegistry: Sendable {
    private enum State {
        case pending, wanted, settled
    }

    private struct Work {
        var state: State
        /// The most that was seen of it, while it is pending.
        var seen: AnswerFacts?
    }

    private let works = Mutex<[ObjectSeal.Place: Work]>([:])

    /// Ended work that is remembered; beyond, all of it is forgotten.
    private static let placesMax = 50_000

    func began(_ place: ObjectSeal.Place) {
        works.withLock { works in
            if works.count >= Self.placesMax { works = works.filter { $0.value.state != .settled } }
            works[place] = Work(state: .pending)
        }
    }

    func ended(_ place: ObjectSeal.Place, isSettled: Bool) {
        works.withLock { $0[place] = isSettled ? Work(state: .settled) : nil }
    }

    /// Somebody looked at the work, followed it, or tried to cancel it, and this is what the engine said. The one place
    /// that keeps the most that was ever seen of work, whoever saw it.
    func saw(_ seen: AnswerFacts, of place: ObjectSeal.Place) {
        works.withLock { works in
            guard let work = works[place], work.state != .settled else { return }
            guard var known = work.seen else {
                works[place]?.seen = seen
                return
            }
            // The word of its end stays; a look that was on its way for longer says less.
            if known.hasEndedLater, !seen.hasEndedLater {
                known.keep(seen: seen)
                works[place]?.seen = known
            } else {
                works[place]?.seen = seen
                works[place]?.seen?.keep(seen: known)
            }
        }
    }

    func seen(of place: ObjectSeal.Place) -> AnswerFacts? { works.withLock { $0[place]?.seen } }

    /// Has the work looked at soon: someone waits for its record.
    func wish(for place: ObjectSeal.Place) {
        works.withLock { if $0[place]?.state == .pending { $0[place]?.state = .wanted } }
    }

    /// Whether it is to be looked at soon; said once.
    func takeWish(_ place: ObjectSeal.Place) -> Bool {
        works.withLock { works in
            guard works[place]?.state == .wanted else { return false }
            works[place]?.state = .pending
            return true
        }
    }

    func isPending(_ place: ObjectSeal.Place) -> Bool {
        works.withLock { $0[place]?.state == .pending || $0[place]?.state == .wanted }
    }

    func isSettled(_ place: ObjectSeal.Place) -> Bool { works.withLock { $0[place]?.state == .settled } }
}

extension AnswerFacts {
    /// What a document of work that goes on, or has ended, says of it.
    init(ofWork document: [UInt8], in request: InferenceRequest, by backend: Backend) {
        let meter = AnswerMeter(request: request, backend: backend, status: 200, headers: JSONHead())
        document.withUnsafeBytes { meter.read(piece: $0) }
        meter.finish()
        self = meter.facts
    }
}

/// The head that such a document has.
private struct JSONHead: HeaderLookup {
    func first(_ lowercaseName: String) -> String? { lowercaseName == "content-type" ? "application/json" : nil }
}
