import Identity
import Metering
import TestSupport
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct LimitsTests {
    @Test func `what is too large is refused with an error that says so`() async throws {
        let gateway = try await TestGateway(
            engine: ScriptedEngine(),
            configure: {
                $0.limits.bodyBytes = 200_000
                $0.limits.headerFieldBytes = 4096
                $0.limits.headerListBytes = 16_384
                $0.limits.headerCount = 20
                $0.limits.pathBytes = 500
            })
        let long = TestGateway.chat(#","pad":"\#(String(repeating: "x", count: 300_000))""#)
        #expect(try gateway.ask(TestGateway.request(long)).status == 413)
        let chunked =
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(TestGateway.key)\r\n"
            + "transfer-encoding: chunked\r\n\r\n" + Answers.chunk(long) + "0\r\n\r\n"
        #expect(try gateway.ask(chunked).status == 413)
        let field = "x-pad: \(String(repeating: "y", count: 5000))\r\n"
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat(), headers: field)).status == 431)
        let fields = (0..<30).map { "x-pad-\($0): y\r\n" }.joined()
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat(), headers: fields)).status == 431)
        let path = "/v1/" + String(repeating: "p", count: 600)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat(), path: path)).status == 414)
        #expect(try gateway.ask("NONSENSE\r\n\r\n").status == 400)
        #expect(gateway.engine.requests.isEmpty)
        await gateway.stop()
    }

    @Test func `a refused request with a short body keeps its connection, one with a long body loses it`() async throws
    {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let socket = try gateway.connect()
        for _ in 0..<3 {
            socket.send(TestGateway.request(TestGateway.chat(), key: "wrong"))
            #expect(socket.readMessage()?.status == 401)
        }
        let long = TestGateway.chat(#","pad":"\#(String(repeating: "x", count: 500_000))""#)
        socket.send(TestGateway.request(long, key: "wrong"))
        let answer = try #require(socket.readMessage())
        #expect(answer.status == 401)
        #expect(answer.header("connection") == "close")
        await gateway.stop()
    }

    @Test func `slow requests and idle connections are closed in time`() async throws {
        let gateway = try await TestGateway(
            engine: ScriptedEngine(),
            configure: {
                $0.times.headerReadMilliseconds = 200
                $0.times.bodyReadMilliseconds = 200
                $0.times.idleMilliseconds = 300
            })
        let slowHeader = try gateway.connect()
        slowHeader.send("POST /v1/chat/comp")
        #expect(slowHeader.isClosedByPeer(within: 3000))
        let slowBody = try gateway.connect()
        slowBody.send(String(TestGateway.request(TestGateway.chat()).dropLast(5)))
        #expect(slowBody.readMessage()?.status == 408)
        let idle = try gateway.connect()
        idle.send(TestGateway.request(TestGateway.chat()))
        #expect(idle.readMessage()?.status == 200)
        #expect(idle.isClosedByPeer(within: 3000))
        #expect(try gateway.records(1).count == 1)
        await gateway.stop()
    }

    @Test func `garbage on the wire harms nobody`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let valid = Array(TestGateway.request(TestGateway.chat()).utf8)
        for seed in propertySeeds {
            var generator = SeededGenerator(seed: seed)
            var bytes = valid
            for _ in 0..<Int.random(in: 1...20, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            let socket = try gateway.connect()
            socket.send(bytes.prefix(Int.random(in: 1...bytes.count, using: &generator)))
            socket.closeOutput()
            while socket.receive(milliseconds: 2000) {}
            socket.close()
        }
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        for _ in 0..<500 where gateway.server.openRequestCount > 0 { pause(milliseconds: 10) }
        #expect(gateway.server.openRequestCount == 0)
        #expect(try gateway.opens.count == gateway.closes.count)
        await gateway.stop()
    }

    @Test(arguments: [TestGateway.key, TestGateway.otherKey])
    func `more requests than allowed at once are refused, and who sent them is owed nothing for it`(
        key: String
    ) async throws {
        let mayAnswer = Gate()
        let engine = try ScriptedEngine { socket, _ in
            mayAnswer.wait()
            socket.send(Answers.plain())
        }
        let gateway = try await TestGateway(engine: engine) {
            $0.limits.openRequests = 2
            $0.eventLoopCount = 1
        }
        let sockets = try (0..<2).map { _ in try gateway.connect() }
        for socket in sockets { socket.send(TestGateway.request(TestGateway.chat())) }
        while engine.requests.count < 2 { pause(milliseconds: 5) }
        let refused = try gateway.ask(TestGateway.request(TestGateway.chat(), key: key))
        #expect(refused.status == 503)
        #expect(refused.text.contains("overloaded"))
        let record = try gateway.record()
        #expect(record.request.outcome == (key == TestGateway.key ? .clientError : .providerError))
        #expect(record.request.reason == "overloaded")
        #expect(record.request.id.description == refused.header("x-request-id"))
        #expect(record.attempts.isEmpty)
        mayAnswer.open()
        for socket in sockets { #expect(socket.readMessage()?.status == 200) }
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        await gateway.stop()
    }

    @Test func `more connections than allowed are closed`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine(), configure: { $0.limits.connections = 1 })
        let first = try gateway.connect()
        first.send(TestGateway.request(TestGateway.chat()))
        #expect(first.readMessage()?.status == 200)
        #expect(try gateway.connect().isClosedByPeer(within: 3000))
        first.send(TestGateway.request(TestGateway.chat()))
        #expect(first.readMessage()?.status == 200)
        await gateway.stop()
    }

    @Test func `a slow client makes the engine wait, and one that takes nothing is left`() async throws {
        let sent = TestGateway.LogLines()
        let event = Answers.chunk(Answers.event(delta: #"{"content":"\#(String(repeating: "z", count: 8000))"}"#))
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead)
            for _ in 0..<20_000 { guard socket.send(event) else { break }; sent.append([46]) }
        }
        let gateway = try await TestGateway(engine: engine, configure: { $0.times.writeStallMilliseconds = 700 })
        let socket = try Socket.connect(port: gateway.server.port, receiveBufferBytes: 4096)
        socket.send(TestGateway.request(TestGateway.streamed))
        pause(milliseconds: 500)
        let early = sent.text.utf8.count
        // Sockets' own buffers take some megabytes; 160 would mean that the gateway took them in.
        #expect(early < 4000)
        let entry = try gateway.record()
        #expect(entry.attempts[0].termination == .clientAbort)
        await gateway.stop()
    }

    @Test func `a slow client that goes on gets everything`() async throws {
        let delta = #"{"content":"\#(String(repeating: "z", count: 8000))"}"#
        let events = Array(repeating: Answers.event(delta: delta), count: 1500) + Answers.streamEvents(tokens: 0)
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.stream(events)) }
        let gateway = try await TestGateway(engine: engine)
        let socket = try Socket.connect(port: gateway.server.port, receiveBufferBytes: 4096)
        socket.send(TestGateway.request(TestGateway.streamed))
        pause(milliseconds: 700)
        let answer = try #require(socket.readMessage())
        #expect(answer.isComplete)
        #expect(answer.body.count == events.joined().utf8.count - Answers.usageEvent.utf8.count)
        #expect(try gateway.record().attempts[0].contentEvents == 1500)
        await gateway.stop()
    }
}
