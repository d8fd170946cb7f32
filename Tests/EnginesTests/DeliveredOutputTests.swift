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
}
