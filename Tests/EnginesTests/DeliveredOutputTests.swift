import Identity
import Metering
import Testing

@testable import Engines

/// What was delivered is billed, whatever the engine reports of it.
@Suite struct DeliveredOutputTests {
    private func stream(
        events: Int, choices: Int = 1, usage: String?, request: String = #"{"model":"m","stream":true,"messages":[]}"#
    ) throws -> AttemptRecord {
        var text = ""
        for index in 0..<events {
            text += "data: {\"choices\":[{\"index\":\(index % choices),\"delta\":{\"content\":\"x\"}}]}\n\n"
        }
        for choice in 0..<choices {
            text += "data: {\"choices\":[{\"index\":\(choice),\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
        }
        if let usage { text += "data: {\"choices\":[],\"usage\":\(usage)}\n\n" }
        text += "data: [DONE]\n\n"
        let fixture = AnswerFixture(isStream: true, request: request)
        let reading = try fixture.read([Array(text.utf8)])
        return try records(reading.facts, fixture)[0]
    }

    private func records(_ facts: AnswerFacts, _ fixture: AnswerFixture) throws -> [AttemptRecord] {
        let base = AttemptRecord(
            id: AttemptID(UUIDv7(milliseconds: 1, randomness: (1, 2))), backend: "b", upstreamModel: "m", priceKey: "p")
        return facts.attempts(
            completing: base, request: try fixture.inferenceRequest(), isCut: false, priceKey: { _ in nil },
            newID: { AttemptID(UUIDv7(milliseconds: 1, randomness: (3, 4))) })
    }

    private func usage(_ output: Int) -> String {
        #"{"prompt_tokens":5,"completion_tokens":\#(output),"total_tokens":\#(5 + output)}"#
    }

    @Test(arguments: [(100, 20), (60, 1), (18, 1), (1200, 1000)])
    func `far more events than reported tokens are what is billed`(events: Int, reported: Int) throws {
        let record = try stream(events: events, usage: usage(reported))
        #expect(record.buckets.outputTotal == Int64(events))
        #expect(record.buckets.inputTotal == 5)
        #expect(record.usageSource == .counted)
        #expect(record.notes.contains(.outputUnderreported))
    }

    @Test(arguments: [(100, 100), (100, 90), (1090, 1000), (16, 1), (20, 5), (1, 300)])
    func `few events more than tokens, or fewer, are the engine's affair`(events: Int, reported: Int) throws {
        let record = try stream(events: events, usage: usage(reported))
        #expect(record.buckets.outputTotal == Int64(reported))
        #expect(record.usageSource == .engine)
        #expect(record.notes.isDisjoint(with: [.outputUnderreported, .choicesExceeded]))
    }

    @Test func `sixteen answers reported as one are sixteen`() throws {
        let record = try stream(
            events: 16 * 20, choices: 16, usage: usage(20),
            request: #"{"model":"m","stream":true,"messages":[],"n_cmpl":16}"#)
        #expect(record.buckets.outputTotal == 320)
        #expect(record.usageSource == .counted)
        #expect(!record.notes.contains(.choicesExceeded))
    }

    @Test(arguments: [("", 2, true), (#","n":3"#, 3, false), (#","n":3"#, 4, true), (#","best_of":4"#, 4, false)])
    func `more choices than were asked for are marked`(members: String, choices: Int, isMarked: Bool) throws {
        let request = #"{"model":"m","stream":true,"messages":[]\#(members)}"#
        let record = try stream(events: choices, choices: choices, usage: usage(choices), request: request)
        #expect(record.notes.contains(.choicesExceeded) == isMarked)
        let each = #"{"index":0,"message":{"content":"x"},"finish_reason":"stop"}"#
        let plain = AnswerFixture(request: request)
        let answer = #"{"choices":[\#(Array(repeating: each, count: choices).joined(separator: ","))]}"#
        let record2 = try records(try plain.read([Array(answer.utf8)]).facts, plain)[0]
        #expect(record2.notes.contains(.choicesExceeded) == isMarked)
    }

    // MARK: llama.cpp's usage of one choice

    /// A plain answer as llama.cpp writes it: all choices, and the usage and the timings of the first.
    private func llama(
        _ texts: [String], request: String, surface: Surface = .chatCompletions, reported: Int = 12, timed: Int? = 12
    ) throws -> AttemptRecord {
        let choices = texts.enumerated().map { index, text in
            surface == .completions
                ? #"{"text":"\#(text)","index":\#(index),"logprobs":null,"finish_reason":"length"}"#
                : #"{"finish_reason":"length","index":\#(index),"message":{"role":"assistant","content":"\#(text)"}}"#
        }
        let timings = timed.map { #","timings":{"cache_n":0,"prompt_n":33,"predicted_n":\#($0)}"# } ?? ""
        let text =
            #"{"choices":[\#(choices.joined(separator: ","))],"usage":{"completion_tokens":\#(reported),"#
            + #""prompt_tokens":33,"total_tokens":\#(33 + reported)}\#(timings)}"#
        let fixture = AnswerFixture(surface: surface, request: request)
        return try records(try fixture.read([Array(text.utf8)]).facts, fixture)[0]
    }

    @Test(arguments: [#""n":2"#, #""n_cmpl":2"#, #""n":1,"n_cmpl":2"#])
    func `a plain answer with the usage of its first choice is billed for all of them`(member: String) throws {
        let record = try llama(
            [String(repeating: "a", count: 48), String(repeating: "b", count: 400)],
            request: #"{"model":"m","messages":[],\#(member)}"#)
        #expect(record.buckets.outputTotal == 112)
        #expect(record.buckets.inputTotal == 33)
        #expect(record.usageSource == .estimated)
        #expect(record.notes.contains(.outputUnderreported))
    }

    @Test func `short choices are never billed below what the engine counted of the first`() throws {
        let record = try llama(["a", "b"], request: #"{"model":"m","messages":[],"n":2}"#)
        #expect(record.buckets.outputTotal == 12)
    }

    @Test func `several prompts with the usage of the first are all input`() throws {
        let long = String(repeating: "word ", count: 400)
        let record = try llama(
            ["one", "two"], request: #"{"model":"m","prompt":["a","\#(long)"]}"#, surface: .completions)
        #expect(record.buckets.inputTotal >= 500)
        #expect(record.notes.contains(.outputUnderreported))
    }

    @Test func `a single choice, and a usage of more than the timed one, are believed`() throws {
        let one = try llama([String(repeating: "a", count: 480)], request: #"{"model":"m","messages":[]}"#)
        #expect(one.buckets.outputTotal == 12 && one.usageSource == .engine)
        let two = #"{"model":"m","messages":[],"n":2}"#
        let all = try llama([String(repeating: "a", count: 40), "b"], request: two, reported: 24)
        #expect(all.buckets.outputTotal == 24 && all.usageSource == .engine)
        let untimed = try llama([String(repeating: "a", count: 40), "b"], request: two, timed: nil)
        #expect(untimed.buckets.outputTotal == 12 && untimed.usageSource == .engine)
    }

    @Test func `a stream's usage of each prompt adds up, that of each choice of a prompt does not`() throws {
        func input(_ request: String, choices: Int, prompts: [Int]) throws -> Int64 {
            var text = ""
            for choice in 0..<choices {
                text += "data: {\"choices\":[{\"index\":\(choice),\"text\":\"x\",\"finish_reason\":\"stop\"}]}\n\n"
                let prompt = prompts[choice % prompts.count]
                text += "data: {\"choices\":[],\"usage\":{\"completion_tokens\":\(3 + choice),"
                text += "\"prompt_tokens\":\(prompt),\"total_tokens\":\(prompt + 3 + choice)}}\n\n"
            }
            text += "data: [DONE]\n\n"
            let fixture = AnswerFixture(surface: .completions, isStream: true, request: request)
            let record = try records(try fixture.read([Array(text.utf8)]).facts, fixture)[0]
            let output = (0..<choices).map { Int64(3 + $0) }.reduce(0, +)
            #expect(record.buckets.outputTotal == output)
            return record.buckets.inputTotal
        }
        let two = #"{"model":"m","stream":true,"prompt":["aaaa","bbbb"]}"#
        #expect(try input(two, choices: 2, prompts: [5, 900]) == 905)
        #expect(
            try input(#"{"model":"m","stream":true,"prompt":["a","b"],"n":2}"#, choices: 4, prompts: [5, 90]) == 95)
        #expect(try input(#"{"model":"m","stream":true,"prompt":"aaaa","n":2}"#, choices: 2, prompts: [5]) == 5)
    }
}
