import EngineSimulator
import FoundationEssentials
import Testing

/// Pictures, sound and rankings.
@Suite(.timeLimit(.minutes(10)))
struct MediaTests {
    @Test func `pictures are counted, and their tokens in the usage`() async throws {
        try await withSimulator("image_tokens=50") { simulator in
            let body = #"{"model":"m","prompt":"a red door","n":3}"#
            let json = try await RawClient.post(simulator.port, "/v1/images/generations", body).json()
            #expect(json["data"].elements.count == 3)
            #expect(json["usage"]["output_tokens"].int == 150)
            #expect(json["usage"]["total_tokens"].int == 154)
            let old = try await RawClient.post(
                simulator.port, "/v1/images/generations", body, settings: "usage=missing"
            ).json()
            #expect(old["usage"] == .null)
            let lines = simulator.requests()
            #expect(lines.map(\.images) == [3, 3])
            #expect(lines.map(\.completionTokensProduced) == [150, 150])
        }
    }

    @Test func `a streamed picture is shown unfinished first, and counted when it is done`() async throws {
        try await withSimulator("image_tokens=50") { simulator in
            let body = #"{"model":"m","prompt":"a red door","stream":true,"partial_images":2}"#
            let answer = try await RawClient.post(simulator.port, "/v1/images/generations", body)
            let names = answer.namedEvents.map(\.name)
            #expect(
                names == Array(repeating: "image_generation.partial_image", count: 2) + ["image_generation.completed"])
            let done = try JSONProbe(try #require(answer.namedEvents.last?.data))
            #expect(done["usage"]["output_tokens"].int == 50)
            #expect(try await simulator.onlyLine().completionTokensSent == 50)
        }
    }

    private func form(_ fields: [String: String], sound: Int) -> (type: String, body: String) {
        var body = ""
        for (name, value) in fields {
            body += "--cut\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n"
        }
        body += "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n"
        body += "Content-Type: audio/wav\r\n\r\n" + String(repeating: "s", count: sound) + "\r\n--cut--\r\n"
        return ("multipart/form-data; boundary=cut", body)
    }

    private func transcribe(
        _ simulator: RunningSimulator, _ fields: [String: String], settings: String = ""
    ) async throws -> RawAnswer {
        let (type, body) = form(fields.merging(["model": "m"]) { $1 }, sound: 64_000)
        return try await RawClient.post(
            simulator.port, "/v1/audio/transcriptions", body, headers: ["content-type": type], settings: settings)
    }

    @Test func `a transcription counts the sound, in tokens or in seconds`() async throws {
        try await withSimulator("completion_tokens=4,text=w") { simulator in
            let tokens = try await transcribe(simulator, ["prompt": "two words"]).json()
            #expect(tokens["text"].string == "wwww")
            // 64,000 bytes are two seconds, twenty tokens; the prompt is three.
            #expect(tokens["usage"]["input_tokens"].int == 23)
            #expect(tokens["usage"]["input_token_details"]["audio_tokens"].int == 20)
            #expect(tokens["usage"]["output_tokens"].int == 4)
            let seconds = try await transcribe(simulator, [:], settings: "transcription_usage=duration").json()
            #expect(seconds["usage"]["seconds"].int == 2)
            let verbose = try await transcribe(simulator, ["response_format": "verbose_json"]).json()
            #expect(verbose["duration"].int == 2)
            #expect(try await transcribe(simulator, ["response_format": "text"]).body == "wwww\n")
            let stream = try await transcribe(simulator, ["stream": "true"])
            #expect(stream.events.last == "[DONE]")
            let done = try JSONProbe(try #require(stream.events.dropLast().last))
            #expect(done["type"].string == "transcript.text.done")
            #expect(done["usage"]["total_tokens"].int == 24)
            #expect(simulator.requests().allSatisfy { $0.audioMilliseconds == 2000 })
            #expect(simulator.requests().map(\.promptAudioTokens) == [20, 20, 20, 20, 20])
        }
    }

    @Test func `speech is bytes without a usage, or events with one`() async throws {
        try await withSimulator("completion_tokens=4") { simulator in
            let body = #"{"model":"m","input":"Grüß Gott","voice":"x""#
            let sound = try await RawClient.post(simulator.port, "/v1/audio/speech", body + "}")
            #expect(sound.headers["content-type"] == "audio/mpeg")
            #expect(sound.isComplete)
            #expect(sound.bytes.count == 640)
            let events = try await RawClient.post(
                simulator.port, "/v1/audio/speech", body + #","stream_format":"sse"}"#)
            let done = try JSONProbe(try #require(events.events.last))
            #expect(done["usage"]["output_tokens"].int == 4)
            for line in simulator.requests() {
                #expect(line.characters == 9)
                #expect(line.audioMilliseconds == 80)
                #expect(line.completionTokensSent == 4)
            }
            #expect(simulator.requests().map(\.streamed) == [false, true])
        }
    }

    @Test func `a ranking is by score, cut at its top, and counts tokens or searches`() async throws {
        try await withSimulator { simulator in
            let body = #"{"model":"m","query":"q w","documents":["a","b c",{"text":"d"}],"top_n":2}"#
            let json = try await RawClient.post(simulator.port, "/v1/rerank", body).json()
            let results = json["results"].elements
            #expect(results.count == 2)
            guard case .number(let first) = results[0]["relevance_score"],
                case .number(let second) = results[1]["relevance_score"]
            else { return #expect(Bool(false), "no scores") }
            #expect(first >= second)
            #expect(json["usage"]["prompt_tokens"].int == 3 * 3 + 2 + 3 + 2)
            let cohere = try await RawClient.post(simulator.port, "/v2/rerank", body, settings: "flavour=cohere").json()
            #expect(cohere["meta"]["billed_units"]["search_units"].int == 1)
            #expect(simulator.requests().map(\.searches) == [1, 1])
            #expect(simulator.requests().map(\.completionTokensProduced) == [0, 0])
        }
    }
}
