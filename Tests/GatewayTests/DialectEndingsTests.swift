import Metering
import Testing

@testable import Gateway

/// Whatever ends a stream, at whichever event of whichever dialect: one record, with the right termination.
@Suite(.timeLimit(.minutes(10))) struct DialectEndingsTests {
    /// A gateway whose private model is out of the way: native paths that name no model mean the only one.
    private func gateway(_ sample: DialectSample, idleMilliseconds: Int64 = 60_000) async throws -> TestGateway {
        try await TestGateway(engine: ScriptedEngine(), kind: sample.kind) {
            $0.times.answerIdleMilliseconds = idleMilliseconds
            $0.times.lingerMilliseconds = 50
        }
    }

    private func request(_ sample: DialectSample) -> String { TestGateway.request(sample.body, path: sample.path) }

    /// Checks the newest record, and that nothing is left running.
    private func check(
        _ gateway: TestGateway, _ number: Int, _ termination: Termination, _ note: String
    ) throws {
        let entries = try gateway.records(number)
        #expect(entries.count == number, "\(note): \(entries.count) records")
        guard let entry = entries.last else { return }
        #expect(entry.attempts.count == 1, "\(note)")
        #expect(entry.attempts[0].termination == termination, "\(note): \(entry.attempts[0].termination)")
        #expect(entry.attempts[0].contradiction == nil, "\(note): \(entry.attempts[0].contradiction ?? "")")
        for _ in 0..<500 where gateway.server.openRequestCount > 0 { pause(milliseconds: 10) }
        #expect(gateway.server.openRequestCount == 0, "\(note)")
    }

    @Test(arguments: DialectSample.all)
    func `an engine that breaks off after any event leaves one record`(sample: DialectSample) async throws {
        let gateway = try await gateway(sample)
        for count in 0...sample.events.count {
            gateway.engine.setScript { socket, _ in
                socket.send(sample.head)
                for event in sample.events.prefix(count) { socket.send(DialectSample.chunk(event)) }
                pause(milliseconds: 30)
                socket.close()
            }
            _ = try gateway.ask(request(sample))
            let isWhole = sample.terminator.map { count > $0 } ?? false
            try check(gateway, count + 1, isWhole ? .complete : .upstreamError, "\(sample.name), \(count) events")
        }
        await gateway.stop()
    }

    @Test(arguments: DialectSample.all)
    func `an engine that stalls after any event is cut and leaves one record`(sample: DialectSample) async throws {
        let gateway = try await gateway(sample, idleMilliseconds: 100)
        for count in 0...sample.events.count {
            gateway.engine.setScript { socket, _ in
                socket.send(sample.head)
                for event in sample.events.prefix(count) { socket.send(DialectSample.chunk(event)) }
                _ = socket.isClosedByPeer(within: 5000)
            }
            _ = try gateway.ask(request(sample))
            let isWhole = sample.terminator.map { count > $0 } ?? false
            try check(gateway, count + 1, isWhole ? .complete : .timeout, "\(sample.name), \(count) events")
        }
        await gateway.stop()
    }

    @Test(arguments: DialectSample.all)
    func `a client that leaves after any event leaves one record`(sample: DialectSample) async throws {
        let gateway = try await gateway(sample)
        for count in 0..<sample.events.count {
            gateway.engine.setScript { socket, _ in
                socket.send(sample.head)
                for event in sample.events.prefix(count) { socket.send(DialectSample.chunk(event)) }
                guard count <= sample.finish else {
                    // The client is gone by now, and the engine goes on to its end.
                    pause(milliseconds: 100)
                    for event in sample.events.dropFirst(count) { socket.send(DialectSample.chunk(event)) }
                    socket.send("0\r\n\r\n")
                    return
                }
                _ = socket.isClosedByPeer(within: 5000)
                socket.close()
            }
            let socket = try gateway.connect()
            socket.send(request(sample))
            _ = socket.readHead()
            // All that was sent has passed through the gateway when the client leaves.
            let awaited = sample.passing(count)
            var passed = 0
            while passed < awaited, let chunk = socket.readChunk(), !chunk.isEmpty { passed += chunk.count }
            socket.close()
            try check(
                gateway, count + 1, count > sample.finish ? .complete : .clientAbort,
                "\(sample.name), \(count) events")
        }
        await gateway.stop()
    }

    @Test(arguments: DialectSample.all)
    func `a whole stream passes byte for byte and is metered by the engine's count`(
        sample: DialectSample
    ) async throws {
        let gateway = try await gateway(sample)
        gateway.engine.setScript { socket, _ in
            socket.send(sample.head)
            for event in sample.events { socket.send(DialectSample.chunk(event)) }
            socket.send("0\r\n\r\n")
        }
        let answer = try gateway.ask(request(sample))
        #expect(answer.isComplete)
        let expected = sample.events.enumerated().filter { $0.offset != sample.usageChunk }.flatMap(\.element)
        #expect(answer.body == expected)
        try check(gateway, 1, .complete, sample.name)
        let attempt = try gateway.record().attempts[0]
        if sample.name == "triton" {
            #expect(attempt.usageSource == .estimated)
        } else {
            #expect(attempt.usageSource == .engine)
            let isChat = sample.name == "chat"
            #expect(attempt.buckets.inputTotal == (isChat ? 11 : 3))
            #expect(attempt.buckets.outputTotal == (isChat ? 3 : 2))
        }
        await gateway.stop()
    }
}

extension DialectSample {
    /// The place of the event that only the gateway asked for; none is there where it is negative.
    fileprivate var usageChunk: Int { name == "chat" || name == "completions" ? events.count - 2 : -1 }

    /// Bytes that a client sees of the first events before the record is durable.
    fileprivate func passing(_ count: Int) -> Int {
        events.prefix(min(count, terminator ?? count)).enumerated().filter { $0.offset != usageChunk }
            .reduce(0) { $0 + $1.element.count }
    }
}
