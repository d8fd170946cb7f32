import Identity
import Metering
import Testing

@testable import Engines

/// Refusals of what a client chose itself, which look like the provider's own.
@Suite struct ClientChoiceTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let kind: EngineKind
        let status: Int
        let body: String
        var choices: ClientChoices = []
        let meaning: EngineRefusal.Meaning
        var testDescription: String { "\(kind.rawValue) \(status) \(choices.rawValue) \(body.prefix(70))" }
    }

    private static func afford(_ tokens: Int) -> String {
        #"{"error":{"message":"This request requires more credits, or fewer max_tokens. You requested up to 90000 "#
            + #"tokens, but can only afford \#(tokens). To increase, visit x","code":402}}"#
    }

    private static let moderation: [Sample] = [
        Sample(
            kind: .xai, status: 403,
            body: #"{"code":"The caller does not have permission to execute the specified operation","error":"Content "#
                + #"violates usage guidelines. Team: t, API key ID: k, Failed check: SAFETY_CHECK_TYPE_BIO"}"#,
            meaning: .clientMistake),
        Sample(
            kind: .xai, status: 403, body: #"{"error":"Forbidden. Failed check: SAFETY_CHECK_TYPE_CSAM"}"#,
            meaning: .clientMistake),
        Sample(
            kind: .openRouter, status: 403,
            body: #"{"error":{"code":403,"message":"m","metadata":{"reasons":["violence"],"flagged_input":"how to"}}}"#,
            meaning: .clientMistake),
        Sample(
            kind: .openRouter, status: 403,
            body: #"{"error":{"code":403,"message":"m","metadata":{"error_type":"content_policy_violation"}}}"#,
            meaning: .clientMistake),
        Sample(
            kind: .openRouter, status: 403,
            body: #"{"error":{"code":403,"message":"Request blocked: prompt injection patterns detected"}}"#,
            meaning: .clientMistake),
        Sample(
            kind: .openAICompatible, status: 403,
            body: #"{"error":{"message":"Your chosen model requires moderation and your input was flagged"}}"#,
            meaning: .clientMistake),
        Sample(
            kind: .together, status: 403,
            body: #"{"error":{"message":"The input token count + max_tokens must be less than the context length"}}"#,
            meaning: .contextTooLong),
        // Ours all the same.
        Sample(
            kind: .xai, status: 403,
            body: #"{"code":"The caller does not have permission to execute the specified operation","error":"no"}"#,
            meaning: .unauthorised),
        Sample(
            kind: .openRouter, status: 403,
            body: #"{"error":{"code":403,"message":"m","metadata":{"reasons":[],"flagged_input":""}}}"#,
            meaning: .unauthorised),
        Sample(
            kind: .openRouter, status: 401, body: #"{"error":{"code":401,"metadata":{"reasons":["x"]}}}"#,
            meaning: .unauthorised),
    ]

    private static let credits: [Sample] = [
        Sample(kind: .openRouter, status: 402, body: afford(30_104), choices: .length, meaning: .notServed),
        Sample(kind: .openRouter, status: 402, body: afford(1_024), choices: [.length, .address], meaning: .notServed),
        Sample(kind: .openAICompatible, status: 402, body: afford(4_000), choices: .length, meaning: .notServed),
        // An account that is as good as empty, or a length that nobody asked for.
        Sample(kind: .openRouter, status: 402, body: afford(222), choices: .length, meaning: .upstreamQuota),
        Sample(kind: .openRouter, status: 402, body: afford(0), choices: .length, meaning: .upstreamQuota),
        Sample(kind: .openRouter, status: 402, body: afford(30_104), meaning: .upstreamQuota),
        Sample(
            kind: .openRouter, status: 402, body: #"{"error":{"code":402,"message":"Insufficient credits"}}"#,
            choices: .length, meaning: .upstreamQuota),
    ]

    private static let addresses: [Sample] = [
        Sample(
            kind: .openAI, status: 424,
            body: #"{"error":{"message":"Error retrieving tool list from MCP server: 'x'. Http status code: 424","#
                + #""type":"external_connector_error","code":"http_error"}}"#, choices: .address,
            meaning: .clientMistake),
        Sample(
            kind: .azure, status: 500, body: #"{"error":{"message":"m","type":"external_connector_error"}}"#,
            meaning: .clientMistake),
        Sample(
            kind: .openAICompatible, status: 502, body: #"{"detail":"MCP server http://10.0.0.1 timed out"}"#,
            choices: .address, meaning: .clientMistake),
        Sample(
            kind: .vllm, status: 500,
            body: #"{"error":{"message":"404, message='Not Found', url='http://a.io/c.png'","code":500}}"#,
            choices: .address, meaning: .clientMistake),
        Sample(
            kind: .vllm, status: 500, body: #"{"error":{"message":"Cannot connect to host a.b:443 ssl:default"}}"#,
            choices: .address, meaning: .clientMistake),
        Sample(
            kind: .openAI, status: 408, body: #"{"error":{"message":"Timeout: error while downloading http://a.io"}}"#,
            choices: .address, meaning: .clientMistake),
        Sample(
            kind: .gemini, status: 500,
            body: #"{"error":{"message":"Cannot fetch content from the provided URL.","status":"INTERNAL"}}"#,
            choices: .address, meaning: .clientMistake),
        // Without an address it is the engine that cannot reach something of its own.
        Sample(
            kind: .vllm, status: 500, body: #"{"error":{"message":"Cannot connect to host a.b:443 ssl:default"}}"#,
            meaning: .unavailable),
        Sample(
            kind: .openAICompatible, status: 502, body: #"{"detail":"failed to fetch"}"#, meaning: .unavailable),
        Sample(kind: .vllm, status: 500, body: "Internal Server Error", choices: .address, meaning: .unavailable),
        Sample(
            kind: .openAI, status: 401, body: #"{"error":{"message":"failed to fetch"}}"#, choices: .address,
            meaning: .unauthorised),
    ]

    @Test(arguments: moderation + credits + addresses)
    func `what a client chose is its own, whatever status it is refused with`(it: Sample) {
        let refusal = Array(it.body.utf8).withUnsafeBytes {
            EngineRefusal(
                kind: it.kind, status: it.status, headers: AnswerFixture.Headers(fields: [:]), body: $0,
                choices: it.choices, now: Timestamp(milliseconds: 0))
        }
        #expect(refusal.meaning == it.meaning)
        guard it.meaning != .unauthorised, it.meaning != .unavailable, it.meaning != .upstreamQuota else { return }
        #expect(refusal.isClients && !refusal.countsAgainstPromises)
        #expect(refusal.consequence.breaker == .works || refusal.consequence.breaker == .nothing)
    }

    private static let chosen: [(body: String, choices: ClientChoices)] = [
        (#"{"messages":[{"role":"user","content":"hi"}]}"#, []),
        (#"{"max_tokens":5,"messages":[]}"#, .length),
        (#"{"messages":[{"content":[{"type":"image_url","image_url":{"url":"https://a.io/c.png"}}]}]}"#, .address),
        (#"{"messages":[{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}"#, []),
        (
            #"{"messages":[{"content":[{"type":"video_url","video_url":"HTTP://a.io"}]}],"n_predict":9}"#,
            [.address, .length]
        ),
    ]

    @Test(arguments: chosen)
    func `a request knows what it chose`(body: String, choices: ClientChoices) throws {
        let body = #"{"model":"m","# + body.dropFirst()
        let request = try Array(body.utf8).withUnsafeBytes {
            try InferenceRequest(reading: $0, surface: .chatCompletions)
        }
        #expect(request.choices == choices)
    }

    @Test func `a response with a server of the client's own names an address`() throws {
        let body = #"{"model":"m","input":"x","tools":[{"type":"mcp","server_label":"a","server_url":"https://a.io"}]}"#
        let request = try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, surface: .responses) }
        #expect(request.choices == .address)
    }
}
