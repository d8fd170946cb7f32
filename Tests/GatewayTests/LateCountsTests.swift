import Engines
import Metering
import Synchronization
import Testing
import Tokenizers
import UsageJournal

@testable import Gateway

/// Engines that are asked, after their answer, to count what they left out of it.
@Suite(.timeLimit(.minutes(10))) struct LateCountsTests {
    /// What the engine is asked beside inferences, and when it may answer.
    private final class Desk: Sendable {
        private let state = Mutex<(asked: [HTTPMessage], isOpen: Bool)>(([], true))
        var asked: [HTTPMessage] { state.withLock { $0.asked } }
        func shut() { state.withLock { $0.isOpen = false } }
        func open() { state.withLock { $0.isOpen = true } }
        func note(_ request: HTTPMessage) { state.withLock { $0.asked.append(request) } }
        func wait() {
            while !state.withLock({ $0.isOpen }) { pause(milliseconds: 5) }
        }
    }

    private static let answer =
        #"{"id":"c","choices":[{"index":0,"message":{"content":"one two"},"finish_reason":"stop"}]}"#

    private func gateway(
        _ kind: EngineKind, _ desk: Desk, hasTokenizer: Bool = true, milliseconds: Int64 = 10_000,
        inference: @escaping @Sendable (Socket) -> Void = { $0.send(Answers.plain(body: LateCountsTests.answer)) },
        answers: [String: String], wrap: (Journal) -> any RequestJournal = { $0 }
    ) async throws -> TestGateway {
        let engine = try ScriptedEngine { socket, request in
            let path = request.startLine.split(separator: " ")[1]
            guard let name = answers.keys.first(where: { path == "/base\($0)" }) else { return inference(socket) }
            desk.note(request)
            desk.wait()
            let answer = answers[name] ?? ""
            socket.send(
                answer.isEmpty ? Answers.plain(status: "500 Oops", body: "{}") : Answers.plain(body: answer))
        }
        var settings = BackendSettings()
        settings.asksForCounts = true
        if hasTokenizer { settings.tokenizerPath = SmallTokenizer.path }
        let snapshot = TestGateway.snapshot(
            port: engine.port, kind: kind, settings: settings,
            tokenizers: [SmallTokenizer.path: try SmallTokenizer.make()], prices: try CostTests.prices())
        return try await TestGateway(
            engine: engine, snapshot: snapshot, configure: { $0.times.countQuestionMilliseconds = milliseconds },
            wrap: wrap)
    }

    @Test(arguments: [
        (EngineKind.vllm, ["/tokenize": #"{"count":21,"tokens":[]}"#]),
        (.tgi, ["/chat_tokenize": #"{"tokenize_response":[{"id":1,"stop":0},{"id":2,"stop":1}]}"#]),
        (.llamaCpp, ["/apply-template": #"{"prompt":"<user>x"}"#, "/tokenize": #"{"tokens":[1,2,3,4]}"#]),
    ])
    func `the prompt that an engine did not report is asked of it`(
        kind: EngineKind, answers: [String: String]
    ) async throws {
        let desk = Desk()
        let gateway = try await gateway(kind, desk, answers: answers)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).text == Self.answer)
        let entry = try gateway.record()
        let attempt = entry.attempts[0]
        #expect(attempt.buckets.inputUncached == [.vllm: 21, .tgi: 2, .llamaCpp: 4][kind])
        #expect(attempt.buckets.outputVisible == 2)
        #expect(attempt.usageSource == .counted && attempt.usageComplete)
        #expect(entry.request.outcome == .success)
        #expect(desk.asked.count == answers.count)
        #expect(desk.asked.allSatisfy { $0.header("authorization") == "Bearer engine-key" })
        if kind == .vllm {
            #expect(desk.asked[0].text.hasPrefix(#"{"model":"engine-small","messages":[{"role":"user""#))
        }
        await gateway.stop()
    }

    @Test func `a client has its answer before the engine is done counting, and the record comes after`() async throws {
        let desk = Desk()
        desk.shut()
        let gateway = try await gateway(.vllm, desk, answers: ["/tokenize": #"{"count":21}"#])
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.isComplete && answer.text == Self.answer)
        #expect(answer.header("x-tollgate-cost-basis") == "provisional")
        for _ in 0..<500 where desk.asked.isEmpty { pause(milliseconds: 10) }
        #expect(try gateway.closes.isEmpty)
        // Should the gateway die now, recovery has this.
        #expect(try gateway.progress.last?.buckets.outputVisible == 2)
        desk.open()
        #expect(try gateway.record().attempts[0].buckets.inputUncached == 21)
        #expect(try gateway.records(2, seconds: 0).count == 1)
        #expect(gateway.metricsText.contains(#"usage_source="counted""#))
        #expect(!gateway.metricsText.contains(#"usage_source="estimated""#))
        await gateway.stop()
    }

    @Test func `the answer waits until what is known of it is durable`() async throws {
        let desk = Desk()
        desk.shut()
        var gate: GatedJournal?
        let gateway = try await gateway(
            .vllm, desk, answers: ["/tokenize": #"{"count":21}"#],
            wrap: { journal in
                let gated = GatedJournal(journal)
                gate = gated
                return gated
            })
        let journal = try #require(gate)
        journal.hold()
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat()))
        for _ in 0..<500 where journal.waitingCount == 0 { pause(milliseconds: 10) }
        #expect(journal.waitingCount == 1)
        #expect(!socket.receive(milliseconds: 150))
        journal.release()
        #expect(socket.readMessage()?.text == Self.answer)
        #expect(try gateway.closes.isEmpty)
        desk.open()
        #expect(try gateway.record().attempts[0].buckets.inputUncached == 21)
        await gateway.stop()
    }

    @Test(arguments: [true, false])
    func `an engine that hangs or fails when asked leaves an estimate`(hangs: Bool) async throws {
        let desk = Desk()
        if hangs { desk.shut() }
        let gateway = try await gateway(
            .vllm, desk, milliseconds: hangs ? 50 : 600_000, answers: ["/tokenize": hangs ? #"{"count":9}"# : ""])
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        // The engine has not answered yet, or never will.
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.usageSource == .estimated && !attempt.usageComplete)
        #expect(attempt.buckets.outputVisible == 2)
        #expect(attempt.buckets.inputUncached == Int64(try SmallTokenizer.make().count("SECRET-PROMPT hello")))
        desk.open()
        await gateway.stop()
    }

    @Test func `a stream whose client left is asked about too`() async throws {
        let desk = Desk()
        let gateway = try await gateway(
            .vllm, desk,
            inference: { socket in
                socket.send(Answers.streamHead + Answers.chunk(Answers.event(delta: #"{"content":"one two"}"#)))
                _ = socket.isClosedByPeer(within: 5000)
            }, answers: ["/tokenize": #"{"count":7}"#])
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.streamed))
        _ = socket.readHead()
        _ = socket.readChunk()
        socket.close()
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.termination == .clientAbort && attempt.usageSource == .counted && !attempt.usageComplete)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 7, outputVisible: 2))
        await gateway.stop()
    }

    @Test func `without a tokenizer the engine counts its own text too`() async throws {
        let desk = Desk()
        let gateway = try await gateway(.vllm, desk, hasTokenizer: false, answers: ["/tokenize": #"{"count":5}"#])
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.buckets == TokenBuckets(inputUncached: 5, outputVisible: 5))
        #expect(attempt.usageSource == .counted)
        #expect(
            desk.asked.map(\.text).last == #"{"model":"engine-small","prompt":"one two","add_special_tokens":false}"#)
        await gateway.stop()
    }

    @Test func `whose usage is whole is not asked`() async throws {
        let desk = Desk()
        let gateway = try await gateway(
            .vllm, desk, inference: { $0.send(Answers.plain()) }, answers: ["/tokenize": #"{"count":5}"#])
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        #expect(try gateway.record().attempts[0].usageSource == .engine)
        #expect(desk.asked.isEmpty)
        await gateway.stop()
    }

    @Test func `a gateway that stops while it asks closes the record with what it knows`() async throws {
        let desk = Desk()
        desk.shut()
        let gateway = try await gateway(.vllm, desk, milliseconds: 600_000, answers: ["/tokenize": #"{"count":5}"#])
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        for _ in 0..<500 where desk.asked.isEmpty { pause(milliseconds: 10) }
        await gateway.server.stop()
        gateway.journal.close()
        let entry = try #require(try gateway.closes.first)
        #expect(entry.request.outcome == .success)
        #expect(entry.attempts[0].usageSource == .estimated && entry.attempts[0].buckets.outputVisible == 2)
        desk.open()
        gateway.engine.close()
    }

    @Test func `more answers than may wait are estimated at once`() async throws {
        let desk = Desk()
        desk.shut()
        let gateway = try await gateway(.vllm, desk, milliseconds: 600_000, answers: ["/tokenize": #"{"count":5}"#])
        let socket = try gateway.connect()
        for _ in 0...LateCounts.pendingMax {
            socket.send(TestGateway.request(TestGateway.chat()))
            #expect(try #require(socket.readMessage()).status == 200)
        }
        let first = try gateway.records(1)
        #expect(first.count == 1 && first[0].attempts[0].usageSource == .estimated)
        desk.open()
        let all = try gateway.records(LateCounts.pendingMax + 1)
        #expect(all.count == LateCounts.pendingMax + 1)
        #expect(all.filter { $0.attempts[0].usageSource == .counted }.count == LateCounts.pendingMax)
        await gateway.stop()
    }
}
