import Engines
import Identity
import Limits
import Metering
import Synchronization
import Telemetry
import Testing

@testable import Gateway

/// Limits at the gate, on real sockets.
@Suite(.timeLimit(.minutes(10)))
struct LimitGateTests {
    /// A limit of the key that tests use.
    private func rule(
        _ kind: LimitKind, _ value: Int64, number: UInt64 = 1, isShadow: Bool = false, model: String? = nil
    ) -> LimitRule {
        LimitRule(
            id: TestGateway.id(500 + number), accountID: TestGateway.id(101), scope: .key(TestGateway.id(1)),
            model: model, kind: kind, value: value, isShadow: isShadow)
    }

    /// A wait that a busy machine does not exceed.
    private static func patient(_ configuration: inout GatewayConfiguration) {
        configuration.times.limitWaitMilliseconds = 2_000
        configuration.eventLoopCount = 2
    }

    /// Requests that are sent at once, and what became of them. No engine answers before each of them was let through
    /// or refused, however busy the machine is.
    private final class Storm: Sendable {
        private let count: Int
        private let decided = Atomic<Int>(0)
        private let begin = now()
        private static let millisecondsMax: Int64 = 60_000

        init(of count: Int) { self.count = count }

        /// What a limit of so much a minute has got back since the storm began.
        func refilled(_ value: Int64) -> Int64 { value * (now() - begin) / 60_000 }

        func engine(_ answer: String = Answers.plain()) throws -> ScriptedEngine {
            try ScriptedEngine { [self] socket, _ in
                decided.add(1, ordering: .relaxed)
                while decided.load(ordering: .relaxed) < count, now() - begin < Self.millisecondsMax {
                    pause(milliseconds: 5)
                }
                socket.send(answer)
            }
        }

        /// Sends each on a connection of its own, one gateway after the other; their answers.
        func send(to gateways: [TestGateway], body: String = TestGateway.chat()) throws -> [HTTPMessage] {
            let answers = Mutex<[HTTPMessage]>([])
            let ended = Mutex(0)
            let sockets = try (0..<count).map { try gateways[$0 % gateways.count].connect() }
            for socket in sockets {
                onThread { [self] in
                    socket.send(TestGateway.request(body))
                    let answer = socket.readMessage(milliseconds: Int32(2 * Self.millisecondsMax))
                    if answer?.status == 429 { decided.add(1, ordering: .relaxed) }
                    if let answer { answers.withLock { $0.append(answer) } }
                    ended.withLock { $0 += 1 }
                }
            }
            while ended.withLock({ $0 }) < count, now() - begin < 3 * Self.millisecondsMax { pause(milliseconds: 5) }
            return answers.withLock { $0 }
        }
    }

    @Test(arguments: [LimitKind.requestsPerMinute, .concurrentRequests, .outputTokensPerMinute], [1, 2])
    func `of 64 requests at once exactly as many pass as there is room for`(
        kind: LimitKind, gatewayCount: Int
    ) async throws {
        let room: Int64 = 23
        let limit = rule(kind, kind == .outputTokensPerMinute ? room * 50 : room)
        let shared = SharedLimits([limit])
        let storm = Storm(of: 64)
        var gateways: [TestGateway] = []
        for number in 1...UInt64(gatewayCount) {
            let gateway = try await TestGateway(
                engine: storm.engine(), limits: [limit], sliceSource: shared.source(number), configure: Self.patient)
            shared.join(number, gateway.server)
            gateways.append(gateway)
        }
        let answers = try storm.send(to: gateways, body: TestGateway.chat(#","max_tokens":50"#))
        #expect(answers.count == 64)
        let passed = Int64(answers.count { $0.status == 200 })
        let refilled = kind.isRate ? storm.refilled(room) : 0
        #expect((room...room + refilled).contains(passed), "\(refilled) came back meanwhile")
        #expect(answers.count { $0.status == 429 } == 64 - Int(passed))
        for answer in answers where answer.status == 429 {
            #expect(answer.header("retry-after").flatMap { Int($0) } ?? 0 >= 1)
            #expect(answer.text.contains(kind.isRate ? "rate_limit_exceeded" : "concurrency_limit_exceeded"))
        }
        // Nothing is held once the last request has ended.
        for _ in 0..<3000 where shared.reserved(limit.id) > 0 { pause(milliseconds: 10) }
        #expect(shared.reserved(limit.id) == 0)
        for gateway in gateways {
            #expect(gateway.metricsText.contains("tollgate_limit_holds 0"))
            await gateway.stop()
        }
    }

    @Test func `64 answers at their longest on two gateways take no more than the stated bound`() async throws {
        let (limit, longest, reserve) = (rule(.outputTokensPerMinute, 6_000), Int64(1_024), Int64(256))
        let shared = SharedLimits([limit])
        let usage = #""usage":{"prompt_tokens":9,"completion_tokens":\#(longest),"total_tokens":\#(9 + longest)}"#
        let storm = Storm(of: 64)
        var gateways: [TestGateway] = []
        for number in UInt64(1)...2 {
            let gateway = try await TestGateway(
                engine: storm.engine(Answers.plain(body: Answers.plainBody(usage: usage))), limits: [limit],
                sliceSource: shared.source(number), configure: Self.patient)
            shared.join(number, gateway.server)
            gateways.append(gateway)
        }
        let answers = try storm.send(to: gateways)
        let passed = Int64(answers.count { $0.status == 200 })
        #expect(answers.count == 64 && passed >= limit.value / longest, "small reserves let more pass than worst cases")
        // What was refilled meanwhile is within the limit a minute.
        #expect(passed * longest <= limit.value + passed * (longest - reserve) + storm.refilled(limit.value))
        for gateway in gateways { await gateway.stop() }
    }

    @Test(arguments: [
        #","max_tokens":-1"#, #","n_predict":0"#, #","options":{"num_predict":1000}"#, #","min_tokens":1000"#,
        #","max_new_tokens":500,"n":2"#, #","max_tokens":1,"max_output_tokens":1000"#,
    ])
    func `words for a long answer that only some engine goes by are reserved as that engine takes them`(
        words: String
    ) async throws {
        let limit = rule(.outputTokensPerMinute, 2_500)
        let storm = Storm(of: 12)
        let gateway = try await TestGateway(engine: storm.engine(), limits: [limit], configure: Self.patient)
        let answers = try storm.send(to: [gateway], body: TestGateway.chat(words))
        let passed = answers.count { $0.status == 200 }
        #expect((2...2 + Int(storm.refilled(limit.value) / 1_000)).contains(passed))
        #expect(answers.count { $0.status == 429 } == 12 - passed)
        await gateway.stop()
    }

    @Test func `a plain answer says what is left, and what was not used comes back`() async throws {
        let limits = [rule(.requestsPerMinute, 60), rule(.tokensPerMinute, 100_000, number: 2)]
        let gateway = try await TestGateway(engine: ScriptedEngine(), limits: limits)
        let body = TestGateway.chat(#","max_tokens":1000"#)
        let first = try gateway.ask(TestGateway.request(body))
        #expect(first.status == 200)
        #expect(first.header("x-ratelimit-limit-requests") == "60")
        #expect(first.header("x-ratelimit-remaining-requests") == "59")
        #expect(first.header("x-ratelimit-reset-requests") == "1s")
        #expect(first.header("x-ratelimit-limit-tokens") == "100000")
        #expect(first.header("x-ratelimit-remaining-tokens") == "\(100_000 - 1000 - body.utf8.count)")
        let second = try gateway.ask(TestGateway.request(body))
        let left = Int(second.header("x-ratelimit-remaining-tokens") ?? "") ?? 0
        // 14 tokens were used; some refilled meanwhile.
        #expect(left >= 100_000 - 14 - 1000 - body.utf8.count)
        await gateway.stop()
    }

    @Test func `Anthropic's clients read their limits by Anthropic's names, on answers and refusals`() async throws {
        let limits = [rule(.requestsPerMinute, 1), rule(.outputTokensPerMinute, 100_000, number: 2)]
        let gateway = try await TestGateway(engine: ScriptedEngine(), kind: .anthropic, limits: limits)
        gateway.engine.setScript { socket, _ in
            let body = #"{"type":"message","model":"small","usage":{"input_tokens":3,"output_tokens":2}}"#
            socket.send(Answers.plain(body: body, headers: "anthropic-ratelimit-requests-limit: 4000\r\n"))
        }
        let body = #"{"model":"small","max_tokens":1000,"messages":[{"role":"user","content":"hello"}]}"#
        for status in [200, 429] {
            let answer = try gateway.ask(TestGateway.request(body, path: "/v1/messages"))
            #expect(answer.status == status)
            #expect(answer.header("anthropic-ratelimit-requests-limit") == "1")
            #expect(answer.header("anthropic-ratelimit-requests-remaining") == "0")
            let reset = answer.header("anthropic-ratelimit-requests-reset").flatMap { Timestamp($0) }
            let away = try #require(reset).milliseconds - StructuredLog.wallClock()
            #expect((50_000...61_000).contains(away))
            #expect(answer.header("anthropic-ratelimit-output-tokens-limit") == "100000")
            #expect(answer.header("anthropic-ratelimit-input-tokens-limit") == nil)
            #expect(answer.header("x-ratelimit-limit-requests") == "1")
        }
        let other = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(other.header("anthropic-ratelimit-requests-limit") == nil)
        await gateway.stop()
    }

    @Test func `a streamed answer, a client that leaves and an engine that fails all give back what they held`()
        async throws
    {
        let limit = rule(.concurrentRequests, 1)
        let gateway = try await TestGateway(engine: ScriptedEngine(), limits: [limit])
        gateway.engine.setScript { socket, _ in socket.send(Answers.stream()) }
        #expect(try gateway.ask(TestGateway.request(TestGateway.streamed)).status == 200)
        gateway.engine.setScript { socket, _ in socket.send(Answers.plain(status: "500 Oops")) }
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 502)
        gateway.engine.setScript { socket, _ in socket.close() }
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 502)
        let begun = Mutex(false)
        gateway.engine.setScript { socket, _ in
            socket.send(Answers.streamHead + Answers.chunk(Answers.event(delta: #"{"content":"x"}"#)))
            begun.withLock { $0 = true }
        }
        let client = try gateway.connect()
        client.send(TestGateway.request(TestGateway.streamed))
        while !begun.withLock({ $0 }) { pause(milliseconds: 5) }
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 429)
        client.close()
        _ = try gateway.records(4)
        gateway.engine.setScript { socket, _ in socket.send(Answers.plain()) }
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        #expect(gateway.metricsText.contains("tollgate_limit_holds 0"))
        await gateway.stop()
    }

    @Test func `shadow lets all pass and counts what would have been refused`() async throws {
        let limit = rule(.requestsPerMinute, 2, isShadow: true)
        let gateway = try await TestGateway(engine: ScriptedEngine(), limits: [limit])
        for _ in 0..<5 {
            let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
            #expect(answer.status == 200)
            #expect(answer.header("x-ratelimit-limit-requests") == nil)
        }
        let line = #"tollgate_limit_refusals_total{kind="requests_per_minute",mode="shadow"} 3"#
        #expect(gateway.metricsText.contains(line))
        await gateway.stop()
    }

    @Test func `a request larger than the whole limit is told so and not to try again`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine(), limits: [rule(.outputTokensPerMinute, 100)])
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat(#","max_tokens":101"#)))
        #expect(answer.status == 429)
        #expect(answer.text.contains("Request too large"))
        #expect(answer.header("x-should-retry") == "false")
        #expect(answer.header("retry-after") == nil)
        await gateway.stop()
    }

    @Test func `a limit of one model leaves the others alone, and an alias is no way around it`() async throws {
        let limits = [rule(.requestsPerMinute, 0, model: "small"), rule(.requestsPerMinute, 0, number: 2, model: "x")]
        let gateway = try await TestGateway(engine: ScriptedEngine(), limits: [limits[1]])
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        gateway.server.update(TestGateway.snapshot(change: 2, port: gateway.engine.port, limits: limits))
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 429)
        let alias = TestGateway.chat().replacing(#""small""#, with: #""small-latest""#)
        #expect(try gateway.ask(TestGateway.request(alias)).status == 429)
        let refusals = try gateway.refusalsSoon(2)
        #expect(refusals.allSatisfy { $0.reason == "rate_limit_exceeded" })
        await gateway.stop()
    }

    @Test func `with the shared state away requests go by the local share, and a metric says so`() async throws {
        let limit = rule(.requestsPerMinute, 10)
        let shared = SharedLimits([limit])
        let gateway = try await TestGateway(engine: ScriptedEngine(), limits: [limit], sliceSource: shared.source(1))
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        shared.setAway(true)
        let storm = Storm(of: 20)
        let answers = try storm.send(to: [gateway])
        #expect((9...10 + storm.refilled(10)).contains(Int64(answers.count { $0.status == 200 })))
        #expect(gateway.metricsText.contains("\ntollgate_limits_local 1\n"))
        shared.setAway(false)
        let deadline = now() + 60_000
        while gateway.metricsText.contains("\ntollgate_limits_local 1\n"), now() < deadline { pause(milliseconds: 20) }
        #expect(gateway.metricsText.contains("\ntollgate_limits_local 0\n"))
        await gateway.stop()
    }

    @Test func `before anything is known of a limit nobody passes, and the client learns that it is not its fault`()
        async throws
    {
        let limit = rule(.requestsPerMinute, 600)
        let gateway = try await TestGateway(engine: ScriptedEngine(), limits: [limit], sliceSource: SilentSource())
        let begin = now()
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(now() - begin >= 900)
        #expect(answer.status == 503)
        #expect(answer.header("retry-after") == "1")
        #expect(answer.header("x-ratelimit-limit-requests") == nil)
        #expect(answer.text.contains("limit_state_unavailable"))
        #expect(answer.text.contains("limit state is not available yet; retry in 1 s"))
        #expect(gateway.engine.requests.isEmpty)
        #expect(gateway.metricsText.contains(#"tollgate_refusals_total{reason="limit_state_unavailable"} 1"#))
        await gateway.stop()
    }

    @Test func `a stream takes from its limit as it grows, so that others are refused before it ends`() async throws {
        let limit = rule(.outputTokensPerMinute, 1_000)
        let ends = Mutex(false)
        let engine = try ScriptedEngine { socket, request in
            guard request.text.contains(#""stream":true"#) else { return _ = socket.send(Answers.plain()) }
            socket.send(Answers.streamHead)
            for _ in 0..<950 { socket.send(Answers.chunk(Answers.event(delta: #"{"content":"x"}"#))) }
            while !ends.withLock({ $0 }) { pause(milliseconds: 5) }
            socket.send(Answers.chunk("data: [DONE]\n\n") + "0\r\n\r\n")
        }
        let gateway = try await TestGateway(engine: engine, limits: [limit])
        let client = try gateway.connect()
        client.send(TestGateway.request(TestGateway.streamed))
        var answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        let deadline = now() + 8_000
        while answer.status == 200, now() < deadline {
            pause(milliseconds: 20)
            answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        }
        #expect(answer.status == 429)
        #expect(answer.text.contains("256 needed"))
        ends.withLock { $0 = true }
        #expect(client.readMessage()?.isComplete == true)
        #expect(gateway.metricsText.contains("tollgate_limit_holds 0"))
        await gateway.stop()
    }

    @Test func `a client that leaves while it waits leaves nothing behind`() async throws {
        let limit = rule(.concurrentRequests, 1)
        let silent = SilentSource()
        let gateway = try await TestGateway(
            engine: ScriptedEngine(), limits: [limit], sliceSource: silent,
            configure: { $0.times.limitWaitMilliseconds = 600 })
        let client = try gateway.connect()
        client.send(TestGateway.request(TestGateway.chat()))
        let deadline = now() + 8_000
        while !gateway.metricsText.contains("tollgate_limit_waiters 1"), now() < deadline { pause(milliseconds: 2) }
        client.close()
        while gateway.server.openRequestCount > 0, now() < deadline { pause(milliseconds: 5) }
        #expect(gateway.server.openRequestCount == 0)
        #expect(gateway.metricsText.contains("tollgate_limit_waiters 0"))
        #expect(gateway.metricsText.contains("tollgate_limit_holds 0"))
        #expect(gateway.engine.requests.isEmpty)
        await gateway.stop()
    }

    @Test func `requests sent ahead while one waits are answered in their order`() async throws {
        let limit = rule(.requestsPerMinute, 2)
        let shared = SharedLimits([limit])
        let gateway = try await TestGateway(
            engine: ScriptedEngine(), limits: [limit], sliceSource: shared.source(1), configure: Self.patient)
        let client = try gateway.connect()
        let request = TestGateway.request(TestGateway.chat())
        client.send(request + request + request)
        let statuses = (0..<3).map { _ in client.readMessage()?.status ?? 0 }
        #expect(statuses == [200, 200, 429])
        await gateway.stop()
    }
}

/// A source that never answers.
private struct SilentSource: SliceSource {
    func request(_ batch: [SliceRequest], reply: @escaping @Sendable (SliceReply) -> Void) {}
}

extension TestGateway {
    /// Waits for so many refusals in the journal.
    fileprivate func refusalsSoon(_ count: Int64) throws -> [RefusalCount] {
        let end = now() + 8_000
        while now() < end {
            let found = try refusals
            if found.reduce(0, { $0 + $1.count }) >= count { return found }
            pause(milliseconds: 10)
        }
        return try refusals
    }
}
