import Metering
import Testing

@testable import Engines

/// Searches, tools and members of Google's and Amazon's that pass by another name, or in another place.
@Suite struct GroundingTests {
    private func searches(
        _ grounding: String, isStream: Bool, of features: RequestedFeatures = .webSearch
    ) -> Int64 {
        let text = #"{"candidates":[{"content":{"parts":[{"text":"a"}]},"groundingMetadata":{\#(grounding)}}]}"#
        let answer = NativeFixture.Answer(
            surface: .geminiGenerate, isStream: isStream,
            contentType: isStream ? NativeFixture.eventStream : "application/json", features: features)
        return NativeFixture.read(isStream ? "data: \(text)\n\ndata: \(text)\n\n" : text, answer).units.searches
    }

    @Test(arguments: [
        #""groundingChunks":[{"web":{"uri":"https://a.io","title":"t"}}],"groundingSupports":[{}]"#,
        #""groundingChunks":[{"web":{"uri":"https://a.io"}},{"web":{"uri":"https://c.d"}}]"#,
        #""searchEntryPoint":{"renderedContent":"<div>x</div>"}"#,
        #""groundingChunks":[{"retrievedContext":{"uri":"https://a.io"}}],"webSearchQueries":[]"#,
    ])
    func `pages that the request named are no searches`(grounding: String) {
        #expect(searches(grounding, isStream: false, of: []) == 0)
        #expect(searches(grounding, isStream: true, of: []) == 0)
        #expect(searches(#""webSearchQueries":["a"],"# + grounding, isStream: false, of: []) == 1)
    }

    @Test(
        arguments: [
            (#""webSearchQueries":["a","b"],"imageSearchQueries":["c","d","e"]"#, 5),
            (#""imageSearchQueries":["c"]"#, 1), (#""webSearchQueries":["a"],"imageSearchQueries":["a"]"#, 2),
            (#""groundingChunks":[{"web":{"uri":"https://a.io","title":"t"}}]"#, 1),
            (#""searchEntryPoint":{"renderedContent":"<div>x</div>"}"#, 1),
            (#""groundingChunks":[{"web":{"uri":"https://a.io"}}],"webSearchQueries":["a","b"]"#, 2),
            (#""groundingChunks":[],"webSearchQueries":[]"#, 0),
        ] as [(String, Int64)])
    func `Google's searches count, for words and for pictures`(grounding: String, count: Int64) {
        #expect(searches(grounding, isStream: false) == count)
        #expect(searches(grounding, isStream: true) == count)
    }

    @Test(arguments: [1, 2] as [Int64])
    func `calls of Amazon's own search count`(count: Int64) throws {
        let call = #"{"toolUse":{"name":"nova_grounding","type":"server_tool_use","input":{}}}"#
        let calls = Array(repeating: call, count: Int(count)).joined(separator: ",")
        let plain = #"{"output":{"message":{"content":[\#(calls),{"toolUse":{"name":"f","input":{}}}]}}}"#
        let facts = NativeFixture.read(plain, NativeFixture.Answer(surface: .bedrockConverse))
        #expect(facts.units.searches == count)
        var streamed = AnswerFacts()
        let name = Array("contentBlockStart".utf8)
        for _ in 0..<count {
            let start = #"{"start":{"toolUse":{"name":"nova_grounding","type":"server_tool_use"}}}"#
            _ = try name.withUnsafeBytes { name in
                try Array(start.utf8).withUnsafeBytes {
                    try BedrockConverseEvents.read(name, payload: $0, facts: &streamed)
                }
            }
        }
        #expect(streamed.units.searches == count)
        let usage = #"{"usage":{"inputTokens":1,"outputTokens":1,"serverToolUsage":{"webSearchRequests":3}}}"#
        let counted = NativeFixture.read(usage, NativeFixture.Answer(surface: .bedrockConverse))
        #expect(NativeFixture.attempts(counted, .bedrockConverse)[0].units.searches == 3)
    }

    // MARK: Requests

    private func read(_ body: String, _ surface: Surface) throws -> InferenceRequest {
        try Array(body.utf8).withUnsafeBytes { bytes in
            var request = InferenceRequest(surface: surface)
            try RequestReader.read(bytes, into: &request)
            try request.readReferences(in: bytes)
            return request
        }
    }

    @Test(
        arguments: [
            (#"{"systemTool":{"name":"nova_grounding"}}"#, RequestedFeatures.webSearch, nil),
            (#"{"systemTool":{"name":"nova_code_interpreter"}}"#, .otherTool, "nova_code_interpreter"),
            (#"{"systemTool":{}}"#, .otherTool, "systemTool"),
            (#"{"systemTool":{"name":"nova_grounding","name":"x"}}"#, .otherTool, "x"),
        ] as [(String, RequestedFeatures, String?)])
    func `only Amazon's search is sold as a search`(tool: String, feature: RequestedFeatures, name: String?) throws {
        let request = try read(#"{"messages":[],"toolConfig":{"tools":[\#(tool)]}}"#, .bedrockConverse)
        #expect(request.features.contains(feature) && request.otherTool == name)
    }

    @Test(arguments: [
        #"{"functionResponse":{"name":"x","response":{"a":1},"parts":[{"fileData":{"fileUri":"files/abc"}}]}}"#,
        #"{"function_response":{"parts":[{"file_data":{"file_uri":"gs://secret/x"}}]}}"#,
        #"{"functionResponse":{"parts":{"inner":[{"fileData":{"fileUri":"https://x.googleapis.com/files/a"}}]}}}"#,
    ])
    func `media beside what a function gave back name nothing that is kept`(part: String) throws {
        let request = try read(#"{"contents":[{"role":"user","parts":[\#(part)]}]}"#, .geminiGenerate)
        #expect(request.references.map(\.kind) == [.other])
    }

    @Test func `what a function gave back is the client's own`() throws {
        let part = #"{"functionResponse":{"name":"x","response":{"fileUri":"files/abc","file_id":"f"}}}"#
        #expect(try read(#"{"contents":[{"parts":[\#(part)]}]}"#, .geminiGenerate).references.isEmpty)
    }

    @Test(
        arguments: [
            (Surface.geminiGenerate, EngineKind.vertex, #""generationConfig":{"routingConfig":{"autoMode":{}}}"#),
            (.geminiGenerate, .gemini, #""generation_config":{"routing_config":{"manual_mode":{"model_name":"x"}}}"#),
            (
                .geminiGenerate, .vertex,
                #""generationConfig":{"modelConfig":{"featureSelectionPreference":"PRIORITIZE_QUALITY"}}"#
            ),
            (.geminiGenerate, .vertex, #""modelArmorConfig":{"promptTemplateName":"x"}"#),
            (.messages, .anthropic, #""messages":[],"fallbacks":[{"model":"claude-opus-5"}]"#),
            (.messages, .vertex, #""messages":[],"fallback_models":["x"]"#),
            (
                .bedrockConverse, .bedrock,
                #""messages":[],"additionalModelRequestFields":{"fallbacks":[{"model":"x"}]}"#
            ),
            (
                .bedrockConverse, .bedrock,
                #""messages":[],"additionalModelRequestFields":{"mcp_servers":[{"url":"x"}]}"#
            ),
            (.replicatePredictions, .replicate, #""input":{},"webhook":"https://a.io""#),
            (
                .chatCompletions, .openAICompatible,
                #""messages":[],"extra_body":{"google":{"tools":[{"google_search":{}}]}}"#
            ),
            (.imageGenerations, .together, #""prompt":"p","image_loras":[{"path":"x"}]"#),
        ] as [(Surface, EngineKind, String)])
    func `members that let another serve, or hide what is sold, are refused`(
        surface: Surface, kind: EngineKind, members: String
    ) throws {
        #expect(try read(#"{"model":"m",\#(members)}"#, surface).restricted(on: [kind]) != nil)
    }

    @Test(arguments: [
        #""extra_body":{"google":{"thinking_config":{"thinking_budget":1}}}"#, #""extra_body":{"google":{}}"#,
        #""routingConfig":null"#,
    ])
    func `what changes nothing of that passes`(member: String) throws {
        let request = try read(#"{"model":"m","messages":[],\#(member)}"#, .chatCompletions)
        #expect(request.restricted(on: EngineKind.allCases) == nil)
    }

    @Test(
        arguments: [
            (
                Surface.geminiGenerate, #""generationConfig":{"thinkingConfig":{"thinkingLevel":"high"}}"#,
                ReasoningWish.hidden
            ),
            (.geminiGenerate, #""generationConfig":{"thinkingConfig":{"includeThoughts":false}}"#, .hidden),
            (.geminiGenerate, #""generation_config":{"thinking_config":{"include_thoughts":true}}"#, .asked),
            (.geminiGenerate, #""generationConfig":{"thinkingConfig":{"thinkingBudget":0}}"#, .unsaid),
            (.messages, #""messages":[],"output_config":{"effort":"max"}"#, .asked),
            (.messages, #""messages":[],"output_config":{"effort":"none"}"#, .unsaid),
            (
                .bedrockConverse,
                #""messages":[],"additionalModelRequestFields":{"reasoningConfig":{"type":"enabled"}}"#, .asked
            ),
        ] as [(Surface, String, ReasoningWish)])
    func `a wish for reasoning is known in every dialect`(
        surface: Surface, members: String, wish: ReasoningWish
    ) throws {
        #expect(try read(#"{\#(members)}"#, surface).reasoning == wish)
    }

    @Test(arguments: [
        #"{"type":"content_block_start","content_block":{"type":"thinking","thinking":""}}"#,
        #"{"type":"content_block_start","content_block":{"type":"redacted_thinking","data":"x"}}"#,
        #"{"type":"content_block_start","content_block":{"type":"compaction"}}"#,
    ])
    func `a block that begins shows that the model reasons`(event: String) {
        let answer = NativeFixture.Answer(
            surface: .messages, isStream: true, contentType: NativeFixture.eventStream)
        #expect(NativeFixture.read("data: \(event)\n\n", answer).hiddenWork.isEmpty == false)
        let text = #"data: {"type":"content_block_start","content_block":{"type":"text","text":""}}"# + "\n\n"
        #expect(NativeFixture.read(text, answer).hiddenWork.isEmpty)
    }

    @Test(arguments: ["reasoning", "compaction"])
    func `so does an item of a response`(type: String) throws {
        let event = #"data: {"type":"response.output_item.added","item":{"type":"\#(type)","summary":[]}}"# + "\n\n"
        let fixture = AnswerFixture(surface: .responses, isStream: true)
        #expect(try fixture.read(event).facts.hiddenWork.isEmpty == false)
    }

    // MARK: Replicate

    @Test(
        arguments: [
            (
                #""status":"canceled","started_at":"2026-01-01T00:00:00Z","completed_at":"2026-01-01T00:00:07.5Z""#,
                7500, 0
            ),
            (
                #""status":"aborted","started_at":"2026-01-01T00:00:00Z","completed_at":"2026-01-01T00:00:01Z""#,
                1000, 0
            ),
            (
                #""status":"succeeded","started_at":"2026-01-01T00:00:00Z","completed_at":"2026-01-01T00:01:00Z""#,
                60_000, 0
            ),
            (
                #""status":"canceled","started_at":"2026-01-01T00:00:00Z","completed_at":"2026-01-01T00:00:00Z""#, 0, 0
            ),
            (
                #""status":"succeeded","started_at":"2026-01-01T00:00:01Z","completed_at":"2026-01-01T00:00:01Z""#,
                0, 0
            ),
            (
                #""status":"succeeded","started_at":"2026-01-01T00:00:01Z","completed_at":"2026-01-01T00:00:01Z","#
                    + #""metrics":{"predict_time":0}"#, 0, 0
            ),
            (#""status":"canceled","output":["aaaa","bbbb","cccc"],"metrics":{}"#, 0, 3),
            (#""status":"canceled","started_at":null,"completed_at":"2026-01-01T00:01:00Z""#, 0, 0),
            (#""status":"failed","started_at":"2026-01-01T00:00:00Z","completed_at":"2026-01-01T00:01:00Z""#, 0, 0),
        ] as [(String, Int64, Int64)])
    func `a prediction without metrics costs the time that it ran, or what it wrote`(
        members: String, milliseconds: Int64, output: Int64
    ) {
        let facts = NativeFixture.read(
            #"{"id":"p",\#(members)}"#, NativeFixture.Answer(surface: .replicatePredictions))
        let attempt = NativeFixture.attempts(facts, .replicatePredictions)[0]
        #expect(attempt.units.computeMilliseconds == milliseconds && attempt.buckets.outputTotal == output)
        if milliseconds + output > 0 { #expect(attempt.usageSource == .estimated && !attempt.usageComplete) }
        #expect(attempt.contradiction == nil)
    }

    @Test func `one that ran for a time that nobody knows is in suspense`() {
        let facts = NativeFixture.read(
            #"{"id":"p","status":"canceled","started_at":"2026-01-01T00:00:00Z"}"#,
            NativeFixture.Answer(surface: .replicatePredictions))
        #expect(NativeFixture.attempts(facts, .replicatePredictions)[0].contradiction != nil)
    }
}
