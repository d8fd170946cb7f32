import Engines
import Identity
import Metering
import Testing

@testable import Gateway

/// Engines that say what a stream cost behind its terminator.
@Suite(.timeLimit(.minutes(10))) struct UsageBehindEndTests {
    /// What an engine does behind `[DONE]`.
    enum Behind: String, CaseIterable, Sendable {
        case usageAndEnd, usageAlone, end, nothing, broken
    }

    @Test(arguments: Behind.allCases)
    func `usage behind the terminator counts, and nobody waits long where none comes`(behind: Behind) async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + Answers.streamEvents(usage: nil).map(Answers.chunk).joined())
            pause(milliseconds: 50)
            switch behind {
            case .usageAndEnd: socket.send(Answers.chunk(Answers.usageEvent) + "0\r\n\r\n")
            case .usageAlone: socket.send(Answers.chunk(Answers.usageEvent))
            case .end: socket.send("0\r\n\r\n")
            case .nothing: break
            case .broken: socket.reset()
            }
        }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(answer.isComplete && answer.text == Answers.streamEvents(usage: nil).joined())
        let entry = try gateway.record()
        #expect(entry.request.outcome == .success && entry.attempts[0].termination == .complete)
        let isSaid = behind == .usageAndEnd || behind == .usageAlone
        #expect(entry.attempts[0].usageSource == (isSaid ? .engine : .estimated))
        if isSaid { #expect(entry.attempts[0].buckets.inputTotal == 11) }
        await gateway.stop()
    }

    @Test(arguments: [true, false])
    func `who leaves behind the last word had all of it`(isUsageSaid: Bool) async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + Answers.streamEvents(usage: nil).map(Answers.chunk).joined())
            pause(milliseconds: 100)
            if isUsageSaid { socket.send(Answers.chunk(Answers.usageEvent) + "0\r\n\r\n") }
        }
        let gateway = try await TestGateway(engine: engine) { $0.times.usageBehindEndMilliseconds = 400 }
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.streamed))
        while !String(decoding: socket.received, as: UTF8.self).contains("stop"), socket.receive() {}
        socket.close()
        let entry = try gateway.record()
        #expect(entry.request.outcome == .success)
        #expect(entry.attempts[0].usageSource == (isUsageSaid ? .engine : .estimated))
        await gateway.stop()
    }

    @Test func `the state machine waits for usage once, and for a bounded time`() {
        for ended in 0..<4 {
            var machine = ExchangeStateMachine(isStreamRequest: true, onClientAbort: .drain, times: .init())
            _ = machine.upstreamAnswered(status: 200, isEventStream: true, at: 0)
            #expect(machine.streamed([.terminator], isFinished: false, lacksUsage: true) == nil)
            #expect(machine.awaitsUsage && machine.isStreamFinished)
            #expect(machine.overdue(at: 249_000, isHeldUp: false) == nil)
            #expect(machine.overdue(at: 250_000, isHeldUp: false) == .usage)
            let ending =
                switch ended {
                case 0: machine.streamed([], isFinished: false, lacksUsage: false)
                case 1: machine.upstreamEnded()
                case 2: machine.failed(.broken)
                default: machine.usageNeverCame()
                }
            #expect(ending?.termination == .complete && ending?.outcome == .success && ending?.delivery == .rest)
            #expect(machine.usageNeverCame() == nil)
        }
        var failed = ExchangeStateMachine(isStreamRequest: true, onClientAbort: .drain, times: .init())
        _ = failed.upstreamAnswered(status: 200, isEventStream: true, at: 0)
        let ending = failed.streamed([.error, .terminator], isFinished: false, lacksUsage: true)
        #expect(ending?.termination == .upstreamError)
    }
}
