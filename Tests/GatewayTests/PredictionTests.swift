import Accounts
import Engines
import Identity
import Metering
import Synchronization
import Telemetry
import Testing
import UsageJournal

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct PredictionTests {
    private static let path = "/engines/scripted/v1/predictions"
    private static let created =
        #"{"id":"p1","model":"small","status":"starting","metrics":{},"urls":{"get":"x"}}"#
    private static let done =
        #"{"id":"p1","model":"small","status":"succeeded","output":["a"],"metrics":{"input_token_count":7,"#
        + #""output_token_count":5,"predict_time":1.25}}"#

    private func gateway() async throws -> TestGateway {
        let engine = try ScriptedEngine { socket, request in
            let isCreation = request.startLine.hasPrefix("POST")
            socket.send(
                Answers.plain(
                    status: isCreation ? "201 Created" : "200 OK", body: isCreation ? Self.created : Self.done))
        }
        return try await TestGateway(
            engine: engine,
            snapshot: TestGateway.snapshot(port: engine.port, kind: .replicate, sealingSecret: [1, 2, 3]))
    }

    private static let sealed =
        ObjectSeal(secret: [1, 2, 3])?.sealed(
            ObjectSeal.Place(backend: "scripted", id: "p1"), .prediction, for: TestGateway.id(301)) ?? ""

    private func look() -> String {
        "GET \(Self.path)/\(Self.sealed) HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer \(TestGateway.key)\r\n\r\n"
    }

    @Test func `a prediction is billed once, when it has ended, however often it is looked at`() async throws {
        let gateway = try await gateway()
        let answer = try gateway.ask(
            TestGateway.request(#"{"version":"small","input":{"prompt":"SECRET-PROMPT"}}"#, path: Self.path))
        #expect(answer.status == 201)
        #expect(answer.text == Self.created.replacing("p1", with: Self.sealed))
        for _ in 0..<3 { #expect(try gateway.ask(look()).status == 200) }
        let entries = try gateway.records(4)
        #expect(entries.count == 4)
        let billed = entries.flatMap(\.attempts).filter { !$0.units.isEmpty || $0.buckets != TokenBuckets() }
        #expect(billed.count == 1)
        let attempt = try #require(billed.first)
        #expect(attempt.buckets.inputTotal == 7)
        #expect(attempt.buckets.outputTotal == 5)
        #expect(attempt.units.computeMilliseconds == 1250)
        #expect(attempt.termination == .complete)
        let owner = try #require(entries.first { $0.attempts.contains { $0.id == attempt.id } })
        #expect(owner.request.id.description == answer.header("x-request-id"))
        #expect(entries.flatMap(\.attempts).filter { $0.usageSource == .nothing }.count == 3)
        await gateway.stop()
    }

    @Test func `a prediction can be looked at where its backend has several models`() async throws {
        let engine = try ScriptedEngine { socket, request in
            let isCreation = request.startLine.hasPrefix("POST")
            socket.send(
                Answers.plain(
                    status: isCreation ? "201 Created" : "200 OK", body: isCreation ? Self.created : Self.done))
        }
        let one = TestGateway.snapshot(port: engine.port, kind: .replicate, sealingSecret: [1, 2, 3])
        let other = CatalogueModel(
            publicName: "large", aliases: [], backend: one.catalogue.models[0].routes[0].backend,
            upstreamName: "engine-large", priceKey: "price-large", contextTokensMax: 4096, outputTokensMax: 1024,
            tenantsAllowed: nil, createdAtSeconds: 1_700_000_000)
        let snapshot = GatewaySnapshot(
            change: 1, keys: one.keys, catalogue: ModelCatalogue(models: one.catalogue.models + [other]),
            prices: one.prices, limits: one.limits, tokenizers: [:], sealingSecret: [1, 2, 3])
        let gateway = try await TestGateway(engine: engine, snapshot: snapshot)
        for model in ["small", "large"] {
            let body = #"{"version":"\#(model)","input":{"prompt":"x"}}"#
            #expect(try gateway.ask(TestGateway.request(body, path: Self.path)).status == 201)
            #expect(try gateway.ask(look()).status == 200)
        }
        await gateway.stop()
    }

    @Test(arguments: [ClientAbortPolicy.cut, .drain])
    func `a creation that is left before its receipt is read to it, whatever the plan says`(
        policy: ClientAbortPolicy
    ) async throws {
        let engine = try ScriptedEngine { socket, request in
            let isCreation = request.startLine.hasPrefix("POST")
            if isCreation { pause(milliseconds: 200) }
            socket.send(
                Answers.plain(
                    status: isCreation ? "201 Created" : "200 OK", body: isCreation ? Self.created : Self.done))
        }
        let gateway = try await TestGateway(
            engine: engine,
            snapshot: TestGateway.snapshot(
                port: engine.port, onClientAbort: policy, kind: .replicate, sealingSecret: [1, 2, 3]))
        let socket = try gateway.connect()
        socket.send(TestGateway.request(#"{"version":"small","input":{"prompt":"a"}}"#, path: Self.path))
        while engine.requests.isEmpty { pause(milliseconds: 5) }
        socket.close()
        let attempt = try #require(try gateway.record().attempts.first)
        #expect(attempt.units.computeMilliseconds == 1250 && attempt.buckets.inputTotal == 7)
        await gateway.stop()
    }

    @Test func `the receipt of a prediction waits until its request is durable`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.plain(status: "201 Created", body: Self.created))
        }
        var gate: GatedJournal?
        let gateway = try await TestGateway(
            engine: engine, snapshot: TestGateway.snapshot(port: engine.port, kind: .replicate),
            wrap: { journal in
                let gated = GatedJournal(journal)
                gate = gated
                return gated
            })
        let journal = try #require(gate)
        journal.hold()
        let socket = try gateway.connect()
        socket.send(TestGateway.request(#"{"version":"small","input":{"prompt":"a"}}"#, path: Self.path))
        for _ in 0..<500 where journal.waitingCount == 0 { pause(milliseconds: 10) }
        #expect(journal.waitingCount == 1)
        #expect(!socket.receive(milliseconds: 150))
        journal.release()
        #expect(socket.readMessage()?.status == 201)
        await gateway.stop()
    }

    @Test func `a gateway that stops or dies before a prediction has ended leaves it to the next one`() async throws {
        let isOver = Mutex(false)
        let engine = try ScriptedEngine { socket, request in
            let body = isOver.withLock { $0 } && request.startLine.hasPrefix("GET") ? Self.done : Self.created
            socket.send(Answers.plain(body: body))
        }
        let snapshot = TestGateway.snapshot(port: engine.port, kind: .replicate, sealingSecret: [1, 2, 3])
        let gateway = try await TestGateway(engine: engine, snapshot: snapshot)
        let request = TestGateway.request(#"{"version":"small","input":{"prompt":"a"}}"#, path: Self.path)
        let answer = try gateway.ask(request)
        #expect(answer.status == 200)
        // Killed now, it is no lost request.
        #expect(try gateway.lostIfKilledNow().isEmpty)
        await gateway.server.stop()
        gateway.journal.close()
        #expect(try gateway.closes.isEmpty)

        isOver.withLock { $0 = true }
        let directory = gateway.journal.directory
        let (journal, report) = try Journal.open(JournalConfiguration(directory: directory, segmentBytes: 1 << 20))
        #expect(report.lostRequests.isEmpty)
        #expect(report.runningWork.map(\.entry.request.id.description) == [answer.header("x-request-id")])
        let next = try await GatewayServer.start(
            configuration: GatewayConfiguration(), journal: journal, snapshot: snapshot,
            log: StructuredLog(minimumLevel: .error, write: { _ in }), metrics: MetricsRegistry())
        await next.resume(report.runningWork, in: journal)
        let entry = try #require(try gateway.records(1).first)
        #expect(entry.request.id.description == answer.header("x-request-id"))
        #expect(entry.attempts.map(\.buckets) == [TokenBuckets(inputUncached: 7, outputVisible: 5)])
        #expect(entry.attempts[0].termination == .complete)
        await next.stop()
        journal.close()
        engine.close()
        // A third process finds it closed.
        let (again, last) = try Journal.open(JournalConfiguration(directory: directory, segmentBytes: 1 << 20))
        #expect(last.runningWork.isEmpty && last.lostRequests.isEmpty)
        again.close()
    }
}
