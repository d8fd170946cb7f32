import Engines
import Metering
import NaiveArithmetic
import Testing

@Suite struct BatchInputTests {
    private func line(_ id: String, model: String = #""m""#, url: String = "/v1/embeddings") -> String {
        #"{"body": {"input":"x", "model" : \#(model)},"custom_id":"\#(id)","url":"\#(url)","method":"POST"}"#
    }

    private func read(_ text: String) throws -> BatchInput {
        try Array(text.utf8).withUnsafeBytes { try BatchInput(reading: $0) }
    }

    private func renamed(_ text: String, _ name: String) throws -> String {
        try Array(text.utf8).withUnsafeBytes { bytes in
            String(decoding: try BatchInput(reading: bytes).bytes(of: bytes, naming: name), as: UTF8.self)
        }
    }

    @Test func `lines may be empty, end as on Windows, and need no end at the last`() throws {
        let input = try read("\r\n" + line("a") + "\r\n  \n" + line("b"))
        #expect(input.lineCount == 2)
        #expect(input.model == "m")
        #expect(input.surface == .embeddings)
        #expect(BatchInput.surface(ofPath: "/v1/chat/completions") == .chatCompletions)
        #expect(BatchInput.surface(ofPath: "/v1/audio/speech") == nil)
    }

    @Test func `only the model's name changes, and back again`() throws {
        let text = line("a") + "\n" + line("m") + "\n\n" + line("c")
        let forth = try renamed(text, #"or"g/m-2"#)
        #expect(forth == text.replacing(#""model" : "m""#, with: #""model" : "or\"g/m-2""#))
        #expect(try renamed(forth, "m") == text)
        #expect(try renamed(text, "m") == text)
    }

    @Test func `a name may be written with escapes`() throws {
        let input = try read(line("a", model: #""m\u0041""#) + "\n" + line("b", model: #""mA""#))
        #expect(input.model == "mA")
    }

    @Test(arguments: [
        #"{"custom_id":"a","custom_id":"b","method":"POST","url":"/v1/embeddings","body":{"model":"m"}}"#,
        #"{"method":"POST","url":"/v1/embeddings","body":{"model":"m"}}"#,
        #"{"custom_id":"","method":"POST","url":"/v1/embeddings","body":{"model":"m"}}"#,
        #"{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{}}"#,
        #"{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":[]}"#,
        #"{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m","model":"n"}}"#,
        #"{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m","service_tier":"priority"}}"#,
        #"{"custom_id":"a","method":"POST","url":"/v1/responses","body":{"model":"m","background":true}}"#,
        #"{"custom_id":"a","method":"POST","url":"/v1/responses","body":{"model":"m","previous_response_id":"r"}}"#,
        #"{"custom_id":"a","method":"POST","url":"/v1/responses","body":{"model":"m","conversation":"c"}}"#,
        #"["a"]"#,
    ])
    func `a line that says too little, or two things, is refused by its number`(bad: String) {
        #expect {
            try read(line("first") + "\n" + bad)
        } throws: { error in
            (error as? RequestError)?.message.hasPrefix("Line 2: ") == true
        }
    }

    @Test func `the models that tools of its lines make pictures with are known, each once`() throws {
        func line(_ id: String, _ tools: String) -> String {
            #"{"custom_id":"\#(id)","method":"POST","url":"/v1/responses","body":{"model":"m","input":"x","tools":["#
                + tools + "]}}"
        }
        let lines = [
            line("a", #"{"type":"image_generation","model":"one"}"#), line("b", #"{"type":"image_generation"}"#),
            line("c", #"{"type":"image_generation","model":"two"}"#),
            line("d", #"{"type":"function","name":"f"},{"type":"image_generation","model":"one"}"#), line("e", ""),
        ]
        let input = try Array(lines.joined(separator: "\n").utf8).withUnsafeBytes { try BatchInput(reading: $0) }
        #expect(input.pictureModels == ["one", "two"])
    }

    @Test func `no bytes make it trap`() {
        var random = SeededGenerator(seed: 7)
        let text = Array((line("a") + "\n" + line("b")).utf8)
        for _ in 0..<2000 {
            var bytes = text
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random) / 8)
            bytes.withUnsafeBytes { raw in
                _ = try? BatchInput(reading: raw)
                _ = try? BatchOutputLine(reading: raw)
            }
            _ = try? JSONObjectText(reading: bytes)
        }
    }

    @Test func `an answer's line says whom it answers, with what`() throws {
        let text = #"{"id":"x","response":{"body":{"a":[1]},"status_code":207},"error":null,"custom_id":"c\n"}"#
        try Array(text.utf8).withUnsafeBytes { bytes in
            let line = try BatchOutputLine(reading: bytes)
            #expect(line.customID == "c\n")
            #expect(line.status == 207)
            #expect(String(decoding: bytes[line.body], as: UTF8.self) == #"{"a":[1]}"#)
        }
    }

    @Test func `an object's members are changed one by one`() throws {
        let object = try JSONObjectText(reading: Array(#"{"a": 1 ,"b":"x\"y","c":[{},2],"d":{"e":null}}"#.utf8))
        #expect(object.integer("a") == 1)
        #expect(object.text("b") == #"x"y"#)
        #expect(object.elements("c")?.count == 2)
        #expect(object.object("d")?.keys == ["e"])
        #expect(object.text("z") == nil)
        let changed = object.changed([("a", nil), ("c", Array("3".utf8)), ("z", JSONString.bytes(of: nil))])
        #expect(String(decoding: changed, as: UTF8.self) == #"{"b":"x\"y","c":3,"d":{"e":null},"z":null}"#)
        #expect(throws: RequestError.self) { try JSONObjectText(reading: Array(#"{"a":1,"\u0061":2}"#.utf8)) }
    }
}
