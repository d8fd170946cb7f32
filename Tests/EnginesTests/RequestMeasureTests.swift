import Metering
import TestSupport
import Testing

@testable import Engines

/// What is owed where the engine says nothing: no form of answer that a client may choose is free.
@Suite struct RequestMeasureTests {
    private func form(_ file: [UInt8], format: String? = nil, isStream: Bool = false) -> [UInt8] {
        func part(_ name: String, _ value: String) -> String {
            "--xyz\r\ncontent-disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n"
        }
        var head = part("model", "m") + (isStream ? part("stream", "true") : "")
        if let format { head += part("response_format", format) }
        head += "--xyz\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n"
        return Array(head.utf8) + file + Array("\r\n--xyz--\r\n".utf8)
    }

    private func attempt(
        _ body: [UInt8], answer: String, type: String = "application/json", surface: Surface = .audioTranscriptions,
        isCut: Bool = false, kind: EngineKind = .openAI
    ) throws -> AttemptRecord {
        let request = try body.withUnsafeBytes { try InferenceRequest(reading: $0, surface: surface) }
        let fixture = AnswerFixture(kind: kind, surface: surface)
        let meter = AnswerMeter(
            request: request, backend: fixture.backend, status: 200,
            headers: AnswerFixture.Headers(fields: ["content-type": type]))
        if meter.framing == .plain {
            Array(answer.utf8).withUnsafeBytes { meter.read(piece: $0) }
        } else {
            for event in answer.split(separator: "\n\n") {
                _ = Array("\(event)\n\n".utf8).withUnsafeBytes { meter.read(event: $0) }
            }
        }
        meter.finish()
        let base = AttemptRecord.example
        return meter.facts.attempts(
            completing: base, request: request, isCut: isCut, priceKey: { $0 }, newID: { base.id })[0]
    }

    @Test(arguments: ["text", "srt", "vtt", "json"])
    func `a transcription costs its sound, in whatever form it comes`(format: String) throws {
        let answers = [
            "text": "Hello, keeper.", "srt": "1\n00:00:00,000 --> 00:00:00,700\nHello\n", "vtt": "WEBVTT\n\nHello",
            "json": #"{"text":"Hello"}"#,
        ]
        for sample in [SoundSamples.flac, SoundSamples.oggOpus] {
            let attempt = try attempt(
                form(sample, format: format), answer: answers[format] ?? "", type: "text/plain")
            #expect(attempt.units == UsageUnits(audioMilliseconds: 700))
            #expect(attempt.usageSource == .counted)
            #expect(attempt.usageComplete)
            #expect(attempt.contradiction == nil)
        }
    }

    @Test func `an engine's own length wins where the file does not speak against it`() throws {
        // 700 ms: a tenth and a second more or less is the engine's way of counting.
        for (seconds, expected) in [("1", 1000), ("0.7", 700), ("1.7", 1700), ("0.1", 100)] as [(String, Int64)] {
            let said = try attempt(form(SoundSamples.flac), answer: #"{"text":"x","duration":\#(seconds)}"#)
            #expect(said.units.audioMilliseconds == expected)
            #expect(said.usageSource == .engine)
            #expect(said.notes == [])
        }
    }

    @Test func `an engine that believed a lying header is not believed`() throws {
        // Twenty seconds of sound, of which the engine heard 50 ms.
        let long = [[UInt8]](repeating: SoundSamples.layerTwo, count: 28).flatMap { $0 }
        let low = try attempt(form(long), answer: #"{"text":"x","usage":{"type":"duration","seconds":1}}"#)
        #expect(low.units.audioMilliseconds == 28 * 720)
        #expect(low.usageSource == .counted)
        #expect(low.notes == .usageImplausible)
        // More than the file says, but no more than its bytes can hold.
        let high = try attempt(form(long), answer: #"{"text":"x","duration":40}"#)
        #expect(high.units.audioMilliseconds == 40_000)
        #expect(high.notes == .mediaImplausible)
        let absurd = try attempt(form(long), answer: #"{"text":"x","duration":20160000}"#)
        #expect(absurd.units.audioMilliseconds == 28 * 720)
        #expect(absurd.notes == .usageImplausible)
    }

    @Test func `a file that nobody can read is in suspense where the engine is silent`() throws {
        for file in [[], Array("what is this".utf8), Array("FORM____AIFF".utf8)] as [[UInt8]] {
            let silent = try attempt(form(file), answer: "Hello", type: "text/plain")
            #expect(silent.contradiction != nil)
            #expect(!silent.usageComplete)
            let said = try attempt(form(file), answer: #"{"text":"x","duration":12.5}"#)
            #expect(said.units.audioMilliseconds == 12_500)
            #expect(said.contradiction == nil)
        }
    }

    @Test func `a transcription in tokens costs tokens, and none reported are none`() throws {
        let tokens = try attempt(
            form(SoundSamples.flac), answer: #"{"text":"x","usage":{"input_tokens":34,"output_tokens":4}}"#)
        #expect(tokens.units.audioMilliseconds == 0)
        #expect(tokens.buckets.inputTotal == 34)
        let zeros = try attempt(
            form(SoundSamples.flac), answer: #"{"text":"x","usage":{"input_tokens":0,"output_tokens":0}}"#)
        #expect(zeros.units.audioMilliseconds == 700)
    }

    @Test func `a streamed transcription costs its sound, cut short or not`() throws {
        let stream = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"Hel\"}\n\n"
        for isCut in [true, false] {
            let attempt = try attempt(
                form(SoundSamples.flac, isStream: true), answer: stream, type: "text/event-stream", isCut: isCut)
            #expect(attempt.units.audioMilliseconds == 700)
            #expect(attempt.usageSource == .counted)
            #expect(attempt.usageComplete == !isCut)
        }
    }

    @Test func `two files in one form are refused`() throws {
        let one = form(SoundSamples.flac)
        let two = one.dropLast(9) + form(SoundSamples.oggOpus)
        #expect(throws: RequestError.self) {
            try Array(two).withUnsafeBytes { try InferenceRequest(reading: $0, surface: .audioTranscriptions) }
        }
    }

    @Test(
        arguments: [
            (#"{"id":"1"}"#, 3, UsageSource.counted), (#"{"created":1,"data":[]}"#, 0, .counted),
            (#"{"data":[{"url":"a"},{"url":"b"}]}"#, 2, .engine), ("\u{89}PNG", 3, .counted),
        ] as [(String, Int64, UsageSource)])
    func `pictures are those that came, or those asked for`(answer: String, images: Int64, source: UsageSource) throws {
        let attempt = try attempt(
            Array(#"{"model":"m","prompt":"a cat","n":3}"#.utf8), answer: answer, surface: .imageGenerations)
        #expect(attempt.units == UsageUnits(images: images))
        #expect(attempt.usageSource == source)
    }

    @Test func `of a stream of pictures that is cut those count that came, and the one that was coming`() throws {
        let stream =
            #"data: {"type":"image_generation.completed","b64_json":"AA"}"# + "\n\n"
            + #"data: {"type":"image_generation.partial_image","b64_json":"AA"}"# + "\n\n"
        let attempt = try attempt(
            Array(#"{"model":"m","prompt":"a cat","n":3,"stream":true}"#.utf8), answer: stream,
            type: "text/event-stream", surface: .imageGenerations, isCut: true)
        #expect(attempt.units.images == 2)
        #expect(!attempt.usageComplete)
    }

    @Test(arguments: [(1, 1), (100, 1), (101, 2), (0, 1)] as [(Int, Int64)])
    func `a ranking without counts costs a search for each hundred documents`(documents: Int, searches: Int64) throws {
        let list = Array(repeating: #""a""#, count: documents).joined(separator: ",")
        let body = Array(#"{"model":"m","query":"q","documents":[\#(list)]}"#.utf8)
        for answer in [#"{"results":[]}"#, #"[{"index":0,"score":0.5}]"#, #"{"usage":{"total_tokens":0}}"#] {
            let attempt = try attempt(body, answer: answer, surface: .rerank)
            #expect(attempt.units == UsageUnits(searches: searches))
            #expect(attempt.usageSource == .counted)
        }
    }
}
