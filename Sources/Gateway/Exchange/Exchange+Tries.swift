import Engines
import HTTP1
import Metering
import NIOCore
import Routing
import Telemetry

/// One try after another, until an engine answers or nothing is left to try.
extension Exchange {
    /// A try failed. Begins the next one, if the client has seen nothing of the answer and a route is left; otherwise
    /// remembers what it says about the backend, for the end.
    func triesNext(after failure: TryFailure, _ termination: Termination) -> Bool {
        running.failure = failure
        if case .refused(let refusal) = failure, refusal.consequence.nextTry == .largerContext {
            plan.keepLarger(than: running.route)
        }
        guard plan.hasMore, machine.mayTryNext(after: failure) else { return false }
        let now = NIODeadline.now()
        guard let next = loop.shared.routes.begin(&plan, now: ProcessTime.milliseconds(of: now)) else { return false }
        endTry(termination, at: now)
        machine.triesAgain()
        begin(next)
        return true
    }

    /// Whether there would be another try, should the running one break now.
    var mayAskAnother: Bool { plan.hasMore && machine.mayTryNext(after: .broken) }

    /// The record of a try whose answer nobody gets.
    private func endTry(_ termination: Termination, at now: NIODeadline) {
        running.connection?.cut()
        attempt.termination = termination
        attempt.marks.end = microseconds(at: now)
        attempt.usageSource = .nothing
        attempt.usageComplete = true
        attempt.isDelivered = false
        giveBackTicket(at: now)
        loop.metrics.fallbacks.increment()
    }

    /// Tells the table how the running try ended. The first call counts.
    func giveBackTicket(isNeutral: Bool = false, observation: RouteTable.Observation? = nil, at now: NIODeadline) {
        guard let ticket = running.ticket else { return }
        running.ticket = nil
        loop.shared.routes.ended(
            ticket, failure: running.failure, isNeutral: isNeutral, observation: observation,
            now: ProcessTime.milliseconds(of: now))
        running.failure = nil
    }

    /// The last try ended with its request.
    func giveBackTicket(of ended: AttemptRecord, at now: NIODeadline) {
        switch ended.termination {
        case .complete:
            var observation = RouteTable.Observation()
            if let first = ended.marks.firstToken, let last = ended.marks.lastToken {
                observation.firstTokenMicroseconds = first - (ended.marks.upstreamSent ?? 0)
                observation.outputTokens = ended.buckets.outputTotal
                observation.outputMicroseconds = last - first
            }
            observation.tookUsageOptions =
                running.asksForUsage && running.stream?.facts.usage != nil && entry.request.surface.hasUsageOptions
            observation.surface = entry.request.surface
            // What one request had hidden says nothing of others.
            if admitted.request.reasoning == .unsaid, ended.usageSource == .engine, let facts = running.facts {
                let reasons = (facts.usage?.reasoningTokens ?? 0) > 0
                let hidesSome = running.route.backend.kind.hidesReasoning && reasons && !facts.showsReasoning
                observation.hidesOutput = hidesSome || facts.hidesOutput(reported: ended.buckets.outputTotal)
                // An answer that needed no thought proves nothing.
                observation.showsOutput = reasons && facts.showsReasoning && !observation.hidesOutput
            }
            giveBackTicket(observation: observation, at: now)
        case .clientAbort: giveBackTicket(isNeutral: true, at: now)
        default:
            running.failure = running.failure ?? .broken
            giveBackTicket(at: now)
        }
    }

    /// The engine's head has come: what it says of our quota, and that it works.
    func noteAnswer(_ headers: AnswerHeaders, status: Int, at now: NIODeadline) {
        guard var ticket = running.ticket else { return }
        let milliseconds = ProcessTime.milliseconds(of: now)
        if (200..<300).contains(status) {
            loop.shared.routes.answered(&ticket, now: milliseconds)
            running.ticket = ticket
            if machine.isAskedAgain { loop.shared.routes.noteRefusedUsageOptions(of: ticket, now: milliseconds) }
        }
        // Without another route to take, what is left here changes nothing.
        guard admitted.routes.count > 1 else { return }
        let quota = UpstreamQuota(kind: running.route.backend.kind, headers: headers, now: loop.shared.clock.realTime)
        if let quota { loop.shared.routes.note(quota, from: ticket, now: milliseconds) }
    }
}

extension TryFailure {
    /// What broke, as routing sees it.
    init(_ failure: ExchangeStateMachine.Failure) {
        switch failure {
        case .connect: self = .connect
        case .connectTimeout: self = .connectTimeout
        case .broken: self = .broken
        case .firstByteTimeout, .idleTimeout: self = .silence
        case .totalTimeout, .answerTooLarge, .stopped: self = .gatewayLimit
        }
    }
}
