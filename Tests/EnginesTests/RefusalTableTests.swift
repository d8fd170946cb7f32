import Identity
import Testing

@testable import Engines

/// Errors of every dialect, as their systems write them, before an answer and inside one.
@Suite struct RefusalTableTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let kind: EngineKind
        let status: Int
        var headers: [String: String] = [:]
        let body: String
        let meaning: EngineRefusal.Meaning
        var testDescription: String { "\(kind.rawValue) \(status) \(body.prefix(70))" }
    }

    private static func openAI(_ message: String, type: String = "error", code: String? = nil) -> String {
        let code = code.map { "\"\($0)\"" } ?? "null"
        return #"{"error":{"message":"\#(message)","type":"\#(type)","param":null,"code":\#(code)}}"#
    }

    private static func google(_ status: String, _ message: String, reason: String? = nil, code: Int) -> String {
        let details = reason.map { #","details":[{"@type":"t","reason":"\#($0)"}]"# } ?? ""
        return #"{"error":{"code":\#(code),"message":"\#(message)","status":"\#(status)"\#(details)}}"#
    }

    private static func sample(
        _ kind: EngineKind, _ status: Int, _ body: String, _ meaning: EngineRefusal.Meaning, exception: String? = nil
    ) -> Sample {
        Sample(
            kind: kind, status: status, headers: exception.map { ["x-amzn-errortype": $0] } ?? [:], body: body,
            meaning: meaning)
    }

    /// Our key, whatever the status.
    private static let keys: [Sample] = [
        sample(.openAI, 401, openAI("Incorrect API key provided: sk-ab***yz.", code: "invalid_api_key"), .unauthorised),
        sample(
            .openAI, 403, openAI("Country not supported", code: "unsupported_country_region_territory"), .unauthorised),
        sample(
            .anthropic, 400,
            #"{"error":{"type":"invalid_request_error","message":"This organization has been disabled."}}"#,
            .unauthorised),
        sample(
            .anthropic, 403, #"{"type":"error","error":{"type":"permission_error","message":"no"}}"#, .unauthorised),
        sample(.gemini, 400, google("INVALID_ARGUMENT", "API key not valid.", code: 400), .unauthorised),
        sample(
            .gemini, 400, google("INVALID_ARGUMENT", "renew", reason: "API_KEY_INVALID", code: 400), .unauthorised),
        sample(
            .gemini, 400, google("FAILED_PRECONDITION", "User location is not supported for the API use.", code: 400),
            .unauthorised),
        sample(
            .vertex, 403, google("PERMISSION_DENIED", "Permission 'x' denied on '//projects/p'", code: 403),
            .unauthorised),
        sample(.vertex, 401, google("UNAUTHENTICATED", "m", reason: "ACCESS_TOKEN_EXPIRED", code: 401), .unauthorised),
        sample(
            .bedrock, 403, #"{"message":"User: arn:aws:iam::123456789012:user/x is not authorized"}"#, .unauthorised,
            exception: "AccessDeniedException:"),
        sample(
            .bedrock, 400, #"{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"invalid"}"#,
            .unauthorised),
        sample(.bedrock, 400, #"{"message":"Operation not allowed"}"#, .unauthorised, exception: "ValidationException"),
        sample(.bedrock, 403, #"{"message":"m"}"#, .unauthorised, exception: "ExpiredTokenException"),
        sample(.sageMaker, 400, #"{"Code":"ExpiredToken","Message":"m"}"#, .unauthorised),
        sample(.sageMaker, 403, #"{"message":"m"}"#, .unauthorised, exception: "InvalidSignatureException"),
        sample(
            .azure, 401,
            #"{"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong endpoint."}}"#,
            .unauthorised),
        sample(
            .deepSeek, 401, openAI("Authentication Fails, Your api key: ****abcd is invalid"), .unauthorised),
        sample(
            .xai, 400,
            #"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xa***o."}"#,
            .unauthorised),
        sample(.groq, 401, openAI("Invalid API Key", code: "invalid_api_key"), .unauthorised),
        sample(.groq, 400, openAI("m", code: "organization_restricted"), .unauthorised),
        sample(.cerebras, 403, #"{"message":"Forbidden","type":"permission_error"}"#, .unauthorised),
        sample(.together, 401, openAI("Invalid API key provided"), .unauthorised),
        sample(.sambaNova, 401, #"{"error":"Unauthorized"}"#, .unauthorised),
        sample(.openRouter, 401, #"{"error":{"code":401,"message":"No auth credentials found"}}"#, .unauthorised),
        sample(.replicate, 401, #"{"title":"Unauthenticated","detail":"bad","status":401}"#, .unauthorised),
        sample(.nim, 403, #"{"status":403,"title":"Forbidden","detail":"Authorization failed"}"#, .unauthorised),
        sample(.vllm, 401, #"{"error":"Unauthorized"}"#, .unauthorised),
        sample(.llamaCpp, 401, openAI("Invalid API Key", type: "authentication_error"), .unauthorised),
        sample(.tgi, 403, "<html>Forbidden</html>", .unauthorised),
        sample(.rayServe, 401, "", .unauthorised), sample(.tensorRTLLM, 401, "no", .unauthorised),
        sample(.triton, 403, "", .unauthorised), sample(.tenstorrent, 401, #"{"detail":"x"}"#, .unauthorised),
        sample(.openAICompatible, 407, "", .unauthorised),
    ]

    /// Our balance and our quota.
    private static let money: [Sample] = [
        sample(.deepSeek, 402, openAI("Insufficient Balance", code: "invalid_request_error"), .upstreamQuota),
        sample(.openRouter, 402, #"{"error":{"code":402,"message":"Insufficient credits"}}"#, .upstreamQuota),
        sample(.openAI, 400, openAI("m", code: "billing_hard_limit_reached"), .upstreamQuota),
        sample(.openAI, 429, openAI("You exceeded your current quota", type: "insufficient_quota"), .upstreamQuota),
        sample(
            .anthropic, 400,
            #"{"error":{"type":"invalid_request_error","message":"Your credit balance is too low to use it."}}"#,
            .upstreamQuota),
        sample(.replicate, 402, #"{"title":"Insufficient credit","detail":"d","status":402}"#, .upstreamQuota),
        sample(
            .xai, 403, #"{"code":"forbidden","error":"Your team a-b has reached its monthly spending limit."}"#,
            .upstreamQuota),
        sample(.cerebras, 402, openAI("m", code: "payment_required"), .upstreamQuota),
        sample(.together, 402, openAI("Credit limit exceeded"), .upstreamQuota),
        sample(.bedrock, 400, #"{"message":"m"}"#, .upstreamQuota, exception: "ServiceQuotaExceededException"),
        sample(.bedrock, 400, #"{"message":"m"}"#, .upstreamQuota, exception: "ThrottlingException"),
        sample(.gemini, 429, google("RESOURCE_EXHAUSTED", "quota", code: 429), .upstreamQuota),
        sample(
            .groq, 413, openAI("Request too large: TPM", type: "tokens", code: "rate_limit_exceeded"), .upstreamQuota),
        sample(.sambaNova, 429, "", .upstreamQuota), sample(.azure, 429, #"{"error":{"code":"429"}}"#, .upstreamQuota),
        sample(.openAICompatible, 402, "", .upstreamQuota), sample(.vllm, 402, "", .upstreamQuota),
    ]

    /// The model or deployment that our catalogue names.
    private static let models: [Sample] = [
        sample(.openAI, 404, openAI("The model `gpt-x` does not exist", code: "model_not_found"), .notFound),
        sample(.openAI, 403, openAI("Project does not have access", code: "model_not_found"), .notFound),
        sample(.azure, 404, #"{"error":{"code":"DeploymentNotFound","message":"m"}}"#, .notFound),
        sample(.azure, 404, #"{"error":{"code":"404","message":"Resource not found"}}"#, .notFound),
        sample(.anthropic, 404, #"{"error":{"type":"not_found_error","message":"model: claude-x"}}"#, .notFound),
        sample(.gemini, 404, google("NOT_FOUND", "models/x is not found for API version v1", code: 404), .notFound),
        sample(.vertex, 404, google("NOT_FOUND", "Publisher Model `projects/p` was not found", code: 404), .notFound),
        sample(
            .bedrock, 400, #"{"message":"The provided model identifier is invalid."}"#, .notFound,
            exception: "ValidationException"),
        sample(
            .bedrock, 400, #"{"message":"Invocation of model ID x with on-demand throughput isn\u2019t supported."}"#,
            .notFound, exception: "ValidationException"),
        sample(.bedrock, 404, #"{"message":"m"}"#, .notFound, exception: "ResourceNotFoundException"),
        sample(
            .sageMaker, 400, #"{"message":"Endpoint e of account 123456789012 not found."}"#, .notFound,
            exception: "ValidationError"),
        sample(.deepSeek, 400, openAI("Model Not Exist", type: "invalid_request_error"), .notFound),
        sample(.groq, 400, openAI("m", code: "model_decommissioned"), .notFound),
        sample(.together, 400, openAI("Unable to access model x. Visit", code: "model_not_available"), .notFound),
        sample(.triton, 400, #"{"error":"Request for unknown model: 'x' is not found"}"#, .notFound),
        sample(.nim, 404, #"{"title":"Not Found","detail":"Function 'f': Not found for account 'a'"}"#, .notFound),
        sample(.replicate, 422, #"{"detail":"The specified version does not exist","status":422}"#, .notFound),
        sample(
            .vllm, 404, openAI("The model `nope` does not exist. Valid aliases: a.", type: "NotFoundError"), .notFound),
        sample(.nim, 410, "", .notFound),
        sample(.llamaCpp, 404, openAI("File Not Found", type: "not_found_error"), .notSupported),
        sample(.llamaCpp, 501, openAI("no embeddings", type: "not_supported_error"), .notSupported),
        sample(.vllm, 405, #"{"detail":"Method Not Allowed"}"#, .notSupported),
        sample(.azure, 400, #"{"error":{"code":"OperationNotSupported","message":"m"}}"#, .notSupported),
        sample(.openAICompatible, 302, "", .notSupported),
    ]

    /// The client's own, and what looks like ours in its words.
    private static let mistakes: [Sample] = [
        sample(
            .openAI, 400, openAI("Unknown parameter: 'API key not valid'", type: "invalid_request_error"),
            .clientMistake),
        sample(.openAI, 404, openAI("Previous response with id 'resp_1' not found."), .clientMistake),
        sample(.openAI, 404, openAI("Vector store 'vs_1' not found"), .clientMistake),
        sample(.vllm, 400, openAI("The model `x` does not support images", type: "BadRequestError"), .clientMistake),
        sample(.gemini, 403, google("PERMISSION_DENIED", "You may not access the File abc", code: 403), .clientMistake),
        sample(.azure, 400, #"{"error":{"code":"content_filter","message":"m"}}"#, .clientMistake),
        sample(.openRouter, 403, #"{"error":{"code":403,"message":"flagged","type":"moderation"}}"#, .clientMistake),
        sample(
            .bedrock, 400, #"{"message":"Malformed input request"}"#, .clientMistake, exception: "ValidationException"),
        sample(.tgi, 422, #"{"error":"`temperature` must be positive","error_type":"validation"}"#, .clientMistake),
        sample(.deepSeek, 422, "Failed to deserialize the JSON body", .clientMistake),
        sample(.triton, 400, #"{"error":"error message"}"#, .clientMistake),
        sample(.sageMaker, 424, #"{"OriginalStatusCode":400,"OriginalMessage":"bad"}"#, .clientMistake),
        sample(
            .llamaCpp, 400, openAI("request (18031 tokens) exceeds", type: "exceed_context_size_error"), .contextTooLong
        ),
        sample(.vllm, 400, openAI("This model's maximum context length is 4096 tokens."), .contextTooLong),
        sample(
            .anthropic, 400,
            #"{"error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}"#,
            .contextTooLong),
        sample(
            .tgi, 422, #"{"error":"`inputs` tokens + `max_new_tokens` must be <= 4096","error_type":"validation"}"#,
            .contextTooLong),
        sample(
            .gemini, 400, google("INVALID_ARGUMENT", "The input token count (9) exceeds", code: 400), .contextTooLong),
        sample(
            .bedrock, 400, #"{"message":"Input is too long for requested model."}"#, .contextTooLong,
            exception: "ValidationException"),
        sample(.openAI, 400, openAI("m", code: "context_length_exceeded"), .contextTooLong),
    ]

    /// The engine's.
    private static let failures: [Sample] = [
        sample(.openAICompatible, 503, openAI("overloaded", type: "server_error"), .overloaded),
        sample(.llamaCpp, 503, openAI("Loading model", type: "unavailable_error"), .overloaded),
        sample(.tenstorrent, 429, openAI("m", code: "rate_limit_exceeded"), .overloaded),
        sample(.vllm, 429, "", .overloaded), sample(.triton, 503, "", .overloaded),
        sample(.gemini, 503, google("UNAVAILABLE", "The model is overloaded.", code: 503), .overloaded),
        sample(.vertex, 504, google("DEADLINE_EXCEEDED", "m", code: 504), .timeout),
        sample(.rayServe, 500, "Internal Server Error", .unavailable), sample(.nim, 502, "", .unavailable),
        sample(.tensorRTLLM, 500, #"{"object":"error","message":"m","type":"InternalServerError"}"#, .unavailable),
        sample(.bedrock, 500, #"{"message":"m"}"#, .unavailable, exception: "InternalServerException"),
        sample(.groq, 499, "", .unavailable), sample(.cerebras, 529, "", .overloaded),
    ]

    private func refusal(_ it: Sample) -> EngineRefusal {
        Array(it.body.utf8).withUnsafeBytes {
            EngineRefusal(
                kind: it.kind, status: it.status, headers: AnswerFixture.Headers(fields: it.headers), body: $0,
                now: Timestamp(milliseconds: 0))
        }
    }

    @Test(arguments: keys + money + models + mistakes + failures)
    func `an error is whose it is, in every dialect`(it: Sample) {
        #expect(refusal(it).meaning == it.meaning)
        #expect(refusal(it).isClients == (it.meaning == .clientMistake || it.meaning == .contextTooLong))
    }

    @Test func `the samples show every dialect, and every dialect a fault of ours`() {
        #expect(Set(Self.keys.map(\.kind)).count >= EngineKind.allCases.count)
        #expect(Set((Self.keys + Self.money + Self.models + Self.mistakes + Self.failures).map(\.meaning)).count >= 9)
    }

    @Test func `the table has one row for each meaning, and tells clients nothing of ours`() {
        #expect(EngineRefusal.consequences.map(\.meaning).count == EngineRefusal.Meaning.allCases.count)
        for meaning in EngineRefusal.Meaning.allCases {
            let row = EngineRefusal(meaning: meaning).consequence
            #expect(row.meaning == meaning)
            #expect((row.told == nil) == (row.fault == .client))
            #expect(row.countsAgainstPromises == (row.fault != .client))
            #expect(row.told.map { $0.status >= 500 } ?? true)
        }
    }

    @Test(arguments: EngineKind.allCases, [401, 402, 407, 408, 429, 500, 503, 529])
    func `these are never the client's, whatever they say`(kind: EngineKind, status: Int) {
        for body in ["", "{}", "[]", "oops", Self.openAI("m", type: "invalid_request_error")] {
            #expect(!refusal(Sample(kind: kind, status: status, body: body, meaning: .unavailable)).isClients)
        }
    }

    @Test func `what a client asks after by its id is its own to be missing`() {
        let body = Array(#"{"detail":"Not found","status":404}"#.utf8)
        func meaning(_ isInference: Bool) -> EngineRefusal.Meaning {
            body.withUnsafeBytes {
                EngineRefusal(
                    kind: .replicate, status: 404, headers: AnswerFixture.Headers(fields: [:]), body: $0,
                    isInference: isInference, now: Timestamp(milliseconds: 0)
                ).meaning
            }
        }
        #expect(meaning(false) == .clientMistake && meaning(true) == .notSupported)
    }
}
