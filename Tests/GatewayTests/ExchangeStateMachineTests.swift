import Accounts
import Metering
import Routing
import TestSupport
import Testing

@testable import Gateway

@Suite struct ExchangeStateMachineTests {
    private typealias Machine = ExchangeStateMachine

    private func machine(
        stream: Bool = true, onAbort: ClientAbortPolicy = .drain, triesMax: Int = 1
    ) -> ExchangeStateMachine {
        ExchangeStateMachine(isStreamRequest: stream, onClientAbort: onAbort, times: .init(), triesMax: triesMax)
    }

    @Test func `a stream ends once, at its terminator`() {
        var machine = machine()
        #expect(machine.upstreamAnswered(status: 200, isEventStream: true, at: 0) == .stream)
        #expect(machine.streamed([.content], isFinished: false) == nil)
        let ending = machine.streamed([.terminator], isFinished: true)
        #expect(ending?.termination == .complete)
        #expect(ending?.delivery == .rest)
        #expect(machine.upstreamEnded() == nil)
        #expect(machine.failed(.broken) == nil)
        #expect(machine.recorded(isDurable: true) == .rest)
        machine.delivered()
        #expect(machine.state == .finished)
    }

    @Test func `without a durable record there is never an end`() {
        var machine = machine(stream: false)
        _ = machine.upstreamAnswered(status: 200, isEventStream: false, at: 0)
        #expect(machine.upstreamEnded()?.delivery == .rest)
        #expect(machine.recorded(isDurable: false) == .cut)
    }

    @Test func `a client that leaves while its record is written changes nothing but the delivery`() {
        var machine = machine(stream: false)
        _ = machine.upstreamAnswered(status: 200, isEventStream: false, at: 0)
        #expect(machine.upstreamEnded()?.outcome == .success)
        #expect(machine.clientLeft(at: 0) == .nothing)
        #expect(machine.recorded(isDurable: true) == .nothing)
    }

    @Test func `what was never sent to the engine is not drained`() {
        var machine = machine(stream: false, onAbort: .drain)
        guard case .end(let ending) = machine.clientLeft(at: 0) else {
            Issue.record("drained")
            return
        }
        #expect(ending.termination == .clientAbort)
    }

    @Test func `an event stream that is an error is relayed as a plain answer`() {
        var machine = machine()
        #expect(machine.upstreamAnswered(status: 500, isEventStream: true, at: 0) == .plain)
        #expect(machine.upstreamEnded()?.reason == "upstream_error")
    }

    @Test func `a stale connection is replaced once a try, and not for a client that has left`() {
        var first = machine(triesMax: 2)
        first.sentUpstream(at: 0)
        var replacements: [Bool] = []
        replacements.append(first.replacesConnection())
        #expect(!first.isSentUpstream)
        replacements.append(first.replacesConnection())
        first.triesAgain()
        replacements.append(first.replacesConnection())
        #expect(replacements == [true, false, true])
        var left = machine(stream: false)
        left.sentUpstream(at: 0)
        _ = left.clientLeft(at: 0)
        let isReplaced = left.replacesConnection()
        #expect(!isReplaced)
    }

    @Test func `members of the gateway's own are taken back once`() {
        var machine = machine(stream: false)
        machine.sentUpstream(at: 0)
        _ = machine.upstreamAnswered(status: 400, isEventStream: false, at: 1)
        let isFirst = machine.asksAgain()
        #expect(isFirst && machine.isAskedAgain && machine.upstreamStatus == 0)
        machine.sentUpstream(at: 2)
        _ = machine.upstreamAnswered(status: 400, isEventStream: false, at: 3)
        let isSecond = machine.asksAgain()
        #expect(!isSecond)
    }

    // MARK: Time

    private let times = GatewayConfiguration.Times()

    @Test func `an engine that does not begin, falls silent or never ends is given up at its time`() {
        var machine = machine(stream: false)
        #expect(machine.overdue(at: times.firstByteMilliseconds * 1000, isHeldUp: false) == nil, "nothing was sent")
        machine.sentUpstream(at: 5)
        let first = 5 + times.firstByteMilliseconds * 1000
        #expect(machine.overdue(at: first - 1, isHeldUp: false) == nil)
        #expect(machine.overdue(at: first, isHeldUp: false) == .failure(.firstByteTimeout))
        _ = machine.upstreamAnswered(status: 200, isEventStream: false, at: 7)
        machine.received(at: 9)
        let silent = 9 + times.answerIdleMilliseconds * 1000
        #expect(machine.overdue(at: silent - 1, isHeldUp: false) == nil)
        #expect(machine.overdue(at: silent, isHeldUp: false) == .failure(.idleTimeout))
        #expect(machine.overdue(at: silent, isHeldUp: true) == nil, "the client takes nothing")
        let whole = times.totalMilliseconds * 1000
        machine.received(at: whole - 1)
        #expect(machine.overdue(at: whole - 1, isHeldUp: false) == nil)
        #expect(machine.overdue(at: whole, isHeldUp: false) == .failure(.totalTimeout))
    }

    @Test(arguments: [true, false])
    func `what is read on for a client that left has its own time`(isStream: Bool) {
        var machine = machine(stream: isStream)
        machine.sentUpstream(at: 0)
        _ = machine.upstreamAnswered(status: 200, isEventStream: isStream, at: 0)
        if isStream { #expect(machine.streamed([.content], isFinished: true) == nil) }
        #expect(machine.clientLeft(at: 10) == .nothing)
        let drain = isStream ? times.finishedDrainMilliseconds : times.plainDrainMilliseconds
        machine.received(at: 10 + drain * 1000 - 1)
        #expect(machine.overdue(at: 10 + drain * 1000 - 1, isHeldUp: false) == nil)
        #expect(machine.overdue(at: 10 + drain * 1000, isHeldUp: false) == .failure(.totalTimeout))
        #expect(machine.failed(.totalTimeout)?.termination == .clientAbort)
        #expect(machine.overdue(at: .max, isHeldUp: false) == nil, "its record is being written")
    }

    @Test(arguments: [true, false])
    func `a stream whose end alone tells its cost is read on, as long as a plain answer is`(isFinished: Bool) {
        var machine = machine()
        machine.sentUpstream(at: 0)
        if isFinished {
            _ = machine.upstreamAnswered(status: 200, isEventStream: true, at: 5)
            #expect(machine.streamed([.content], isFinished: true) == nil)
        }
        #expect(machine.clientLeft(at: 10, needsEnd: true) == .nothing)
        if !isFinished {
            _ = machine.upstreamAnswered(status: 200, isEventStream: true, at: 20)
            #expect(machine.streamed([.content], isFinished: true) == nil)
        }
        let drained = 10 + times.plainDrainMilliseconds * 1000
        machine.received(at: drained - 1)
        #expect(machine.overdue(at: drained - 1, isHeldUp: false) == nil)
        #expect(machine.overdue(at: drained, isHeldUp: false) == .failure(.totalTimeout))
        let ending = machine.streamed([.terminator], isFinished: true)
        #expect(ending?.termination == .complete && ending?.delivery == .nothing)
        #expect(ending?.outcome == (isFinished ? .success : .clientAbort), "only who left before it has missed the end")
        #expect(ending?.httpStatus == (isFinished ? 200 : 499))
    }

    @Test func `an engine that does not end its response after the stream's end is left`() {
        var machine = machine()
        machine.sentUpstream(at: 0)
        _ = machine.upstreamAnswered(status: 200, isEventStream: true, at: 0)
        _ = machine.streamed([.terminator], isFinished: true)
        _ = machine.recorded(isDurable: true)
        machine.streamDelivered(at: 100)
        let end = 100 + times.lingerMilliseconds * 1000
        #expect(!machine.mayFinishDelivery && machine.overdue(at: end - 1, isHeldUp: false) == nil)
        #expect(machine.overdue(at: end, isHeldUp: false) == .linger)
        machine.upstreamClosed()
        #expect(machine.mayFinishDelivery)
    }

    // MARK: Any order

    @Test func `any order of events ends exactly once and then stays ended`() {
        for seed in propertySeeds { for part in 0..<25 { run(seed: seed &* 25 &+ UInt64(part)) } }
    }

    /// Drives a machine as an exchange does, by events in random order.
    private func run(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var machine = machine(
            stream: Bool.random(using: &generator), onAbort: Bool.random(using: &generator) ? .drain : .cut,
            triesMax: 3)
        var endings = 0
        var tries = 1
        var now: Int64 = 0
        func isOneOf(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &generator) == 0 }
        func count(_ ending: ExchangeStateMachine.Ending?) {
            guard let ending else { return }
            endings += 1
            if machine.isClientGone { #expect(ending.delivery == .nothing, "seed \(seed)") }
            #expect((ending.outcome == .success) == ending.reason.isEmpty, "seed \(seed)")
            if ending.cutsUpstream { #expect(machine.mayFinishDelivery, "seed \(seed)") }
        }
        func fail(_ failure: ExchangeStateMachine.Failure) {
            if machine.mayTryNext(after: TryFailure(failure)) {
                #expect(machine.isRunning && !machine.isClientGone && !machine.isHeadSent, "seed \(seed)")
                machine.triesAgain()
                tries += 1
            } else {
                count(machine.failed(failure))
            }
        }
        func answer() {
            let status = [200, 400, 429, 500].randomElement(using: &generator) ?? 200
            let isEventStream = Bool.random(using: &generator)
            let shape = machine.upstreamAnswered(status: status, isEventStream: isEventStream, at: now)
            #expect(shape == .plain || status == 200, "seed \(seed)")
        }
        func event(_ kind: Int) {
            switch (kind, machine.state) {
            case (0, .waiting) where !machine.isSentUpstream: machine.sentUpstream(at: now)
            case (0, .waiting): answer()
            case (1, .relaying(.stream)):
                machine.received(at: now)
                if !machine.isHeadSent, !machine.isClientGone, isOneOf(2) { machine.headSent() }
                let signals: [StreamSignals] = [[], [.content], [.error], [.terminator], [.failure]]
                let isFinished = Bool.random(using: &generator)
                count(machine.streamed(signals.randomElement(using: &generator) ?? [], isFinished: isFinished))
            case (2, .relaying) where isOneOf(3): count(machine.upstreamEnded())
            case (3, .relaying(.plain)) where !machine.isHeadSent: _ = machine.asksAgain()
            case (3, .waiting): _ = machine.replacesConnection()
            case (4, _) where isOneOf(6): fail(.broken)
            case (5, _) where isOneOf(6):
                let wasGone = machine.isClientGone
                let action = machine.clientLeft(at: now, needsEnd: isOneOf(2))
                if case .end(let ending) = action { count(ending) }
                if wasGone { #expect(action == .nothing, "seed \(seed)") }
            case (6, .closing): _ = machine.recorded(isDurable: !isOneOf(4))
            case (6, .delivering):
                if !machine.mayFinishDelivery { machine.upstreamClosed() }
                machine.delivered()
            case (7, _):
                now += Int64.random(in: 0...40_000_000, using: &generator)
                if case .failure(let failure) = machine.overdue(at: now, isHeldUp: isOneOf(2)) { fail(failure) }
            default: break
            }
        }
        for _ in 0..<60 { event(Int.random(in: 0..<8, using: &generator)) }
        #expect(endings <= 1 && tries <= 3, "seed \(seed)")
        #expect((endings == 1) == !machine.isRunning, "seed \(seed)")
    }
}
