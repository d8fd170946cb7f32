import Metering
import TestSupport
import Testing

@testable import Engines

/// The text that a model wrote, as counting gets to see it.
struct AnswerTextTests {
    /// An answer of one dialect, and what was written in it.
    struct Sample: CustomTestStringConvertible, Sendable {
        let name: String
        let surface: Surface
        var framing = AnswerFraming.serverSentEvents
        let documents: [String]
        /// Kind, and the text, in the order of their beginnings.
        let texts: [String]
        var testDescription: String { name }
    }

    private static func text(_ kind: AnswerTextKey.Kind, _ text: String) -> String { "\(kind): \(text)" }

    static let samples: [Sample] = [
        Sample(
            name: "chat", surface: .chatCompletions,
            documents: [
                #"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
                #"{"choices":[{"index":0,"delta":{"reasoning_content":"hm","reasoning":"hm"}}]}"#,
                #"{"choices":[{"index":0,"delta":{"content":"one \u00e9\n"}},{"index":1,"delta":{"content":"zwei"}}]}"#,
                #"{"choices":[{"delta":{"content":" drei"},"index":1}]}"#,
                #"{"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"two"}]}}],"usage":null}"#,
                #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"f"}}]}}]}"#,
                #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}}]}"#,
                #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}]}}]}"#,
                "[DONE]",
            ],
            texts: [
                text(.reasoning, "hm"), text(.visible, "one é\ntwo"), text(.visible, "zwei drei"),
                text(.callName, "f"), text(.callArguments, "{}"), text(.callArguments, #"{"a":1}"#),
            ]),
        Sample(
            name: "completion", surface: .completions, framing: .plain,
            documents: [#"{"choices":[{"text":"a","index":0},{"text":"b","index":1}],"usage":null}"#],
            texts: [text(.visible, "a"), text(.visible, "b")]),
        Sample(
            name: "chat, plain", surface: .chatCompletions, framing: .plain,
            documents: [
                #"{"choices":[{"index":0,"message":{"role":"assistant","reasoning":"so","content":"it \"is\"","#
                    + #""tool_calls":[{"id":"x","function":{"name":"g","arguments":"{}"}}]}}]}"#
            ],
            texts: [
                text(.reasoning, "so"), text(.visible, #"it "is""#), text(.callName, "g"), text(.callArguments, "{}"),
            ]),
        Sample(
            name: "responses", surface: .responses,
            documents: [
                #"{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","name":"f"}}"#,
                #"{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"hm"}"#,
                #"{"delta":"a","output_index":2,"content_index":0,"type":"response.output_text.delta"}"#,
                #"{"type":"response.output_text.delta","output_index":2,"content_index":0,"delta":"b"}"#,
                #"{"type":"response.output_text.done","output_index":2,"content_index":0,"text":"ab"}"#,
                #"{"type":"response.audio.delta","delta":"AAAA"}"#,
                #"{"type":"response.function_call_arguments.delta","output_index":1,"delta":"{}"}"#,
                #"{"type":"response.completed","response":{"output":[{"content":[{"text":"ab"}]}]}}"#,
            ],
            texts: [
                text(.callName, "f"), text(.reasoning, "hm"), text(.visible, "ab"), text(.callArguments, "{}"),
            ]),
        Sample(
            name: "messages", surface: .messages,
            documents: [
                #"{"type":"message_start","message":{"id":"m","content":[]}}"#,
                #"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
                #"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
                #"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"xyz"}}"#,
                #"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
                #"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"hi"}}"#,
                #"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f"}}"#,
                #"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
            ],
            texts: [
                text(.reasoning, "hm"), text(.visible, "hi"), text(.callName, "f"), text(.callArguments, "{}"),
            ]),
        Sample(
            name: "messages, plain", surface: .messages, framing: .plain,
            documents: [
                #"{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"},"#
                    + #"{"type":"tool_use","name":"f","input":{"x": 1}}],"usage":{}}"#
            ],
            texts: [
                text(.visible, "a"), text(.visible, "b"), text(.callName, "f"), text(.callArguments, #"{"x": 1}"#),
            ]),
        Sample(
            name: "TGI", surface: .tgiGenerate,
            documents: [
                #"{"token":{"id":1,"text":" a","special":false},"generated_text":null}"#,
                #"{"token":{"id":2,"text":" b","special":false},"generated_text":null}"#,
                #"{"token":{"id":3,"text":"</s>","special":true},"generated_text":" a b"}"#,
            ], texts: [text(.visible, " a b")]),
        Sample(
            name: "TGI, plain", surface: .tgiGenerate, framing: .plain,
            documents: [#"[{"generated_text":"a b","details":{"generated_tokens":2}}]"#],
            texts: [text(.visible, "a b")]),
        Sample(
            name: "Triton", surface: .tritonGenerate,
            documents: [#"{"text_output":"a"}"#, #"{"text_output":["b"]}"#], texts: [text(.visible, "ab")]),
        Sample(
            name: "Gemini", surface: .geminiGenerate, framing: .jsonArray,
            documents: [
                #"[{"candidates":[{"content":{"parts":[{"text":"a"}]},"index":0}]}"#,
                #",{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"x":1}}}]},"index":0}]}"#,
            ], texts: [text(.visible, "a"), text(.callName, "f"), text(.callArguments, #"{"x":1}"#)]),
    ]

    /// The texts that a reader finds, each under its key, in the order of their beginnings.
    private func texts(_ reader: inout AnswerTextReader) -> (inout [(AnswerTextKey, [UInt8])]) -> Void {
        var found: [(AnswerTextKey, [UInt8])] = []
        reader.drain { found.append(($0, Array($1))) }
        return { all in
            for (key, bytes) in found {
                if let index = all.firstIndex(where: { $0.0 == key }) {
                    all[index].1 += bytes
                } else {
                    all.append((key, bytes))
                }
            }
        }
    }

    private func shown(_ texts: [(AnswerTextKey, [UInt8])]) -> [String] {
        texts.map { "\($0.0.kind): \(String(decoding: $0.1, as: UTF8.self))" }
    }

    @Test(arguments: samples)
    func `each text of an answer is found, and each apart`(sample: Sample) throws {
        var reader = try #require(AnswerTextReader(of: sample.surface, framing: sample.framing))
        var all: [(AnswerTextKey, [UInt8])] = []
        for document in sample.documents {
            let bytes = Array((sample.framing == .serverSentEvents ? "data: \(document)\n\n" : document).utf8)
            bytes.withUnsafeBytes { bytes in
                if sample.framing == .plain { reader.read(piece: bytes) } else { reader.read(event: bytes) }
            }
            texts(&reader)(&all)
        }
        if sample.framing == .plain { reader.finishDocument() }
        texts(&reader)(&all)
        #expect(shown(all) == sample.texts)
        #expect(reader.isWhole)
    }

    @Test(arguments: samples.filter { $0.framing == .plain })
    func `a plain answer in any pieces has the same texts, and one that breaks off those that came`(
        sample: Sample
    ) throws {
        let bytes = Array(sample.documents[0].utf8)
        for cut in 0...bytes.count {
            var reader = try #require(AnswerTextReader(of: sample.surface, framing: .plain))
            bytes[..<cut].withUnsafeBytes { reader.read(piece: $0) }
            var broken = reader
            bytes[cut...].withUnsafeBytes { reader.read(piece: $0) }
            reader.finishDocument()
            broken.finishDocument()
            var whole: [(AnswerTextKey, [UInt8])] = []
            var part: [(AnswerTextKey, [UInt8])] = []
            texts(&reader)(&whole)
            texts(&broken)(&part)
            #expect(shown(whole) == sample.texts)
            #expect(part.count <= whole.count)
            for (index, text) in part.dropLast().enumerated() { #expect(text.1 == whole[index].1) }
        }
    }

    @Test func `where somebody counts, a meter hands over the text; else it looks for none`() throws {
        let body = Array(#"{"model":"m","messages":[],"stream":true}"#.utf8)
        let request = try body.withUnsafeBytes { try InferenceRequest(reading: $0, surface: .chatCompletions) }
        let event = Array("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n".utf8)
        for counts in [true, false] {
            let meter = AnswerMeter(
                request: request, backend: AnswerFixture().backend, status: 200,
                headers: AnswerFixture.Headers(fields: ["content-type": "text/event-stream"]))
            if counts { meter.beginText(of: request) }
            #expect(event.withUnsafeBytes { meter.read(event: $0) } == .content)
            var text: [UInt8] = []
            meter.takeText { text += Array($1) }
            #expect(String(decoding: text, as: UTF8.self) == (counts ? "hi" : ""))
            #expect(meter.isTextWhole == counts)
        }
    }

    @Test func `text that is too long to be kept is said to be missing`() throws {
        var reader = try #require(AnswerTextReader(of: .completions, framing: .plain))
        let long = String(repeating: "x", count: AnswerTextParts.textBytesMax + 1)
        Array("{\"choices\":[{\"text\":\"\(long)\"}]}".utf8).withUnsafeBytes { reader.read(piece: $0) }
        reader.finishDocument()
        #expect(!reader.isWhole)
    }
}
