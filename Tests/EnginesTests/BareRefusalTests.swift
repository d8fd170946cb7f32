import Identity
import Testing

@testable import Engines

/// Refusals that may be of a key, of a place in the catalogue, or of what the client asked.
@Suite struct BareRefusalTests {
    private func refusal(
        _ status: Int, _ body: String, _ kind: EngineKind = .openAICompatible, _ choices: ClientChoices = []
    ) -> EngineRefusal {
        Array(body.utf8).withUnsafeBytes {
            EngineRefusal(
                kind: kind, status: status, headers: AnswerFixture.Headers(fields: [:]), body: $0, choices: choices,
                now: Timestamp(milliseconds: 0))
        }
    }

    @Test(arguments: [
        "", "  \r\n", "<html>Forbidden</html>", "\n<!DOCTYPE html><title>Attention Required!</title>", "{}",
        #"{"message":"Forbidden"}"#, #"{"error":{"code":403,"message":"Forbidden"}}"#, #"{"detail":"403 Forbidden"}"#,
        "Forbidden\n", #"{"error":{"message":"Forbidden","type":"forbidden","code":403}}"#,
        #"{"statusCode":403,"message":"Request blocked by policy 12."}"#,
        #"{"type":"https://waf.example/errors/1020/","title":"Access denied","status":403,"detail":"A rule fired."}"#,
        #"{"message":"Blocked: 'my api key and my account'"}"#, #"{"message":"Blocked 'my api key'"}"#,
        #"{"message":"A banned keyword was found"}"#, #"{"error":{"code":"keyword_filter","message":"no"}}"#,
        "keyboard smash detected",
        #"{"success":false,"error":[{"code":2016,"message":"Prompt blocked due to security configurations"}]}"#,
    ])
    func `a refusal that does not name the key may be of the request`(body: String) {
        let refusal = refusal(403, body)
        #expect(refusal.meaning == .unauthorised && refusal.isBare)
    }

    @Test(arguments: [
        (403, #"{"error":{"message":"Your API key has been revoked"}}"#),
        (403, #"{"message":"This key is disabled. Contact your organisation's owner."}"#),
        (403, #"{"detail":"Key expired on 2026-11-01"}"#), (403, "Your API key has been revoked"),
        (403, #"{"error":{"code":"key_revoked"}}"#),
        (403, #"{"error":{"message":"Invalid API key","code":"invalid_api_key"}}"#),
        (403, #"{"error":{"type":"permission_error","message":"no"}}"#), (401, ""),
        (
            403,
            #"{"error":{"message":"You have insufficient permissions for this. Missing scopes: model.request"}}"#
        ),
        (403, #"{"message":"Your project is not enabled for this model"}"#),
        (403, #"{"message":"You don't have access to this"}"#),
        (403, #"{"success":false,"errors":[{"code":10000,"message":"API key disabled"}]}"#),
        (403, #"{"error":[{"message":"This account is closed"}]}"#), (403, #"{"message":["Your API key is wrong"]}"#),
        (403, #"{"fault":{"faultstring":"Invalid ApiKey","detail":{"errorcode":"x"}}}"#),
        (403, #"{"reason":"account suspended"}"#), (403, #"{"msg":"your subscription ended"}"#),
    ])
    func `a refusal that names the key is of the key`(status: Int, body: String) {
        let refusal = refusal(status, body)
        #expect(refusal.meaning == .unauthorised && !refusal.isBare)
    }

    private static func google(_ code: Int, _ status: String, _ message: String) -> String {
        #"{"error":{"code":\#(code),"message":"\#(message)","status":"\#(status)"}}"#
    }

    @Test(arguments: [
        (403, google(403, "PERMISSION_DENIED", "No access to the video")),
        (403, google(403, "PERMISSION_DENIED", "You do not have permission to access the File abc")),
        (400, google(400, "INVALID_ARGUMENT", "Unsupported file uri")),
        (403, google(403, "PERMISSION_DENIED", "The owner of this video has made it private on YouTube")),
    ])
    func `what Google says of a file or video is of the address that the client gave`(status: Int, body: String) {
        #expect(refusal(status, body, .gemini, .address).meaning == .clientMistake)
        #expect(refusal(status, body, .vertex, .address).meaning == .clientMistake)
    }

    @Test(arguments: [
        (404, google(404, "NOT_FOUND", "Requested entity was not found."), EngineRefusal.Meaning.notFound),
        (404, google(404, "NOT_FOUND", "models/small-video-1 is not found for API version v1beta"), .notFound),
        (
            403, google(403, "PERMISSION_DENIED", "You do not have permission to access tuned model tunedModels/a"),
            .unauthorised
        ),
        (403, google(403, "PERMISSION_DENIED", "The security policy of this project forbids it"), .unauthorised),
    ])
    func `a picture in the request makes no mistake of the catalogue's the client's`(
        status: Int, body: String, meaning: EngineRefusal.Meaning
    ) {
        #expect(refusal(status, body, .gemini, .address).meaning == meaning)
        #expect(refusal(status, body, .vertex, .address).meaning == meaning)
    }

    @Test func `a guardrail's words are of the request`() {
        for body in [
            #"{"type":"guardrail_violation","message":"Content blocked by guardrails"}"#,
            #"{"statusCode":403,"message":"Request failed content safety check."}"#,
        ] {
            #expect(refusal(403, body).meaning == .clientMistake, "\(body)")
        }
    }

    @Test(arguments: ["Endpoint x of account 123 not found.", "Could not find endpoint x."])
    func `a missing endpoint of Amazon's is missing, and no form of requests`(message: String) {
        let refusal = refusal(400, #"{"message":"\#(message)"}"#, .sageMaker)
        #expect(refusal.meaning == .notFound && !refusal.namesForm)
    }

    /// What Amazon's API Gateway answers for a firewall in front of it.
    @Test func `an exception called forbidden does not name the key`() {
        let body = Array(#"{"message":"Forbidden"}"#.utf8)
        let refusal = body.withUnsafeBytes {
            EngineRefusal(
                kind: .openAICompatible, status: 403,
                headers: AnswerFixture.Headers(fields: ["x-amzn-errortype": "ForbiddenException"]), body: $0,
                now: Timestamp(milliseconds: 0))
        }
        #expect(refusal.meaning == .unauthorised && refusal.isBare)
    }
}
