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
        #expect(machine.upstreamAnswered(status: 200, isEventStream: true) == .stream)
        #expect(machine.streamed([.content], isFinished: false) == nil)
        let ending = machine.streamed([.terminator], isFinished: true)
        #expect(ending?.termination == .complete)
        #expect(ending?.delivery == .rest)
        #expect(machine.upstreamEnded() == nil)
        #expect(machine.failed(.broken, isHeadSent: true) == nil)
        #expect(machine.recorded(isDurable: true) == .rest)
        machine.delivered()
        #expect(machine.state == .finished)
    }

    @Test func `without a durable record there is never an end`() {
        var machine = machine(stream: false)
        _ = machine.upstreamAnswered(status: 200, isEventStream: false)
        #expect(machine.upstreamEnded()?.delivery == .rest)
        #expect(machine.recorded(isDurable: false) == .cut)
    }

    @Test func `a client that leaves while its record is written changes nothing but the delivery`() {
        var machine = machine(stream: false)
        _ = machine.upstreamAnswered(status: 200, isEventStream: false)
        #expect(machine.upstreamEnded()?.outcome == .success)
        #expect(machine.clientLeft(isSentUpstream: true) == .nothing)
        #expect(machine.recorded(isDurable: true) == .nothing)
    }

    @Test func `what was never sent to the engine is not drained`() {
        var machine = machine(stream: false, onAbort: .drain)
        guard case .end(let ending) = machine.clientLeft(isSentUpstream: false) else {
            Issue.record("drained")
            return
        }
        #expect(ending.termination == .clientAbort)
    }

    @Test func `an event stream that is an error is relayed as a plain answer`() {
        var machine = machine()
        #expect(machine.upstreamAnswered(status: 500, isEventStream: true) == .plain)
        #expect(machine.upstreamEnded()?.reason == "upstream_error")
    }

    @Test func `any order of happenings ends exactly once and then stays ended`() {
        for seed in propertySeeds {
            var generator = SeededGenerator(seed: seed)
            var machine = machine(
                stream: Bool.random(using: &generator), onAbort: Bool.random(using: &generator) ? .drain : .cut,
                triesMax: 3)
            var endings = 0
            var tries = 1
            var hasAnswered = false
            func count(_ ending: ExchangeStateMachine.Ending?) {
                guard let ending else { return }
                endings += 1
                if machine.isClientGone { #expect(ending.delivery == .nothing, "seed \(seed)") }
                #expect((ending.outcome == .success) == ending.reason.isEmpty, "seed \(seed)")
            }
            for _ in 0..<40 {
                switch Int.random(in: 0..<6, using: &generator) {
                case 0 where !hasAnswered && machine.isRunning:
                    hasAnswered = true
                    let status = [200, 400, 429, 500].randomElement(using: &generator) ?? 200
                    _ = machine.upstreamAnswered(status: status, isEventStream: Bool.random(using: &generator))
                case 1 where hasAnswered:
                    let signals: [StreamSignals] = [[], [.content], [.error], [.terminator]]
                    let isFinished = Bool.random(using: &generator)
                    count(machine.streamed(signals.randomElement(using: &generator) ?? [], isFinished: isFinished))
                case 2: count(machine.upstreamEnded())
                case 3 where Int.random(in: 0..<4, using: &generator) == 0:
                    if machine.mayTryNext(after: .broken, isHeadSent: Bool.random(using: &generator)) {
                        #expect(machine.isRunning && !machine.isClientGone, "seed \(seed)")
                        machine.triesAgain()
                        hasAnswered = false
                        tries += 1
                    } else {
                        count(machine.failed(.broken, isHeadSent: hasAnswered))
                    }
                case 4 where Int.random(in: 0..<4, using: &generator) == 0:
                    if case .end(let ending) = machine.clientLeft(isSentUpstream: true) { count(ending) }
                case 5 where !machine.isRunning: _ = machine.recorded(isDurable: true)
                default: break
                }
            }
            #expect(endings <= 1 && tries <= 3, "seed \(seed)")
            #expect((endings == 1) == !machine.isRunning, "seed \(seed)")
        }
    }
}
