import EngineSimulator
import FoundationEssentials
import Testing

/// Every fault on every surface that streams.
@Suite(.timeLimit(.minutes(10)))
struct SurfaceFaultTests {
    struct Surface: CustomTestStringConvertible, Sendable {
        let path: String
        let body: String
        var headers: [String: String] = [:]
        var testDescription: String { path }
    }

    /// Streams of exactly six tokens.
    static let streams: [Surface] = [
        Surface(
            path: "/v1/chat/completions",
            body: #"{"model":"m","max_tokens":6,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#),
        Surface(path: "/v1/completions", body: #"{"model":"m","max_tokens":6,"stream":true,"prompt":"hi"}"#),
        Surface(path: "/v1/responses", body: #"{"model":"m","max_output_tokens":6,"stream":true,"input":"hi"}"#),
        Surface(
            path: "/v1/messages",
            body: #"{"model":"m","max_tokens":6,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#,
            headers: ["anthropic-version": "2023-06-01"]),
        Surface(path: "/generate_stream", body: #"{"inputs":"hi","parameters":{"max_new_tokens":6,"details":true}}"#),
        Surface(path: "/v2/models/m/generate_stream", body: #"{"text_input":"hi","max_tokens":6}"#),
        Surface(
            path: "/v1beta/models/m:streamGenerateContent?alt=sse",
            body: #"{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":6}}"#),
        Surface(
            path: "/v1beta/models/m:streamGenerateContent",
            body: #"{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":6}}"#),
        Surface(
            path: "/model/m/converse-stream",
            body: #"{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":6}}"#),
        Surface(path: "/model/m/invoke-with-response-stream", body: #"{"prompt":"hi","max_gen_len":6}"#),
        Surface(
            path: "/endpoints/e/invocations-response-stream",
            body: #"{"inputs":"hi","parameters":{"max_new_tokens":6,"details":true}}"#),
        Surface(path: "/v1/audio/speech", body: #"{"model":"m","voice":"v","input":"hi","stream_format":"sse"}"#),
    ]

    private func send(_ simulator: RunningSimulator, _ surface: Surface, _ settings: String) async throws -> RawAnswer {
        try await RawClient.post(
            simulator.port, surface.path, surface.body, headers: surface.headers,
            settings: "completion_tokens=6," + settings)
    }

    @Test(arguments: streams)
    func `a stream can be cut and can fail before each token`(surface: Surface) async throws {
        try await withSimulator { simulator in
            for index in 0...6 {
                for inside in [false, true] {
                    let cut = try await send(simulator, surface, "cut_after=\(index),cut_inside=\(inside)")
                    #expect(!cut.isComplete)
                }
                #expect(try await send(simulator, surface, "fail_after=\(index)").isComplete)
                let lines = simulator.requests().suffix(3)
                #expect(lines.map(\.outcome) == [.cut, .cut, .failed])
                #expect(lines.map(\.completionTokensProduced) == [index, index, index])
                #expect(lines.allSatisfy { $0.completionTokensSent <= index })
            }
        }
    }

    @Test(arguments: streams)
    func `an answer that is whole counts all its tokens as sent, also when it drips`(surface: Surface) async throws {
        try await withSimulator { simulator in
            let calm = try await send(simulator, surface, "")
            let drips = try await send(simulator, surface, "split_bytes=200,drip_ms=1")
            #expect(calm.isComplete && drips.isComplete)
            #expect(simulator.requests().map(\.completionTokensSent) == [6, 6])
            #expect(simulator.requests().map(\.outcome) == [.complete, .complete])
        }
    }

    @Test(arguments: streams)
    func `a stalled stream ends when its client leaves`(surface: Surface) async throws {
        try await withSimulator { simulator in
            let text = RawClient.request(
                "POST", surface.path,
                headers: surface.headers.merging(["x-simulator": "completion_tokens=6,stall_after=3"]) { $1 },
                body: surface.body)
            let waiting = Task { try await RawClient.exchange(port: simulator.port, sending: text) }
            while simulator.requests().isEmpty { try await Task.sleep(for: .milliseconds(2)) }
            try await Task.sleep(for: .milliseconds(30))
            waiting.cancel()
            let line = try await simulator.onlyLine()
            #expect(line.outcome == .clientGone)
            #expect(line.completionTokensProduced == 3)
        }
    }

    @Test(arguments: streams)
    func `an answer may be packed though nobody asked`(surface: Surface) async throws {
        try await withSimulator { simulator in
            let packed = try await send(simulator, surface, "compress=true")
            #expect(packed.headers["content-encoding"] == "gzip")
            #expect(packed.isComplete)
            let unpacked = try Gunzip.stored(packed.bytes)
            #expect(!unpacked.isEmpty)
            #expect(simulator.requests().allSatisfy { $0.completionTokensSent == 6 })
        }
    }

    @Test(arguments: ["missing", "null", "zero", "negative", "quoted", "fractional", "huge", "wrong_total"])
    func `the book is true whatever the usage says`(usage: String) async throws {
        try await withSimulator { simulator in
            for surface in Self.streams {
                let answer = try await send(simulator, surface, "usage=\(usage),reasoning_tokens=2")
                #expect(answer.isComplete)
            }
            for line in simulator.requests() {
                #expect(line.completionTokensProduced == 6)
                #expect(line.promptTokens == 2)
            }
        }
    }

    @Test(arguments: streams)
    func `one chunk may be no JSON`(surface: Surface) async throws {
        try await withSimulator { simulator in
            let whole = try await send(simulator, surface, "")
            let broken = try await send(simulator, surface, "malformed_after=2")
            #expect(broken.isComplete)
            #expect(broken.bytes != whole.bytes)
            #expect(simulator.requests().map(\.completionTokensSent) == [6, 6])
        }
    }

    @Test func `a plain answer's length may be announced wrongly, and its body be no JSON`() async throws {
        try await withSimulator { simulator in
            for length in ["long", "short"] {
                let answer = try await simulator.chat(#""max_tokens":3"#, settings: "content_length=\(length)")
                let announced = try #require(Int(answer.headers["content-length"] ?? ""))
                #expect(announced - answer.bytes.count == (length == "long" ? 10 : -10))
            }
            let broken = try await simulator.chat(#""max_tokens":3"#, settings: "malformed_after=0")
            #expect(broken.isComplete)
            #expect(throws: DecodingError.self) { try broken.json() }
            #expect(simulator.requests().map(\.outcome) == [.cut, .cut, .complete])
        }
    }

    @Test func `an engine may hang up without a word`() async throws {
        try await withSimulator("hang_up=true") { simulator in
            let text = RawClient.request("POST", Self.streams[0].path, body: Self.streams[0].body)
            #expect(try await RawClient.exchange(port: simulator.port, sending: text).isEmpty)
            let line = try await simulator.onlyLine()
            #expect(line.outcome == .cut)
            #expect(line.status == 0)
        }
    }

    @Test(arguments: [
        ("header", "retry-after", "7"), ("milliseconds", "retry-after-ms", "7000"),
        ("reset", "x-ratelimit-reset-requests", "7s"), ("date", "retry-after", " GMT"),
    ])
    func `a refusal tells when to come again in its engine's way`(hint: String, header: String, value: String)
        async throws
    {
        try await withSimulator("status=429,retry_after=7,retry_hint=\(hint)") { simulator in
            let answer = try await simulator.chat()
            #expect(answer.headers[header]?.hasSuffix(value) == true)
            let told = try await simulator.chat(settings: "retry_hint=message,flavour=groq")
            #expect(told.headers[header] == nil)
            #expect(try told.json()["error"]["message"].string?.contains("try again in 7.25s") == true)
            #expect(try told.json()["error"]["code"].string == "rate_limit_exceeded")
        }
    }
}

/// Unpacks gzip that holds stored blocks only, and checks its sum and length.
enum Gunzip {
    static func stored(_ bytes: [UInt8]) throws -> [UInt8] {
        try #require(bytes.starts(with: [0x1F, 0x8B, 8, 0]))
        var at = 10
        var unpacked: [UInt8] = []
        var isLast = false
        while !isLast {
            isLast = bytes[at] == 1
            let length = Int(bytes[at + 1]) | Int(bytes[at + 2]) << 8
            try #require(bytes[at + 3] == ~bytes[at + 1] && bytes[at + 4] == ~bytes[at + 2])
            unpacked += bytes[at + 5..<at + 5 + length]
            at += 5 + length
        }
        func number(_ at: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) } }
        try #require(number(at) == EventStreamReader.checksum(unpacked))
        try #require(number(at + 4) == UInt32(unpacked.count))
        try #require(at + 8 == bytes.count)
        return unpacked
    }
}
