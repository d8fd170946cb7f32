import Identity
import Metering
import Testing
import UsageJournal

@testable import Gateway

/// A client may not know that its answer is complete before the record of it is durable.
@Suite(.timeLimit(.minutes(10))) struct JournalOrderTests {
    private func gateway(_ engine: ScriptedEngine) async throws -> (TestGateway, GatedJournal) {
        var gate: GatedJournal?
        let gateway = try await TestGateway(
            engine: engine,
            wrap: { journal in
                let gated = GatedJournal(journal)
                gate = gated
                return gated
            })
        return (gateway, try #require(gate))
    }

    @Test func `a stream's content flows at once and its terminator waits for the record`() async throws {
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.stream()) }
        let (gateway, journal) = try await gateway(engine)
        journal.hold()
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.streamed))
        var head = try #require(socket.readHead())
        #expect(head.status == 200)
        let expected = Answers.streamEvents(usage: nil).dropLast().joined()
        while head.body.count < expected.utf8.count, let chunk = socket.readChunk() { head.body += chunk }
        #expect(head.text == expected)
        #expect(!socket.receive(milliseconds: 150))
        #expect(journal.waitingCount == 1)
        journal.release()
        #expect(socket.readChunk().map { String(decoding: $0, as: UTF8.self) } == "data: [DONE]\n\n")
        #expect(socket.readChunk() == [])
        await gateway.stop()
    }

    @Test func `a small plain answer waits whole, a large one without its last piece`() async throws {
        let engine = try ScriptedEngine()
        let (gateway, journal) = try await gateway(engine)
        journal.hold()
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat()))
        #expect(!socket.receive(milliseconds: 150))
        journal.release()
        #expect(socket.readMessage()?.text == Answers.plainBody())

        let body = #"{"pad":"\#(String(repeating: "x", count: 1_300_000))",\#(Answers.usage)}"#
        engine.setScript { socket, _ in socket.send(Answers.plain(body: body)) }
        journal.hold()
        socket.send(TestGateway.request(TestGateway.chat()))
        var head = try #require(socket.readHead())
        #expect(head.header("content-length") == String(body.utf8.count))
        while socket.receive(milliseconds: 300) {}
        #expect(socket.received.count < body.utf8.count)
        #expect(!socket.received.isEmpty)
        journal.release()
        while socket.received.count < body.utf8.count, socket.receive() {}
        head.body = socket.received
        #expect(head.text == body)
        #expect(try gateway.records(2)[1].attempts[0].buckets.inputTotal == 11)
        await gateway.stop()
    }

    @Test func `a large answer without a length waits with its end`() async throws {
        let body = #"{"pad":"\#(String(repeating: "x", count: 1_200_000))",\#(Answers.usage)}"#
        let engine = try ScriptedEngine { socket, _ in
            socket.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
            for start in stride(from: 0, to: body.utf8.count, by: 50_000) {
                socket.send(Answers.chunk(String(body.dropFirst(start).prefix(50_000))))
            }
            socket.send("0\r\n\r\n")
        }
        let (gateway, journal) = try await gateway(engine)
        journal.hold()
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat()))
        var head = try #require(socket.readHead())
        #expect(head.header("transfer-encoding") == "chunked")
        while head.body.count < body.utf8.count, let chunk = socket.readChunk() { head.body += chunk }
        #expect(head.text == body)
        #expect(!socket.receive(milliseconds: 100))
        journal.release()
        #expect(socket.readChunk() == [])
        await gateway.stop()
    }

    @Test func `a record that is not durable never lets the end go out`() async throws {
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.stream()) }
        let (gateway, journal) = try await gateway(engine)
        journal.setVerdict(false)
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(!answer.isComplete)
        #expect(!answer.text.contains("[DONE]"))
        engine.setScript { socket, _ in socket.send(Answers.plain()) }
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat()))
        #expect(socket.readMessage() == nil)
        await gateway.stop()
    }

    @Test func `the open record is written before the engine hears of the request`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            pause(milliseconds: 300)
            socket.send(Answers.plain())
        }
        let gateway = try await TestGateway(engine: engine)
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat()))
        while engine.requests.isEmpty { pause(milliseconds: 5) }
        #expect(try gateway.opens.count == 1)
        #expect(try gateway.closes.isEmpty)
        _ = socket.readMessage()
        await gateway.stop()
    }

    @Test func `a running stream's count goes into the journal`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            let events = Answers.streamEvents()
            socket.send(Answers.streamHead + events[0...2].map(Answers.chunk).joined())
            pause(milliseconds: 600)
            socket.send(events[3...].map(Answers.chunk).joined() + "0\r\n\r\n")
        }
        let gateway = try await TestGateway(engine: engine, configure: { $0.times.progressMilliseconds = 200 })
        #expect(try gateway.ask(TestGateway.request(TestGateway.streamed)).isComplete)
        let progress = try gateway.progress
        #expect(progress.map(\.contentEvents) == [2])
        #expect(progress.first?.buckets.outputVisible == 2)
        await gateway.stop()
    }
}
