import Metering
import TestSupport
import Testing

@testable import Engines

/// A backend's key opens all of the backend: what clients write into a path or a query never leads elsewhere.
@Suite struct ClosedPathTests {
    private static let escapes: [(EngineKind, String, String)] = [
        (.replicate, "GET", "/v1/streams/../../../../etc/passwd"), (.replicate, "GET", "/v1/predictions/..%2faccount"),
        (.replicate, "GET", "/v1/streams/a/b"), (.replicate, "GET", "/v1/predictions/.."),
        (.replicate, "GET", "/v1/predictions/%2e%2e"), (.replicate, "GET", "/v1/predictions/%252e%252e%252faccount"),
        (.replicate, "GET", "/v1/predictions/p1/"), (.replicate, "GET", "/v1/predictions/p1;x=1"),
        (.replicate, "GET", "/v1/predictions/p1%00"), (.replicate, "GET", "/v1/predictions/p\\..\\account"),
        (.replicate, "GET", "/v1//predictions/p1"), (.replicate, "GET", "/v1/predictions/p1."),
        (.replicate, "POST", "/v1/predictions/../account/cancel"), (.replicate, "POST", "/v1/models/../x/predictions"),
        (.replicate, "POST", "/v1/models/a/%2e%2e/predictions"), (.replicate, "POST", "/v1/models/a/b/../predictions"),
        (.replicate, "POST", "/v1/deployments/a/b%2f..%2fc/predictions"), (.replicate, "GET", "/v1/streams/"),
        (.gemini, "POST", "/../../x/models/M:generateContent"),
        (.gemini, "POST", "/v1beta/../x/models/m:generateContent"),
        (.gemini, "POST", "/v1beta/models/../x:generateContent"),
        (.gemini, "POST", "/v1beta/models/%2E%2E:generateContent"),
        (.gemini, "POST", "/v1beta/models/m%2f..%2fx:generateContent"),
        (.gemini, "POST", "/v9/models/m:generateContent"),
        (.gemini, "POST", "/upload/v1beta/models/m:generateContent"),
        (.gemini, "POST", "/v1beta/models/m%5cx:generateContent"),
        (.gemini, "POST", "/v1beta/models/m%250a:generateContent"),
        (.gemini, "POST", "/v1beta/models/m%0a:generateContent"),
        (.gemini, "POST", "/v1beta//models/m:generateContent"), (.gemini, "POST", "/v1beta/models/m:generateContent/"),
        (.gemini, "POST", "/v1beta/models/m;x=y:generateContent"),
        (.vertex, "POST", "/v1/projects/../locations/l/publishers/google/models/m:generateContent"),
        (.vertex, "POST", "/publishers/google/../x/models/m:generateContent"),
        (.vertex, "POST", "/publishers/%67oogle/models/m:generateContent"),
        (.vertex, "POST", "/publishers//models/m:generateContent"),
        (.vertex, "POST", "/x/publishers/google/models/m:generateContent"),
        (.triton, "POST", "/v2/models/m/versions/..%2f..%2fother/generate"),
        (.triton, "POST", "/v2/models/m/versions/../generate"),
        (.triton, "POST", "/v2/models/../generate"), (.triton, "POST", "/v2/models/m/versions/1/../../generate"),
        (.triton, "POST", "/v2/models/m/../../repository/generate"),
        (.bedrock, "POST", "/model/../converse"), (.bedrock, "POST", "/model/a/../../converse"),
        (.bedrock, "POST", "/model/a%2f%2e%2e/invoke"), (.bedrock, "POST", "/model/a//b/invoke"),
        (.bedrock, "POST", "/model/a%09/invoke"), (.bedrock, "POST", "/model/a/converse/../invoke"),
        (.sageMaker, "POST", "/endpoints/e/../f/invocations"), (.sageMaker, "POST", "/endpoints/%2e/invocations"),
        (.sageMaker, "POST", "/endpoints/e%3Fx/invocations"), (.sageMaker, "POST", "/endpoints//invocations"),
        (.tgi, "POST", "//generate"), (.tgi, "POST", "/generate/"), (.tgi, "POST", "/./generate"),
        (.tgi, "POST", "/generate%2f"), (.tgi, "POST", "/%67enerate"),
    ]

    @Test(arguments: escapes)
    func `a path with a segment that no template has leads nowhere`(kind: EngineKind, method: String, path: String) {
        #expect(kind.dialect.nativeCall(method: method, path: path[...]) == nil)
    }

    @Test func `names with slashes are models, and the upstream's own name goes out`() throws {
        let arn = "/model/arn:aws:bedrock:eu-central-1:123456789012:inference-profile%2Feu.claude/converse"
        let call = try #require(EngineKind.bedrock.dialect.nativeCall(method: "POST", path: arn[...]))
        #expect(call.model == "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.claude")
        #expect(call.path(upstreamModel: "up") == "/model/up/converse")
        let raw = try #require(EngineKind.bedrock.dialect.nativeCall(method: "POST", path: "/model/a/b.c/invoke"))
        #expect(raw.model == "a/b.c")
        let whole =
            "/v1beta1/projects/example.com:p-1/locations/europe-west4/publishers/meta/models/llama-3:generateContent"
        let vertex = try #require(EngineKind.vertex.dialect.nativeCall(method: "POST", path: whole[...]))
        #expect(vertex.model == "llama-3")
        #expect(vertex.path(upstreamModel: "x/y") == "/publishers/meta/models/x%2Fy:generateContent")
        let gemini = try #require(
            EngineKind.gemini.dialect.nativeCall(method: "POST", path: "/models/meta/llama:streamGenerateContent"))
        #expect(gemini.model == "meta/llama" && gemini.isStream)
        #expect(EngineKind.tgi.dialect.nativeCall(method: "POST", path: "")?.path(upstreamModel: "x") == "/")
    }

    /// What is sent is made of literal segments, checked words and the upstream's name: whatever a client writes, it
    /// has no dot segment, no empty one and no escape but those of that name.
    @Test func `whatever clients write, what is sent has the form of a template`() throws {
        let pieces = [
            "/", "/v1", "/v1beta", "/models/", "m", "..", ".", "%2e", "%2F", "%5C", "\\", ";", ":generateContent",
            "/predictions", "/streams", "/endpoints/", "/invocations", "/model/", "/converse", "/v2/models/",
            "/generate",
            "/versions/", "3", "/publishers/", "google", "a", "%00", "//", "%25", "é",
        ]
        var random = SeededGenerator(seed: 8)
        for _ in 0..<20_000 {
            let path = (0..<Int.random(in: 1...7, using: &random)).map { _ in
                pieces[Int.random(in: 0..<pieces.count, using: &random)]
            }.joined()
            for kind in EngineKind.allCases {
                for method in ["GET", "POST"] {
                    guard let call = kind.dialect.nativeCall(method: method, path: path[...]) else { continue }
                    let sent = call.path(upstreamModel: "up")
                    let parts = sent.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
                    #expect(sent.hasPrefix("/") && (sent == "/" || parts.allSatisfy { !$0.isEmpty }), "\(path)")
                    #expect(parts.allSatisfy { $0 != "." && $0 != ".." }, "\(path) → \(sent)")
                    #expect(!sent.contains { "%\\;?#".contains($0) }, "\(path) → \(sent)")
                }
            }
        }
    }

    @Test(
        arguments: [
            (.gemini, "key=k&alt=sse", "alt=sse"), (.gemini, "%6bey=k&alt=sse", "alt=sse"),
            (.gemini, "k%65y=k", ""), (.gemini, "KEY=k", ""), (.gemini, "access_token=k&alt=json", "alt=json"),
            (.gemini, "alt=proto", ""), (.gemini, "fields=candidates&alt=sse", "alt=sse"), (.gemini, "$alt=media", ""),
            (.gemini, "%61lt=%73se", "alt=sse"), (.gemini, "alt=sse%26key=k", ""), (.gemini, "alt", ""),
            (.gemini, "&&alt=sse&", "alt=sse"), (.vertex, "+key=k&prettyPrint=false", "prettyPrint=false"),
            (.openAI, "api-key=k&a=1", ""), (.anthropic, "beta=true&x-api-key=k", "beta=true"),
            (.anthropic, "beta=%ff", ""), (.vllm, "key=k", ""), (.tgi, "a", ""), (.bedrock, "Signature=x", ""),
        ] as [(EngineKind, String, String)])
    func `of a query only what the dialect names goes on, however it is spelt`(
        kind: EngineKind, query: String, expected: String
    ) {
        #expect(ForwardedQuery(query[...], to: kind.dialect).text == expected)
    }

    @Test func `a tier that headers name is read, once`() throws {
        func tier(_ kind: EngineKind, _ headers: [String: [String]]) throws(RequestError) -> String? {
            try kind.dialect.tier(inHeaders: { headers[$0] ?? [] })
        }
        #expect(try tier(.bedrock, ["x-amzn-bedrock-service-tier": ["Priority"]]) == "priority")
        #expect(try tier(.vertex, ["x-vertex-ai-llm-shared-request-type": ["flex"]]) == "flex")
        #expect(try tier(.vertex, ["x-vertex-ai-llm-request-type": ["shared"]]) == nil)
        #expect(try tier(.gemini, ["x-amzn-bedrock-service-tier": ["priority"]]) == nil)
        for (kind, name, values) in [
            (.bedrock, "x-amzn-bedrock-service-tier", ["flex", "priority"]),
            (.bedrock, "x-amzn-bedrock-performanceconfig-latency", ["optimized"]),
            (.bedrock, "x-amzn-bedrock-guardrailidentifier", ["g"]),
            (.vertex, "x-vertex-ai-llm-request-type", ["dedicated"]),
            (.sageMaker, "x-amzn-sagemaker-target-model", ["m.tar.gz"]),
            (.sageMaker, "x-amzn-sagemaker-target-variant", ["v"]),
            (.sageMaker, "x-amzn-sagemaker-inference-component", ["c"]),
        ] as [(EngineKind, String, [String])] {
            #expect(throws: RequestError.self, "\(name)") { try tier(kind, [name: values]) }
        }
        var request = InferenceRequest(surface: .bedrockConverse)
        try request.ask(forTier: "priority")
        #expect(request.serviceTier == "priority")
        #expect(throws: RequestError.self) { try request.ask(forTier: "flex") }
    }
}
