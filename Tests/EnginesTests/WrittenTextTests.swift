import Identity
import Metering
import Testing

@testable import Engines

/// What the model wrote is counted by its size, in whatever pieces and members it comes.
@Suite struct WrittenTextTests {
    private func record(
        _ surface: Surface, isStream: Bool = true, request: String? = nil, isCut: Bool = false, _ text: String
    ) throws -> AttemptRecord {
        let body = request ?? #"{"model":"m","stream":\#(isStream),"input":"hello","messages":[],"max_tokens":9}"#
        let fixture = AnswerFixture(surface: surface, isStream: isStream, request: body)
        let facts = try fixture.read([Array(text.utf8)]).facts
        let base = AttemptRecord(
            id: AttemptID(UUIDv7(milliseconds: 1, randomness: (1, 2))), backend: "b", upstreamModel: "m", priceKey: "p")
        return facts.attempts(
            completing: base, request: try fixture.inferenceRequest(), isCut: isCut, priceKey: { _ in nil },
            newID: { AttemptID(UUIDv7(milliseconds: 1, randomness: (3, 4))) })[0]
    }

    private static let long = String(repeating: "abcd ", count: 1000)
    private static let tokens: Int64 = 1250

    @Test(arguments: [
        #"{"choices":[{"index":0,"delta":{"content":"TEXT"}}]}"#,
        #"{"choices":[{"index":0,"delta":{"reasoning_content":"TEXT"}}]}"#,
        #"{"choices":[{"index":0,"text":"TEXT"}]}"#,
        #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"TEXT"}}]}}]}"#,
        #"{"choices":[{"index":0,"delta":{"tool_calls":[{"custom":{"input":"TEXT"}}]}}]}"#,
        #"{"choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","text":"TEXT"}]}}]}"#,
        #"{"type":"response.output_text.delta","delta":"TEXT"}"#,
        #"{"type":"response.output_item.done","item":{"type":"function_call","arguments":"TEXT"}}"#,
        #"{"type":"response.output_item.done","item":{"type":"message","content":[{"text":"TEXT"}]}}"#,
    ])
    func `one event with much text costs what its text comes to`(event: String) throws {
        let surface: Surface = event.contains("response.") ? .responses : .chatCompletions
        let stream = "data: \(event.replacing("TEXT", with: WrittenTextTests.long))\n\ndata: [DONE]\n\n"
        for isCut in [true, false] {
            let record = try record(surface, isCut: isCut, stream)
            #expect(abs(record.buckets.outputTotal - WrittenTextTests.tokens) < 20, "\(record.buckets)")
            #expect(record.usageSource == .estimated)
        }
    }

    @Test(arguments: [
        (
            Surface.messages,
            #"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"TEXT"}}"#
        ),
        (.messages, #"data: {"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"TEXT"}}"#),
        (.geminiGenerate, #"data: {"candidates":[{"content":{"parts":[{"text":"TEXT"}]}}]}"#),
        (.geminiGenerate, #"data: {"candidates":[{"content":{"parts":[{"functionCall":{"args":{"a":"TEXT"}}}]}}]}"#),
        (.tgiGenerate, #"data:{"token":{"id":1,"text":"TEXT","special":false}}"#),
        (.tritonGenerate, #"data: {"text_output":"TEXT"}"#),
    ])
    func `so does one of other dialects`(surface: Surface, event: String) throws {
        let text = event.replacing("TEXT", with: WrittenTextTests.long) + "\n\n"
        let facts = NativeFixture.read(
            text, NativeFixture.Answer(surface: surface, isStream: true, contentType: NativeFixture.eventStream))
        #expect(abs(native(facts, surface, isCut: true).buckets.outputTotal - WrittenTextTests.tokens) < 20)
    }

    @Test func `events of one token each are one token each`() throws {
        let words = ["The", " quick", " brown", " information", "!", " \\u043c\\u0438\\u0440"]
        let stream = words.map { "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\($0)\"}}]}\n\n" }.joined()
        #expect(try record(.chatCompletions, isCut: true, stream).buckets.outputTotal == 6)
    }

    @Test func `sound, signatures and probabilities are no text`() throws {
        let data = String(repeating: "QUJD", count: 1000)
        for (event, text, sound) in [
            (#"{"type":"response.output_audio.delta","delta":"\#(data)"}"#, 0, 3),
            (#"{"choices":[{"index":0,"delta":{"audio":{"data":"\#(data)"}}}]}"#, 0, 3),
            (#"{"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"token":"\#(data)"}]}}]}"#, 1, 0),
        ] {
            let record = try record(.chatCompletions, isCut: true, "data: \(event)\n\n")
            #expect(
                record.buckets
                    == TokenBuckets(
                        inputUncached: record.buckets.inputUncached, outputVisible: Int64(text),
                        outputAudio: Int64(sound)),
                "\(event.prefix(60))")
        }
    }

    @Test func `a chunk of eight choices is eight tokens at least`() throws {
        let choices = (0..<8).map { "{\"index\":\($0),\"delta\":{\"content\":\"x\"}}" }.joined(separator: ",")
        let stream = String(repeating: "data: {\"choices\":[\(choices)]}\n\n", count: 25)
        let record = try record(
            .chatCompletions, request: #"{"model":"m","stream":true,"messages":[],"n":8}"#, isCut: true, stream)
        #expect(record.buckets.outputTotal == 200)
    }

    @Test func `text after the engine's last count is added by its size`() throws {
        let chunk = #"data: {"choices":[{"index":0,"delta":{"content":"TEXT"}}]USAGE}"# + "\n\n"
        let usage = #","usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}"#
        let stream =
            chunk.replacing("TEXT", with: "a").replacing("USAGE", with: usage)
            + chunk.replacing("TEXT", with: WrittenTextTests.long).replacing("USAGE", with: "")
        let record = try record(.chatCompletions, isCut: true, stream)
        #expect(abs(record.buckets.outputTotal - WrittenTextTests.tokens) < 20)
    }

    // MARK: Plain answers without usage

    @Test(arguments: [
        (Surface.chatCompletions, #"{"choices":[{"message":{"tool_calls":[{"custom":{"input":"TEXT"}}]}}]}"#),
        (.chatCompletions, #"{"choices":[{"message":{"reasoning_details":[{"text":"TEXT"}]}}]}"#),
        (.responses, #"{"output":[{"type":"custom_tool_call","input":"TEXT"}]}"#),
        (.messages, #"{"content":[{"type":"tool_use","name":"t","input":{"a":"TEXT"}}]}"#),
        (
            .geminiGenerate,
            #"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":"TEXT"}}}]}}]}"#
        ),
        (.geminiGenerate, #"{"candidates":[{"content":{"parts":[{"executableCode":{"code":"TEXT"}}]}}]}"#),
        (.bedrockConverse, #"{"output":{"message":{"content":[{"toolUse":{"input":{"a":["TEXT"]}}}]}}}"#),
        (.bedrockConverse, #"{"output":{"message":{"content":[{"citationsContent":{"content":[{"text":"TEXT"}]}}]}}}"#),
    ])
    func `an answer of nothing but calls is not free`(surface: Surface, answer: String) throws {
        let text = answer.replacing("TEXT", with: WrittenTextTests.long)
        let record = native(NativeFixture.read(text, NativeFixture.Answer(surface: surface)), surface)
        #expect(abs(record.buckets.outputTotal - WrittenTextTests.tokens) < 20, "\(record.buckets)")
        #expect(record.usageSource == .estimated)
    }

    private func native(_ facts: AnswerFacts, _ surface: Surface, isCut: Bool = false) -> AttemptRecord {
        let base = AttemptRecord(
            id: AttemptID(UUIDv7(milliseconds: 1, randomness: (1, 2))), backend: "b", upstreamModel: "m", priceKey: "p")
        return facts.attempts(
            completing: base, request: NativeFixture.request(surface), isCut: isCut, priceKey: { _ in nil },
            newID: { AttemptID(UUIDv7(milliseconds: 1, randomness: (3, 4))) })[0]
    }

    // MARK: Pictures and searches

    @Test func `pictures that a tool made are pictures`() throws {
        let item = #"{"type":"image_generation_call","id":"i","status":"completed","result":"AAAA"}"#
        let plain = try record(
            .responses, isStream: false, #"{"output":[\#(item),\#(item)],"usage":{"input_tokens":5,"output_tokens":9}}"#
        )
        #expect(plain.units.images == 2)
        let done = "data: {\"type\":\"response.output_item.done\",\"item\":\(item)}\n\n"
        let begun =
            "data: {\"type\":\"response.image_generation_call.partial_image\",\"partial_image_b64\":\"AA\"}\n\n"
        #expect(try record(.responses, isCut: true, done + done + done).units.images == 3)
        #expect(try record(.responses, isCut: true, done + begun).units.images == 2)
        let end = "data: {\"type\":\"response.completed\",\"response\":{\"output\":[\(item),\(item)]}}\n\n"
        #expect(try record(.responses, done + begun + done + end).units.images == 2)
    }

    @Test func `pictures of an invoked model are pictures`() throws {
        for answer in [#"{"images":["A","B","C"]}"#, #"{"artifacts":[{"base64":"A"},{"base64":"B"},{"base64":"C"}]}"#] {
            let facts = NativeFixture.read(answer, NativeFixture.Answer(surface: .bedrockInvoke))
            #expect(native(facts, .bedrockInvoke).units.images == 3)
        }
    }

    @Test func `searches that came before a client left are searches`() throws {
        let block = #"data: {"type":"content_block_start","index":1,"content_block":{"type":"web_search_tool_result"}}"#
        let stream = String(repeating: block + "\n\n", count: 5)
        #expect(try record(.messages, isCut: true, stream).units.searches == 5)
    }

    // MARK: What the client can write

    @Test(arguments: [
        #"{"text":"x","usage":{"type":"tokens","input_tokens":1,"output_tokens":1,"total_tokens":2}}"#,
        #"{"error":{"message":"overloaded","code":503}}"#,
        #"{"error":{"message":"x","type":"invalid_request_error"},"usage":{"seconds":1}}"#,
        "data: {\"type\":\"transcript.text.done\",\"usage\":{\"input_tokens\":1}}\n\n",
    ])
    func `what a transcript says is no word of the engine`(transcript: String) throws {
        for type in ["text/plain; charset=utf-8", "text/vtt", "application/x-subrip"] {
            var fixture = AnswerFixture(surface: .audioTranscriptions, request: #"{"model":"m","file":"a"}"#)
            fixture.contentType = type
            let facts = try fixture.read([Array(transcript.utf8)]).facts
            #expect(!facts.hasError && facts.usage == nil && facts.units.isEmpty, "\(type)")
        }
        var fixture = AnswerFixture(surface: .audioTranscriptions, request: #"{"model":"m","file":"a"}"#)
        fixture.contentType = "application/json"
        #expect(try fixture.read([Array(#"{"text":"x","usage":{"input_tokens":1}}"#.utf8)]).facts.usage != nil)
    }

    // MARK: Counts that stand for a beginning

    @Test(arguments: [(1, 1, 25_000), (8, 8, 2500), (4, 5, 2500), (3, 1, 800)])
    func `the first count of a Messages stream stands for no more text than it has tokens`(
        count: Int, deltas: Int, bytes: Int
    ) throws {
        let start = #"{"type":"message_start","message":{"id":"a","usage":{"input_tokens":9,"output_tokens":COUNT}}}"#
        let delta = #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"TEXT"}}"#
        var stream = "data: \(start.replacing("COUNT", with: "\(count)"))\n\n"
        for _ in 0..<deltas {
            stream += "data: \(delta.replacing("TEXT", with: String(repeating: "a", count: bytes)))\n\n"
        }
        let record = try record(.messages, isCut: true, stream)
        #expect(record.buckets.outputTotal == Int64(deltas * bytes / 4))
        let words = stream.replacing(String(repeating: "a", count: bytes), with: "a")
        #expect(try self.record(.messages, isCut: true, words).buckets.outputTotal == Int64(max(count, deltas)))
    }

    // MARK: What nobody can read

    @Test(arguments: [Surface.chatCompletions, .messages, .responses])
    func `an answer behind a byte-order mark is read`(surface: Surface) throws {
        let usage = surface == .chatCompletions ? "prompt_tokens" : "input_tokens"
        let answer = "\u{FEFF}" + #"{"id":"x","usage":{"USAGE":7,"output_tokens":5,"completion_tokens":5}}"#
        let record = try record(surface, isStream: false, answer.replacing("USAGE", with: usage))
        #expect(record.buckets.inputTotal == 7 && record.buckets.outputTotal == 5)
        let event = "\u{FEFF}data: " + #"{"choices":[{"index":0,"delta":{"content":"a"}}]}"# + "\n\n"
        #expect(try self.record(.chatCompletions, isCut: true, event).buckets.outputTotal == 1)
    }

    @Test func `an answer that is no JSON costs its bytes, and says that nobody could read it`() throws {
        let text = String(repeating: "plain words ", count: 100)
        for answer in [text, "<html>\(text)</html>", "\"\(text)\""] {
            let record = try record(.chatCompletions, isStream: false, answer)
            #expect(record.buckets.outputTotal == Int64((answer.utf8.count + 3) / 4))
            #expect(record.usageSource == .estimated)
        }
        #expect(try record(.chatCompletions, isStream: false, "").buckets.outputTotal == 0)
    }

    // MARK: Numbers and tiers that cannot be true

    @Test(arguments: ["9223372036854775807", "-9223372036854775808", "4611686018427387904"])
    func `counts beside the usage that are too large are nobody's`(count: String) throws {
        for usage in [#"{"completion_tokens":1}"#, "null", #"{"prompt_tokens":3,"completion_tokens":1}"#] {
            let timings = #"{"prompt_n":\#(count),"cache_n":\#(count),"predicted_n":1}"#
            let answer = #"{"choices":[{"text":"a"}],"usage":\#(usage),"timings":\#(timings)}"#
            #expect(try record(.chatCompletions, isStream: false, answer).buckets.inputTotal < 100)
        }
    }

    @Test func `an answer that calls itself a batch is none`() throws {
        let usage = #""usage":{"prompt_tokens":3,"completion_tokens":1}"#
        let record = try record(.chatCompletions, isStream: false, #"{"service_tier":"batch",\#(usage)}"#)
        #expect(record.tierServed == nil && record.notes.contains(.tierUnpriced))
    }
}
