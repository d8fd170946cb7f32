import Metering
import TestSupport
import Testing

@testable import Engines

/// A prompt that an answer repeats is none of what the model wrote.
@Suite struct EchoTests {
    private static let prompt = String(repeating: "a prompt of some length ", count: 20)

    private func attempt(
        _ request: String, text: String, usage: String = "", isStream: Bool = false, counted: Int64? = nil,
        surface: Surface = .completions
    ) throws -> AttemptRecord {
        let fixture = AnswerFixture(
            surface: surface, isStream: isStream,
            request: #"{"model":"m","stream":\#(isStream),"prompt":"\#(Self.prompt)"\#(request)}"#)
        let choice = #"{"index":0,"text":"\#(text)","finish_reason":"length"}"#
        let document = #"{"id":"c","object":"text_completion","choices":[\#(choice)]\#(usage)}"#
        let facts = try fixture.read(isStream ? "data: \(document)\n\ndata: [DONE]\n\n" : document).facts
        var own = OwnCounts()
        if let counted {
            own.input = 100
            own.isInputWhole = true
            own.output = OwnCounts.Output(visible: counted, reasoning: 0)
        }
        let base = AttemptRecord.example
        return facts.attempts(
            completing: base, request: try fixture.inferenceRequest(), isCut: false, own: own, priceKey: { $0 },
            newID: { base.id })[0]
    }

    private static let nothing = #","usage":{"prompt_tokens":100,"completion_tokens":0,"total_tokens":100}"#

    @Test(arguments: [nothing, #","usage":{"prompt_tokens":100,"total_tokens":100,"completion_tokens":0}"#, ""])
    func `a prompt that is repeated and nothing else is no output`(usage: String) throws {
        for isStream in [false, true] {
            let attempt = try attempt(
                #","echo":true,"max_tokens":0"#, text: Self.prompt, usage: usage, isStream: isStream)
            #expect(attempt.buckets.outputTotal == 0, "\(isStream) \(usage)")
            #expect(attempt.notes.isEmpty)
        }
    }

    @Test(arguments: [
        #","usage":{"prompt_tokens":100,"completion_tokens":3,"total_tokens":103}"#,
        #","usage":{"prompt_tokens":100,"completion_tokens":3}"#,
    ])
    func `the engine's count of what follows stands, whatever was counted with the prompt`(usage: String) throws {
        for isStream in [false, true] {
            let attempt = try attempt(
                #","echo":true,"max_tokens":3"#, text: Self.prompt + "and more", usage: usage, isStream: isStream,
                counted: 103)
            #expect(attempt.buckets.outputTotal == 3 && attempt.usageSource == .engine)
        }
    }

    @Test(arguments: [
        (#","echo":true"#, String(repeating: "w", count: 40), Int64(10)), ("", prompt, 120),
        (#","echo":false"#, prompt, 120), (#","echo":true"#, prompt + String(repeating: "w", count: 40), 10),
    ])
    func `without usage what was not repeated counts, and all of it where nothing was`(
        request: String, text: String, tokens: Int64
    ) throws {
        #expect(try attempt(request, text: text).buckets.outputTotal == tokens)
    }

    @Test func `an answer that comes out of nothing is still not free`() throws {
        let attempt = try attempt("", text: Self.prompt, usage: Self.nothing)
        #expect(attempt.buckets.outputTotal > 100 && attempt.notes.contains(.usageImplausible))
    }
}
