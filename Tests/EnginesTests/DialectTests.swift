import Identity
import Metering
import TestSupport
import Testing

@testable import Engines

/// Where requests go, what proves who we are, and what is asked, system by system.
@Suite struct DialectTests {
    private func backend(
        _ kind: EngineKind, base: String = "", key: String? = "k-1", host: String = "engine.example",
        apiVersion: String? = nil, counting: BackendSettings.UsageCounting = .final
    ) -> Backend {
        var settings = BackendSettings()
        settings.apiVersion = apiVersion
        settings.counting = counting
        return Backend(
            name: "b", isTLS: true, host: host, port: 443, basePath: base, apiKey: key, kind: kind,
            settings: settings)
    }

    private func request(_ body: String, _ surface: Surface) throws -> InferenceRequest {
        try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, surface: surface) }
    }

    private func target(
        _ backend: Backend, _ surface: Surface, model: String = "up", query: String = ""
    ) throws -> String {
        let member = surface == .audioTranscriptions ? "file" : "input"
        let request = try request(#"{"model":"m","\#(member)":"x"}"#, surface)
        #expect(backend.dialect.serves(surface))
        return backend.dialect.target(
            for: request, upstreamModel: model, backend: backend, query: ForwardedQuery(query[...], to: backend.dialect)
        ).requestTarget
    }

    @Test func `each system of the family has its own paths`() throws {
        #expect(try target(backend(.vllm), .chatCompletions) == "/v1/chat/completions")
        #expect(try target(backend(.vllm, base: "/pool"), .audioTranscriptions) == "/pool/v1/audio/transcriptions")
        #expect(try target(backend(.together, base: "/v1"), .rerank) == "/v1/rerank")
        #expect(try target(backend(.openAI), .imageGenerations) == "/v1/images/generations")
        #expect(try target(backend(.openAI), .responses, query: "a=1") == "/v1/responses")
        #expect(try target(backend(.llamaCpp), .countTokens) == "/v1/messages/count_tokens")
        #expect(try target(backend(.groq), .chatCompletions) == "/openai/v1/chat/completions")
        #expect(try target(backend(.groq, base: "/openai"), .chatCompletions) == "/openai/v1/chat/completions")
        #expect(try target(backend(.groq, base: "/openai/v1"), .audioSpeech) == "/openai/v1/audio/speech")
        #expect(try target(backend(.deepSeek), .completions) == "/beta/completions")
        #expect(try target(backend(.openRouter, base: "/api/v1"), .chatCompletions) == "/api/v1/chat/completions")
        #expect(
            try target(backend(.openRouter, host: "openrouter.ai"), .chatCompletions) == "/api/v1/chat/completions")
        #expect(try target(backend(.anthropic), .messages) == "/v1/messages")
        #expect(
            try target(backend(.vertex, base: "/v1/projects/p/locations/l"), .chatCompletions)
                == "/v1/projects/p/locations/l/endpoints/openapi/chat/completions")
    }

    @Test func `Azure's paths name the deployment where there is an API version`() throws {
        let old = backend(.azure, apiVersion: "2024-10-21")
        #expect(
            try target(old, .chatCompletions, model: "my dep")
                == "/openai/deployments/my%20dep/chat/completions?api-version=2024-10-21")
        #expect(
            try target(old, .embeddings, query: "api-version=2023-05-15&x=1")
                == "/openai/deployments/up/embeddings?api-version=2024-10-21")
        #expect(try target(old, .responses) == "/openai/responses?api-version=2024-10-21")
        #expect(try target(backend(.azure), .chatCompletions) == "/openai/v1/chat/completions")
        #expect(
            try target(backend(.azure, apiVersion: "preview"), .responses)
                == "/openai/v1/responses?api-version=preview")
    }

    private static let calls: [(EngineKind, String, String, String, Surface, String?, Bool)] = [
        (
            .gemini, "POST", "/v1beta/models/gem-1:generateContent", "/v1beta/models/up:generateContent",
            .geminiGenerate, "gem-1", false
        ),
        (
            .gemini, "POST", "/v1/models/gem%2D1:streamGenerateContent", "/v1/models/up:streamGenerateContent",
            .geminiGenerate, "gem-1", true
        ),
        (
            .gemini, "POST", "/v1beta/models/gem-1:countTokens", "/v1beta/models/up:countTokens", .countTokens, "gem-1",
            false
        ),
        (.gemini, "POST", "/v1beta/interactions", "/v1beta/interactions", .geminiGenerate, nil, false),
        (
            .vertex, "POST", "/v1/projects/x/locations/y/publishers/google/models/g:streamGenerateContent",
            "/publishers/google/models/up:streamGenerateContent", .geminiGenerate, "g", true
        ),
        (
            .vertex, "POST", "/publishers/google/models/g:generateContent",
            "/publishers/google/models/up:generateContent", .geminiGenerate, "g", false
        ),
        (
            .vertex, "POST", "/publishers/anthropic/models/c@20250514:rawPredict",
            "/publishers/anthropic/models/up:rawPredict", .messages, "c@20250514", false
        ),
        (
            .vertex, "POST", "/v1/projects/x/locations/y/publishers/anthropic/models/c:streamRawPredict",
            "/publishers/anthropic/models/up:streamRawPredict", .messages, "c", true
        ),
        (
            .bedrock, "POST", "/model/us.anthropic.claude%3A0/converse", "/model/up/converse", .bedrockConverse,
            "us.anthropic.claude:0", false
        ),
        (.bedrock, "POST", "/model/m/converse-stream", "/model/up/converse-stream", .bedrockConverse, "m", true),
        (.bedrock, "POST", "/model/m/invoke", "/model/up/invoke", .bedrockInvoke, "m", false),
        (
            .bedrock, "POST", "/model/m/invoke-with-response-stream", "/model/up/invoke-with-response-stream",
            .bedrockInvoke, "m", true
        ),
        (
            .sageMaker, "POST", "/endpoints/e/invocations", "/endpoints/up/invocations", .sageMakerInvocations, "e",
            false
        ),
        (
            .sageMaker, "POST", "/endpoints/e/invocations-response-stream", "/endpoints/up/invocations-response-stream",
            .sageMakerInvocations, "e", true
        ),
        (.tgi, "POST", "/generate", "/generate", .tgiGenerate, nil, false),
        (.tgi, "POST", "/generate_stream", "/generate_stream", .tgiGenerate, nil, true),
        (.triton, "POST", "/v2/models/m/generate", "/v2/models/up/generate", .tritonGenerate, "m", false),
        (
            .triton, "POST", "/v2/models/m/versions/3/generate_stream", "/v2/models/up/generate_stream",
            .tritonGenerate, "m/versions/3", true
        ),
        (
            .replicate, "POST", "/v1/models/meta/llama/predictions", "/v1/models/up/predictions", .replicatePredictions,
            "meta/llama", false
        ),
        (.replicate, "POST", "/v1/predictions", "/v1/predictions", .replicatePredictions, nil, false),
    ]

    @Test(arguments: calls)
    func `a system's own paths say what is asked, of which model, and lead to the upstream's`(
        kind: EngineKind, method: String, path: String, upstream: String, surface: Surface, model: String?,
        isStream: Bool
    ) throws {
        let backend = backend(kind, base: "/base")
        let call = try #require(backend.dialect.nativeCall(method: method, path: path[...]))
        #expect(call.surface == surface)
        #expect(call.model == model)
        #expect(call.isStream == isStream)
        #expect(call.isInference)
        let request = try Array("{}".utf8).withUnsafeBytes { try InferenceRequest(reading: $0, native: call) }
        #expect(request.model == model ?? "")
        #expect(request.isStream == isStream)
        let target = backend.dialect.target(
            for: request, upstreamModel: "up", backend: backend, query: ForwardedQuery(own: "alt=sse"))
        #expect(target.requestTarget == "/base" + upstream + "?alt=sse")
        #expect(target.method == "POST")
    }

    @Test(
        arguments: [
            (.gemini, "POST", "/v1beta/models/g:embedText"), (.gemini, "GET", "/v1beta/models/g:generateContent"),
            (.gemini, "POST", "/v1beta/models/:generateContent"),
            (.gemini, "POST", "/v1beta/models/%zz:generateContent"),
            (.vertex, "POST", "/publishers/g%2F..%2Fx/models/m:generateContent"), (.bedrock, "POST", "/model/m/other"),
            (.vertex, "POST", "/publishers/google/models/g:rawPredict"),
            (.vertex, "POST", "/publishers/anthropic/models/..:rawPredict"),
            (.bedrock, "POST", "/model//invoke"), (.sageMaker, "POST", "/endpoints/e/async-invocations"),
            (.triton, "POST", "/v2/models/m/infer"), (.triton, "POST", "/v2/models/m/x/3/generate"),
            (.replicate, "DELETE", "/v1/predictions/p"), (.replicate, "POST", "/v1/trainings"),
            (.tgi, "GET", "/generate"),
            (.tgi, "POST", "/tokenize"), (.vllm, "POST", "/generate"), (.openAI, "POST", "/v1/chat/completions"),
        ] as [(EngineKind, String, String)])
    func `a path that nothing can be metered behind is none`(kind: EngineKind, method: String, path: String) {
        #expect(kind.dialect.nativeCall(method: method, path: path[...]) == nil)
    }

    @Test func `looking at a prediction, cancelling and streaming it are no inferences`() throws {
        let dialect = EngineKind.replicate.dialect
        let polled = try #require(dialect.nativeCall(method: "GET", path: "/v1/predictions/p1"))
        #expect(!polled.isInference)
        #expect(polled.method == "GET")
        let cancelled = try #require(dialect.nativeCall(method: "POST", path: "/v1/predictions/p1/cancel"))
        #expect(!cancelled.isInference)
        let streamed = try #require(dialect.nativeCall(method: "GET", path: "/v1/streams/s1"))
        #expect(streamed.isStream)
        let request = try Array("".utf8).withUnsafeBytes { try InferenceRequest(reading: $0, native: polled) }
        let replicate = backend(.replicate)
        let target = replicate.dialect.target(
            for: request, upstreamModel: "up", backend: replicate, query: .none)
        #expect(target == UpstreamTarget(method: "GET", path: "/v1/predictions/p1"))
    }

    @Test func `models are encoded into paths, Replicate's slash stays`() throws {
        let bedrock = try #require(EngineKind.bedrock.dialect.nativeCall(method: "POST", path: "/model/m/invoke"))
        #expect(bedrock.path(upstreamModel: "arn:aws:bedrock:x/y") == "/model/arn%3Aaws%3Abedrock%3Ax%2Fy/invoke")
        let replicate = try #require(
            EngineKind.replicate.dialect.nativeCall(method: "POST", path: "/v1/models/a/b/predictions"))
        #expect(replicate.path(upstreamModel: "meta/llama") == "/v1/models/meta/llama/predictions")
    }

    @Test func `a key goes where its system looks for it`() throws {
        func headers(_ backend: Backend, path: String = "/x") -> [String: String] {
            let fields = backend.dialect.headers(
                for: UpstreamTarget(path: path), backend: backend, content: .unsigned)
            return Dictionary(uniqueKeysWithValues: fields.map { ($0.name, $0.value) })
        }
        #expect(headers(backend(.vllm)) == ["authorization": "Bearer k-1"])
        #expect(headers(backend(.vllm, key: nil)) == [:])
        #expect(headers(backend(.azure)) == ["api-key": "k-1"])
        #expect(headers(backend(.azure, key: "eyJh.b.c")) == ["authorization": "Bearer eyJh.b.c"])
        #expect(headers(backend(.anthropic)) == ["x-api-key": "k-1", "anthropic-version": "2023-06-01"])
        #expect(headers(backend(.gemini)) == ["x-goog-api-key": "k-1"])
        #expect(headers(backend(.vertex)) == ["authorization": "Bearer k-1"])
        #expect(headers(backend(.replicate)) == ["authorization": "Bearer k-1"])
        #expect(headers(backend(.bedrock)) == ["authorization": "Bearer k-1"])
        var settings = BackendSettings()
        settings.aws = BackendSettings.AWSCredentials(
            accessKeyID: "AKID", secretAccessKey: "s", sessionToken: "t", region: "eu-central-1")
        let signed = backend(.sageMaker).with(settings)
        #expect(signed.signsRequests)
        let fields = headers(signed, path: "/endpoints/e/invocations")
        #expect(fields["authorization"]?.hasPrefix("AWS4-HMAC-SHA256 Credential=AKID/") == true)
        #expect(fields["authorization"]?.contains("/eu-central-1/sagemaker/aws4_request") == true)
        #expect(fields["x-amz-security-token"] == "t")
    }

    @Test func `a client's key in Gemini's query goes no further`() throws {
        let gemini = backend(.gemini)
        let call = try #require(gemini.dialect.nativeCall(method: "POST", path: "/v1beta/models/g:generateContent"))
        let request = try Array("{}".utf8).withUnsafeBytes { try InferenceRequest(reading: $0, native: call) }
        let target = gemini.dialect.target(
            for: request, upstreamModel: "up", backend: gemini,
            query: ForwardedQuery("key=tg_secret&alt=sse", to: gemini.dialect))
        #expect(target.query == "alt=sse")
    }

    // MARK: What is asked

    private func edited(
        _ backend: Backend, _ surface: Surface, _ body: String, model: String = "m", path: String? = nil
    ) throws -> String {
        var bytes = Array(body.utf8)
        let request: InferenceRequest
        if let path {
            let call = try #require(backend.dialect.nativeCall(method: "POST", path: path[...]))
            request = try bytes.withUnsafeBytes { try InferenceRequest(reading: $0, native: call) }
        } else {
            request = try self.request(body, surface)
        }
        let edits = backend.dialect.edits(for: request, upstreamModel: model, backend: backend)
        for (edit, next) in zip(edits, edits.dropFirst()) { #expect(edit.range.upperBound <= next.range.lowerBound) }
        for edit in edits.reversed() { bytes.replaceSubrange(edit.range, with: edit.replacement) }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(arguments: EngineKind.allCases)
    func `usage is asked for only where the system takes the question`(kind: EngineKind) throws {
        let body = #"{"model":"m","stream":true,"messages":[],"x":[1, 2]}"#
        let asked = #"{"stream_options":{"include_usage":true},"model":"m","stream":true,"messages":[],"x":[1, 2]}"#
        guard kind.dialect.serves(.chatCompletions) else { return }
        let silent: Set<EngineKind> = [.groq, .together]
        let edited = try edited(backend(kind), .chatCompletions, body)
        #expect(edited == (silent.contains(kind) ? body : asked))
        #expect(
            try self.edited(backend(kind), .chatCompletions, #"{"model":"m","messages":[]}"#)
                == #"{"model":"m","messages":[]}"#)
        if kind.dialect.serves(.responses) {
            let responses = #"{"model":"m","stream":true,"input":"x"}"#
            #expect(try self.edited(backend(kind), .responses, responses) == responses)
        }
    }

    @Test func `running counts are asked for beside whatever else was asked`() throws {
        let vllm = backend(.vllm, counting: .continuous)
        #expect(
            try edited(vllm, .chatCompletions, #"{"model":"m","stream":true}"#)
                == #"{"stream_options":{"include_usage":true,"continuous_usage_stats":true},"model":"m","stream":true}"#
        )
        #expect(
            try edited(
                vllm, .completions, #"{"model":"m","stream":true,"stream_options":{"include_usage":true, "k":1}}"#)
                == #"{"model":"m","stream":true,"stream_options":{"continuous_usage_stats":true,"#
                + #""include_usage":true, "k":1}}"#
        )
        #expect(
            try edited(
                vllm, .completions,
                #"{"model":"m","stream":true,"stream_options":{"continuous_usage_stats":false,"include_usage":false}}"#)
                == #"{"model":"m","stream":true,"stream_options":{"continuous_usage_stats":true,"include_usage":true}}"#
        )
        #expect(
            try edited(backend(.openAI, counting: .continuous), .chatCompletions, #"{"model":"m","stream":true}"#)
                == #"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#)
    }

    @Test func `TGI's streams are asked for details, its plain answers are not`() throws {
        let tgi = backend(.tgi)
        func stream(_ body: String) throws -> String {
            try edited(tgi, .tgiGenerate, body, path: "/generate_stream")
        }
        #expect(try stream(#"{"inputs":"x"}"#) == #"{"parameters":{"details":true},"inputs":"x"}"#)
        #expect(
            try stream(#"{"inputs":"x","parameters":{"top_k":3}}"#)
                == #"{"inputs":"x","parameters":{"details":true,"top_k":3}}"#)
        #expect(
            try stream(#"{"inputs":"x","parameters":{}}"#) == #"{"inputs":"x","parameters":{"details":true}}"#)
        #expect(
            try stream(#"{"inputs":"x","parameters":null}"#) == #"{"inputs":"x","parameters":{"details":true}}"#)
        #expect(
            try stream(#"{"parameters":{"details": false,"top_k":3},"inputs":"x"}"#)
                == #"{"parameters":{"details": true,"top_k":3},"inputs":"x"}"#)
        let plain = #"{"inputs":"x","parameters":{"top_k":3}}"#
        #expect(try edited(tgi, .tgiGenerate, plain, path: "/generate") == plain)
        #expect(try edited(tgi, .tgiGenerate, #"{"inputs":"x","stream":true}"#, path: "/").contains("details"))
    }

    @Test func `Triton's models are asked how much they read and wrote`() throws {
        let triton = backend(.triton)
        func asked(_ body: String) throws -> String {
            try edited(triton, .tritonGenerate, body, path: "/v2/models/m/generate")
        }
        let both = #""return_num_input_tokens":true,"return_num_output_tokens":true"#
        #expect(try asked(#"{"text_input":"x"}"#) == #"{\#(both),"text_input":"x"}"#)
        #expect(
            try asked(#"{"text_input":"x","parameters":{"max_tokens":5}}"#)
                == #"{"text_input":"x","parameters":{\#(both),"max_tokens":5}}"#)
        // Found by the fuzzer: a comma and nothing behind it.
        #expect(try asked("{}") == "{\(both)}")
        #expect(
            try asked(#"{"text_input":"x","return_num_input_tokens":true,"return_num_output_tokens":false}"#)
                == #"{"text_input":"x","return_num_input_tokens":true,"return_num_output_tokens":true}"#)
    }

    @Test func `a container behind SageMaker is asked in its own dialect`() throws {
        let sageMaker = backend(.sageMaker)
        let path = "/endpoints/e/invocations-response-stream"
        #expect(
            try edited(sageMaker, .sageMakerInvocations, #"{"inputs":"x"}"#, path: path)
                == #"{"parameters":{"details":true},"inputs":"x"}"#)
        #expect(
            try edited(sageMaker, .sageMakerInvocations, #"{"messages":[],"stream":true}"#, path: path)
                == #"{"stream_options":{"include_usage":true},"messages":[],"stream":true}"#)
        for body in [#"{"messages":[]}"#, #"{"instances":[[1,2]],"stream":true}"#] {
            #expect(try edited(sageMaker, .sageMakerInvocations, body, path: path) == body)
        }
    }

    @Test func `the upstream's model stands in the body only where the path does not name it`() throws {
        #expect(
            try edited(backend(.vllm), .embeddings, #"{"model":"m","input":"x"}"#, model: "up\"1")
                == #"{"model":"up\"1","input":"x"}"#)
        #expect(
            try edited(
                backend(.gemini), .geminiGenerate, #"{"contents":[]}"#, model: "up",
                path: "/v1beta/models/g:generateContent") == #"{"contents":[]}"#)
        #expect(
            try edited(
                backend(.gemini), .geminiGenerate, #"{"model":"g","input":"x"}"#, model: "up",
                path: "/v1beta/interactions") == #"{"model":"up","input":"x"}"#)
        #expect(
            try edited(backend(.anthropic), .messages, #"{"model":"m","stream":true}"#, model: "up")
                == #"{"model":"up","stream":true}"#)
    }
}
