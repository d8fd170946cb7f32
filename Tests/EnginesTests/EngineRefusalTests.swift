import Identity
import TestSupport
import Testing

@testable import Engines

@Suite struct EngineRefusalTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let kind: EngineKind
        let status: Int
        var headers: [String: String] = [:]
        let body: String
        let meaning: EngineRefusal.Meaning
        var retry: Int64?
        var counts: Bool?
        var testDescription: String { "\(kind.rawValue) \(status) \(body.prefix(60))" }
    }

    private func refusal(_ it: Case) -> EngineRefusal {
        Array(it.body.utf8).withUnsafeBytes {
            EngineRefusal(
                kind: it.kind, status: it.status, headers: AnswerFixture.Headers(fields: it.headers), body: $0,
                now: Self.now)
        }
    }

    /// 2026-11-23T08:49:37Z.
    private static let now = Timestamp(milliseconds: 1_795_423_777_000)

    private static func error(_ message: String, type: String = "t", code: String = "null") -> String {
        #"{"error":{"message":"\#(message)","type":"\#(type)","code":\#(code)}}"#
    }

    private static let cases = [
        Case(kind: .openAI, status: 400, body: error("Bad"), meaning: .clientMistake),
        Case(kind: .vllm, status: 422, body: #"{"detail":[{"loc":["body"],"msg":"x"}]}"#, meaning: .clientMistake),
        Case(kind: .vllm, status: 413, body: "", meaning: .contextTooLong, counts: false),
        Case(kind: .openAI, status: 401, body: error("Incorrect API key"), meaning: .unauthorised, counts: true),
        Case(kind: .bedrock, status: 403, body: #"{"Message":"expired"}"#, meaning: .unauthorised),
        Case(
            kind: .gemini, status: 400,
            body:
                #"{"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
            meaning: .unauthorised),
        Case(
            kind: .openRouter, status: 403, body: error("flagged", type: "moderation"), meaning: .clientMistake,
            counts: false),
        Case(kind: .openRouter, status: 402, body: error("Insufficient credits"), meaning: .upstreamQuota),
        Case(
            kind: .anthropic, status: 400,
            body:
                #"{"error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#,
            meaning: .upstreamQuota),
        Case(kind: .vllm, status: 404, body: error("The model `x` does not exist."), meaning: .notFound),
        Case(
            kind: .openAI, status: 404, body: error("Previous response with id 'resp_1' not found."),
            meaning: .clientMistake),
        Case(
            kind: .azure, status: 404, body: #"{"error":{"code":"DeploymentNotFound","message":"m"}}"#,
            meaning: .notFound),
        // 429: a quota of ours, unless the engine has none or says that it is busy.
        Case(
            kind: .openAI, status: 429, headers: ["retry-after-ms": "850", "retry-after": "1"],
            body: error("Rate limit"), meaning: .upstreamQuota, retry: 850, counts: true),
        Case(
            kind: .openAI, status: 429, body: error("m", type: "insufficient_quota", code: "\"insufficient_quota\""),
            meaning: .upstreamQuota),
        Case(
            kind: .openAI, status: 429, body: error("m", code: "\"resource_unavailable\""), meaning: .overloaded),
        Case(
            kind: .groq, status: 429,
            body: error("Rate limit reached: Limit 6000, Used 10. Please try again in 1m2.5s. Need more?"),
            meaning: .upstreamQuota, retry: 62_500),
        Case(
            kind: .groq, status: 429,
            headers: [
                "x-ratelimit-remaining-requests": "12", "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-requests": "2m59.56s", "x-ratelimit-reset-tokens": "7.66s",
            ], body: error("m"), meaning: .upstreamQuota, retry: 7_660),
        Case(
            kind: .openAI, status: 429,
            headers: [
                "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "120ms",
                "x-ratelimit-reset-tokens": "6m0s",
            ], body: "", meaning: .upstreamQuota, retry: 120),
        Case(
            kind: .gemini, status: 429,
            body:
                #"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"x","retryDelay":"34.4s"}]}}"#,
            meaning: .upstreamQuota, retry: 34_400),
        Case(
            kind: .gemini, status: 429,
            body: #"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"2s"}]}}]"#,
            meaning: .upstreamQuota, retry: 2_000),
        Case(
            kind: .azure, status: 429, body: #"{"error":{"code":"429","message":"Please retry after 7 seconds."}}"#,
            meaning: .upstreamQuota, retry: 7_000),
        Case(kind: .together, status: 429, body: error("m", type: "model_rate_limit"), meaning: .upstreamQuota),
        Case(
            kind: .tgi, status: 429, body: #"{"error":"Model is overloaded","error_type":"overloaded"}"#,
            meaning: .overloaded, counts: true),
        Case(kind: .tenstorrent, status: 429, body: error("m", code: "\"rate_limit_exceeded\""), meaning: .overloaded),
        Case(
            kind: .bedrock, status: 429, headers: ["x-amzn-errortype": "ModelNotReadyException:http://x/"],
            body: #"{"message":"m"}"#, meaning: .overloaded),
        Case(
            kind: .bedrock, status: 429, headers: ["x-amzn-errortype": "ThrottlingException"],
            body: #"{"message":"Too many tokens"}"#, meaning: .upstreamQuota),
        Case(
            kind: .anthropic, status: 529, headers: ["retry-after": "3"],
            body: #"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            meaning: .overloaded, retry: 3_000, counts: true),
        // Half a minute after `now`; by the backend's own clock ten seconds; a date that has passed.
        Case(
            kind: .openAI, status: 503, headers: ["retry-after": "Mon, 23 Nov 2026 08:50:07 GMT"], body: "",
            meaning: .overloaded, retry: 30_000),
        Case(
            kind: .openAI, status: 503,
            headers: ["retry-after": "Mon, 23 Nov 2026 08:50:07 GMT", "date": "Mon, 23 Nov 2026 08:49:57 GMT"],
            body: "", meaning: .overloaded, retry: 10_000),
        Case(
            kind: .openAI, status: 503, headers: ["retry-after": "Mon, 23 Nov 2026 08:00:00 GMT"], body: "",
            meaning: .overloaded, retry: 0),
        Case(
            kind: .openAI, status: 503, headers: ["retry-after": "Mon, 23 Nov 2026"], body: "", meaning: .overloaded),
        // Requests are left; of the tokens those that come back last count.
        Case(
            kind: .anthropic, status: 429,
            headers: [
                "anthropic-ratelimit-requests-remaining": "7",
                "anthropic-ratelimit-requests-reset": "2026-11-23T08:59:00Z",
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": "2026-11-23T08:49:42Z",
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2026-11-23T08:49:49.5Z",
            ], body: #"{"type":"error","error":{"type":"rate_limit_error","message":"m"}}"#, meaning: .upstreamQuota,
            retry: 12_500),
        Case(kind: .together, status: 503, body: error("busy"), meaning: .overloaded, counts: true),
        Case(
            kind: .groq, status: 498, body: error("capacity", code: "\"capacity_exceeded\""), meaning: .overloaded,
            counts: true),
        // 424: the container's own status decides behind SageMaker.
        Case(
            kind: .sageMaker, status: 424,
            body:
                #"{"OriginalStatusCode":429,"OriginalMessage":"{\"error\":\"m\",\"error_type\":\"overloaded\"}"}"#,
            meaning: .overloaded),
        Case(
            kind: .sageMaker, status: 424,
            body:
                #"{"OriginalStatusCode":422,"OriginalMessage":"{\"error\":\"m\",\"error_type\":\"validation\"}"}"#,
            meaning: .clientMistake, counts: false),
        Case(
            kind: .sageMaker, status: 424, body: #"{"Message":"m","OriginalStatusCode":500,"OriginalMessage":"oops"}"#,
            meaning: .unavailable),
        Case(
            kind: .tgi, status: 424, body: #"{"error":"Request failed","error_type":"generation"}"#,
            meaning: .modelError, counts: true),
        Case(
            kind: .bedrock, status: 424, headers: ["x-amzn-errortype": "ModelErrorException"], body: "{}",
            meaning: .modelError),
        Case(
            kind: .bedrock, status: 408, headers: ["x-amzn-errortype": "ModelTimeoutException"], body: "{}",
            meaning: .timeout),
        Case(kind: .anthropic, status: 504, body: "", meaning: .timeout, counts: true),
        Case(kind: .openAI, status: 500, body: error("m", type: "server_error"), meaning: .unavailable),
        Case(
            kind: .tgi, status: 500, body: #"{"error":"Incomplete generation","error_type":"incomplete_generation"}"#,
            meaning: .modelError),
        Case(kind: .vllm, status: 502, body: "<html>Bad Gateway</html>", meaning: .unavailable, counts: true),
        Case(
            kind: .replicate, status: 401, body: #"{"title":"Unauthenticated","detail":"bad token","status":401}"#,
            meaning: .unauthorised),
    ]

    @Test(arguments: cases)
    func `an error means what its system means by it`(it: Case) {
        let refusal = refusal(it)
        #expect(refusal.meaning == it.meaning)
        #expect(refusal.retryAfterMilliseconds == it.retry)
        #expect(refusal.mayTryElsewhere == (it.meaning != .clientMistake))
        if let counts = it.counts { #expect(refusal.countsAgainstPromises == counts) }
    }

    private static let insideAnswers: [(EngineKind, String, EngineRefusal.Meaning)] = [
        (.tgi, #"{"error":"Model is overloaded","error_type":"overloaded"}"#, .overloaded),
        (.tgi, #"{"error":{"message":"Incomplete generation","http_status_code":422}}"#, .modelError),
        (.vllm, #"{"error":{"message":"x","type":"InternalServerError","code":500}}"#, .unavailable),
        (.vllm, #"{"error":{"message":"x","type":"BadRequestError","code":400}}"#, .clientMistake),
        (.openAI, #"{"error":{"message":"x","type":"server_error","code":null}}"#, .unavailable),
        (.openRouter, #"{"id":"g","error":{"code":429,"message":"Rate limited, retry in 2s"}}"#, .upstreamQuota),
        (.openAICompatible, #"{"error":"something"}"#, .modelError),
    ]

    @Test(arguments: insideAnswers)
    func `an error inside a stream means something too`(
        kind: EngineKind, data: String, meaning: EngineRefusal.Meaning
    ) throws {
        let reading = try AnswerFixture(kind: kind, isStream: true).read("data: \(data)\n\n")
        #expect(reading.kinds == [.error])
        #expect(EngineRefusal(kind: kind, insideAnswer: reading.facts).meaning == meaning)
        let plain = try AnswerFixture(kind: kind).read(data).facts
        #expect(plain.hasError)
        #expect(EngineRefusal(kind: kind, insideAnswer: plain).meaning == meaning)
    }

    @Test(
        arguments: [
            ("try again in 11.19s", 11_190), ("Please try again in 850ms.", 850), ("retry after 7 seconds", 7_000),
            ("Try again in 2 minutes", 120_000), ("retry in 1h0m5s please", 3_605_000), ("later", nil),
            ("try again in a while", nil), ("try again in ", nil),
        ] as [(String, Int64?)])
    func `words say when to come again`(words: String, expected: Int64?) {
        #expect(RetryHint.delay(inWords: words) == expected)
    }

    @Test func `a quota left is read from the names that its provider uses`() {
        func quota(_ kind: EngineKind, _ fields: [String: String]) -> UpstreamQuota? {
            UpstreamQuota(kind: kind, headers: AnswerFixture.Headers(fields: fields), now: Self.now)
        }
        let openAI = quota(
            .openAI,
            [
                "x-ratelimit-remaining-requests": "499", "x-ratelimit-remaining-tokens": "199996",
                "x-ratelimit-reset-requests": "120ms", "x-ratelimit-reset-tokens": "6m0s",
            ])
        #expect(openAI?.requestsRemaining == 499)
        #expect(openAI?.tokensRemaining == 199_996)
        #expect(openAI?.requestsResetMilliseconds == 120)
        #expect(openAI?.tokensResetMilliseconds == 360_000)
        let anthropic = quota(
            .anthropic,
            [
                "anthropic-ratelimit-requests-remaining": "49", "anthropic-ratelimit-input-tokens-remaining": "79000",
                "anthropic-ratelimit-output-tokens-remaining": "7000",
            ])
        #expect(anthropic?.requestsRemaining == 49)
        #expect(anthropic?.tokensRemaining == 7_000)
        #expect(anthropic?.requestsResetMilliseconds == nil && anthropic?.tokensResetMilliseconds == nil)
        let dated = quota(
            .anthropic,
            [
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-23T08:50:37Z",
                "anthropic-ratelimit-tokens-remaining": "900",
                "anthropic-ratelimit-tokens-reset": "2026-11-23T08:49:39Z",
                "anthropic-ratelimit-output-tokens-remaining": "800",
                "anthropic-ratelimit-output-tokens-reset": "2026-11-23T08:49:38Z",
            ])
        #expect(dated?.requestsResetMilliseconds == 60_000)
        #expect(dated?.tokensRemaining == 800 && dated?.tokensResetMilliseconds == 1_000)
        #expect(quota(.openAI, [:]) == nil)
        #expect(quota(.openAI, ["x-ratelimit-remaining-requests": "many"]) == nil)
        #expect(quota(.vllm, ["x-ratelimit-remaining-requests": "4"]) == nil)
    }

    @Test(
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z"),
            ("Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37.000Z"),
            ("Sunday, 06-Nov-44 08:49:37 GMT", "2044-11-06T08:49:37.000Z"),
            ("Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37.000Z"),
            ("Sat, 31 Dec 2016 23:59:60 GMT", "2017-01-01T00:00:00.000Z"),
            ("Sun, 06 Nov 1994 08:49:37 CET", nil), ("Sun, 31 Feb 2026 08:49:37 GMT", nil),
            ("Sun, 06 Nov 1994 24:00:00 GMT", nil), ("Sun, 06 Nov 1994 8:49:37 GMT", nil), ("120", nil), ("", nil),
            ("Sun, +6 Nov 1994 08:49:37 GMT", nil), ("soon", nil),
        ] as [(String, String?)])
    func `the three forms of a date in HTTP are read, and nothing else`(text: String, expected: String?) {
        #expect(HTTPDate.read(text, now: Self.now)?.description == expected)
    }

    @Test func `error bodies of any kind are read to their end`() {
        let valid = Array(Self.cases.map(\.body).joined(separator: "\n").utf8)
        for seed in propertySeeds {
            var generator = SeededGenerator(seed: seed)
            let start = Int.random(in: 0..<valid.count, using: &generator)
            var bytes = Array(valid[start..<min(valid.count, start + 400)])
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            let status = Int.random(in: 100...600, using: &generator)
            for kind in EngineKind.allCases {
                _ = bytes.withUnsafeBytes {
                    EngineRefusal(
                        kind: kind, status: status, headers: AnswerFixture.Headers(), body: $0, now: Self.now)
                }
            }
        }
    }
}
