import Metering
import TestSupport
import Testing

@testable import Engines

@Suite struct ModelSpliceTests {
    private static func name(
        _ model: String, _ settings: BackendSettings = BackendSettings()
    ) throws -> AnswerModelName? {
        var body = Array(#"{"messages":[],"model":"#.utf8)
        JSONString.append(model, to: &body)
        body.append(UInt8(ascii: "}"))
        let request = try body.withUnsafeBytes { try InferenceRequest(reading: $0, surface: .chatCompletions) }
        let backend = Backend(
            name: "b", isTLS: false, host: "h", port: 1, basePath: "", apiKey: nil, settings: settings)
        return AnswerModelName(of: request, backend: backend)
    }

    private func spliced(_ text: String, cutAt cuts: [Int] = [], as model: String = "mine") throws -> String {
        var splice = ModelSplice(try #require(try Self.name(model)))
        let bytes = Array(text.utf8)
        var output: [UInt8] = []
        var start = 0
        for cut in cuts + [bytes.count] {
            Array(bytes[start..<cut]).withUnsafeBytes { splice.pass($0) { output.append(contentsOf: $0) } }
            start = cut
        }
        splice.finish { output.append(contentsOf: $0) }
        return String(decoding: output, as: UTF8.self)
    }

    private static let cases = [
        (
            #"{"id":"a","model":"engine/x","choices":[{"model":"no","text":"\"model\":\"no\""}]}"#,
            #"{"id":"a","model":"mine","choices":[{"model":"no","text":"\"model\":\"no\""}]}"#
        ),
        (
            "data: {\"type\":\"response.completed\",\"response\":{\"model\" : \"engine\",\"output\":[]}}\n\n",
            "data: {\"type\":\"response.completed\",\"response\":{\"model\" : \"mine\",\"output\":[]}}\n\n"
        ),
        (
            "event: message_start\ndata: {\"message\":{\"usage\":{},\"model\":\"e\"},\"type\":\"x\"}\n\n",
            "event: message_start\ndata: {\"message\":{\"usage\":{},\"model\":\"mine\"},\"type\":\"x\"}\n\n"
        ),
        (#"{"mod\u0065l":"engine\"\\","x":1}"#, #"{"mod\u0065l":"mine","x":1}"#),
        (#"{"model":null,"data":[],"model":""}"#, #"{"model":null,"data":[],"model":"mine"}"#),
        (#"{"model":{"model":"x"},"response":"model"}"#, #"{"model":{"model":"x"},"response":"model"}"#),
        (#"{"model":"unfini"#, #"{"model":"unfini"#), ("no JSON at all", "no JSON at all"), ("", ""),
    ]

    @Test(arguments: cases)
    func `the name is put in wherever the document is cut`(text: String, expected: String) throws {
        #expect(try spliced(text) == expected)
        let count = text.utf8.count
        for first in 0...count {
            #expect(try spliced(text, cutAt: [first]) == expected, "\(first)")
            for second in stride(from: first, through: count, by: 7) {
                #expect(try spliced(text, cutAt: [first, second]) == expected, "\(first), \(second)")
            }
        }
        #expect(try spliced(text, cutAt: Array(0..<count)) == expected)
    }

    @Test func `a name that is none stays, however long, in any pieces`() throws {
        let text = #"{"model":"\#(String(repeating: "x", count: 5000))","a":1}"#
        #expect(try spliced(text) == text)
        #expect(try spliced(text, cutAt: Array(stride(from: 0, to: 5000, by: 100))) == text)
    }

    @Test func `an equal name changes nothing, and any name is written as JSON has it`() throws {
        let text = #"{"model":"mine","b":2}"#
        #expect(try spliced(text) == text)
        #expect(try spliced(#"{"model":"x"}"#, as: "a \"b\"\\ü") == #"{"model":"a \"b\"\\ü"}"#)
        let name = try #require(try Self.name("mine"))
        #expect(!Array(#""mine""#.utf8).withUnsafeBytes { name.differs(from: $0) })
        for other in [#""mine2""#, #""Mine""#, #""""#, #""m\u0069ne""#] {
            #expect(Array(other.utf8).withUnsafeBytes { name.differs(from: $0) })
        }
    }

    @Test func `a backend may keep its own names`() throws {
        var settings = BackendSettings()
        settings.answersUpstreamModel = true
        #expect(try Self.name("mine", settings) == nil)
    }
}
