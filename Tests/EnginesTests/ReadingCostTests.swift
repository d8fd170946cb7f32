import Metering
import Testing

@testable import Engines

/// Reading is linear in the bytes, whatever they hold: counted in steps, not in time.
@Suite struct ReadingCostTests {
    private static let half = 1 << 20

    /// Body of about so many bytes, of `head`, as many of `element` (which gets its number) as fit, and `tail`.
    private static func body(
        _ bytes: Int, _ head: String, _ tail: String, separator: String = ",", element: (Int) -> String
    ) -> [UInt8] {
        var text = Array(head.utf8)
        var number = 0
        while text.count < bytes {
            if number > 0 { text += separator.utf8 }
            text += element(number).utf8
            number += 1
        }
        return text + Array(tail.utf8)
    }

    private static func name(_ length: Int) -> String { String(repeating: #"\u006d"#, count: length) }

    private static let chats: [(String, @Sendable (Int) -> [UInt8])] = [
        ("metadata", { body($0, #"{"model":"m","metadata":{"#, "}}") { "\"k\($0)\":\"v\"" } }),
        ("members", { body($0, #"{"model":"m","#, "}") { "\"k\($0)\":0" } }),
        ("short escaped members", { body($0, #"{"model":"m","#, "}") { #""\u006\#($0 % 10)":0"# } }),
        ("one escaped name", { Array("{\"model\":\"m\",\"\(name($0 / 6))\":0}".utf8) }),
        ("escaped names inside", { Array("{\"model\":\"m\",\"messages\":[{\"\(name($0 / 6))\":0}]}".utf8) }),
        (
            "escaped name in stream_options",
            { Array("{\"model\":\"m\",\"stream_options\":{\"\(name($0 / 6))\":0}}".utf8) }
        ),
        ("names that nearly fold", { body($0, #"{"model":"m","#, "}") { "\"max_to\u{212A}en\($0)\":0" } }),
        (
            "nesting",
            {
                body($0, #"{"model":"m","messages":["#, "]}") { _ in
                    String(repeating: "[", count: 60) + String(repeating: "]", count: 60)
                }
            }
        ),
        ("messages", { body($0, #"{"model":"m","messages":["#, "]}") { _ in #"{"role":"user","content":""}"# } }),
        ("parts", { body($0, #"{"model":"m","messages":[{"content":["#, "]}]}") { _ in #"{"text":"\n"}"# } }),
        (
            "pictures",
            { body($0, #"{"model":"m","messages":[{"content":["#, "]}]}") { _ in #"{"image_url":{"url":"data:,"}}"# } }
        ),
        ("a picture", { body($0, #"{"model":"m","image":""#, #""}"#, separator: "") { _ in "AAAA" } }),
        ("escapes", { body($0, #"{"model":"m","messages":[{"content":""#, #""}]}"#, separator: "") { _ in #"\""# } }),
        ("tokens", { body($0, #"{"model":"m","prompt":["#, "]}") { "\($0)" } }),
        ("spaces", { body($0, #"{"model":"m","#, #""x":1}"#, separator: "") { _ in "  " } }),
        ("stop words", { body($0, #"{"model":"m","stop":["#, "]}") { "\"\($0)\"" } }),
    ]

    private func expectLinear(_ name: String, _ work: (Int) throws -> Int) rethrows {
        let small = try work(Self.half)
        let large = try work(2 * Self.half)
        #expect(small > 0, "\(name)")
        #expect(Double(large) <= 2.1 * Double(small), "\(name): \(small) steps, then \(large)")
        // Bounded too: no byte is looked at again and again.
        #expect(large < 100 * 2 * Self.half, "\(name): \(large) steps")
    }

    @Test(arguments: chats.indices) func `a body costs steps in proportion to its bytes`(index: Int) {
        let (name, make) = Self.chats[index]
        expectLinear(name) { size in
            let body = make(size)
            return ReadingSteps.counted {
                body.withUnsafeBytes { _ = try? InferenceRequest(reading: $0, surface: .chatCompletions) }
            }
        }
    }

    @Test(arguments: [
        #"\"#, #"\\n"#, "%5c", "%255c", #"\u005c"#, "&#92;", "&amp;", "QUFB", "c2st", "736b", "sk-", "eng", "=", "\n",
        #""failed_generation":{"#, #""failed_generation":"x","#, "a ",
    ])
    func `an error costs steps in proportion to its bytes`(element: String) {
        let backend = Backend(
            name: "b", isTLS: true, host: "engine.example", port: 443, basePath: "", apiKey: "sk-live-1234567890",
            kind: .openAI)
        let redaction = ErrorRedaction(backend: backend, upstreamModel: "gpt-real", model: "small")
        func steps(_ size: Int) -> Int {
            let error = Self.body(size, #"{"error":{"message":""#, #""}}"#, separator: "") { _ in element }
            return ReadingSteps.counted {
                error.withUnsafeBytes {
                    _ = redaction.redacted($0)
                    _ = EngineErrorText(document: $0)
                }
            }
        }
        let small = steps(16 * 1024)
        let large = steps(32 * 1024)
        #expect(small > 0)
        #expect(Double(large) <= 2.1 * Double(small) + 100, "\(element): \(small) steps, then \(large)")
    }

    @Test func `a batch's order costs steps in proportion to its bytes`() {
        let orders: [(String, (Int) -> [UInt8])] = [
            ("members", { Self.body($0, "{", "}") { "\"k\($0)\":0" } }),
            ("metadata", { Self.body($0, #"{"metadata":{"#, "}}") { "\"k\($0)\":\"\"" } }),
            ("a long name", { Array("{\"\(Self.name($0 / 6))\":0}".utf8) }),
        ]
        for (name, make) in orders {
            expectLinear(name) { size in
                let body = make(size)
                return ReadingSteps.counted {
                    let order = try? JSONObjectText(reading: body, names: ["metadata", "input_file_id"])
                    for _ in 0..<4 { _ = order?.value("k1") }
                    _ = order?.object("metadata")?.changed([("tollgate", Array("1".utf8))])
                }
            }
        }
    }

    @Test func `lines of a batch cost steps in proportion to their bytes`() {
        let files: [(String, (Int) -> [UInt8])] = [
            ("members", { Self.body($0, "{", "}") { "\"k\($0)\":0" } }),
            (
                "lines",
                {
                    Self.body($0, "", "\n", separator: "\n") {
                        #"{"custom_id":"\#($0)","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}"#
                    }
                }
            ),
            ("empty lines", { Self.body($0, "", "", separator: "") { _ in " \n" } }),
            ("a long name", { Array("{\"\(Self.name($0 / 6))\":0}".utf8) }),
        ]
        for (name, make) in files {
            expectLinear(name) { size in
                let file = make(size)
                return ReadingSteps.counted { file.withUnsafeBytes { _ = try? BatchInput(reading: $0) } }
            }
        }
    }

    @Test func `a form costs steps in proportion to its bytes`() {
        let boundary = String(repeating: "b", count: 70)
        let part = "--\(boundary)\r\ncontent-disposition: form-data; name=\""
        let head = part + "file\"; filename=\"f\"\r\n\r\n"
        let forms: [(String, (Int) -> [UInt8])] = [
            (
                "nearly boundaries",
                { Self.body($0, head, "\r\n--\(boundary)--", separator: "") { _ in "\r\n--\(boundary.dropLast())" } }
            ),
            ("line ends", { Self.body($0, head, "\r\n--\(boundary)--", separator: "") { _ in "\r\n" } }),
            (
                "parts",
                {
                    Self.body($0, "", "--\(boundary)--", separator: "") {
                        part + "p\($0)\"\r\n\r\n\(String(repeating: "x", count: 40_000))\r\n"
                    }
                }
            ),
            ("a long head", { Self.body($0, part, "", separator: "") { _ in "n; x=" } }),
            ("many lines of a head", { Self.body($0, "--\(boundary)\r\n", "", separator: "") { "x\($0): y\r\n" } }),
        ]
        for (name, make) in forms {
            let small = steps(of: make(Self.half), boundary)
            let large = steps(of: make(2 * Self.half), boundary)
            #expect(Double(large) <= 2.1 * Double(small) + 100, "\(name): \(small), then \(large)")
            #expect(large < 20 * Self.half, "\(name): \(large)")
        }
    }

    private func steps(of form: [UInt8], _ boundary: String) -> Int {
        ReadingSteps.counted {
            form.withUnsafeBytes {
                _ = try? InferenceRequest(
                    reading: $0, surface: .audioTranscriptions,
                    contentType: "multipart/form-data; boundary=\(boundary)")
            }
        }
    }

    @Test(arguments: [1, 7, 4096]) func `a plain answer costs steps in proportion to its bytes`(piece: Int) {
        let answers: [(String, (Int) -> [UInt8])] = [
            (
                "choices",
                { Self.body($0, #"{"choices":["#, "]}") { _ in #"{"finish_reason":"stop","message":{"content":""}}"# } }
            ),
            ("members", { Self.body($0, "{", "}") { "\"k\($0)\":0" } }),
            ("escaped names", { Self.body($0, "{", "}") { _ in "\"\(Self.name(5))\":0" } }),
            ("a long name", { Array("{\"\(Self.name($0 / 6))\":0}".utf8) }),
            ("usages", { Self.body($0, "{", "}") { _ in #""usage":{"prompt_tokens":1,"completion_tokens":1}"# } }),
        ]
        for (name, make) in answers {
            expectLinear("\(name) in pieces of \(piece)") { size in
                let answer = make(size / 4)
                return ReadingSteps.counted {
                    var meter = PlainAnswerMeter()
                    answer.withUnsafeBytes { bytes in
                        for start in stride(from: 0, to: bytes.count, by: piece) {
                            meter.read(bytes.part(start..<min(start + piece, bytes.count)))
                        }
                    }
                    meter.finish()
                }
            }
        }
    }

    @Test(arguments: [1, 4096]) func `a stream costs steps in proportion to its bytes`(piece: Int) {
        let streams: [(String, (Int) -> [UInt8])] = [
            (
                "events",
                {
                    Self.body($0, "", "", separator: "") { _ in
                        #"data: {"choices":[{"index":0,"delta":{"content":"x"}}]}"# + "\n\n"
                    }
                }
            ),
            ("lines of one event", { Self.body($0, "", "\n\n", separator: "") { _ in "data: {\n" } }),
            ("comments", { Self.body($0, "", "\n\n", separator: "") { _ in ":\n" } }),
            ("returns", { Self.body($0, "", "\n\n", separator: "") { _ in "\r" } }),
            ("names", { Self.body($0, "data: {", "}\n\n") { "\"\(Self.name(3))\($0)\":0" } }),
        ]
        for (name, make) in streams {
            expectLinear("\(name) in pieces of \(piece)") { size in
                let stream = make(size / 4)
                return ReadingSteps.counted {
                    var splitter = EventStreamSplitter()
                    var meter = StreamMeter()
                    var event: [UInt8] = []
                    for start in Swift.stride(from: 0, to: stream.count, by: piece) {
                        let bytes = Array(stream[start..<min(start + piece, stream.count)])
                        bytes.withUnsafeBytes { bytes in
                            var offset = 0
                            while let end = splitter.nextEventEnd(in: bytes, from: offset) {
                                event += bytes[offset..<end]
                                event.withUnsafeBytes { _ = meter.read(event: $0) }
                                event.removeAll(keepingCapacity: true)
                                offset = end
                            }
                            event += bytes[offset...]
                        }
                    }
                }
            }
        }
    }
}
