import Testing

@testable import EngineSimulator

@Suite
struct JSONReaderTests {
    private func read(_ text: String) throws -> JSONValue {
        try JSONReader.read(Array(text.utf8))
    }

    @Test func `values of every kind are read`() throws {
        let value = try read(#" {"a":[1,-2.5e3,true,false,null],"b":{"c":"x"},"d":[],"e":{}} "#)
        #expect(value["a"]?.array?.count == 5)
        #expect(value["a"]?.array?[0].int == 1)
        #expect(value["a"]?.array?[1] == .number("-2.5e3"))
        #expect(value["b"]?["c"]?.string == "x")
        #expect(value["d"]?.array == [])
        #expect(value["e"]?.object == [:])
        #expect(value["missing"] == nil)
    }

    @Test func `escapes and surrogate pairs become their characters`() throws {
        #expect(try read(#""a\"\\\/\n\t\u00e9\ud83d\ude80é""#).string == "a\"\\/\n\t\u{E9}\u{1F680}\u{E9}")
        #expect(try read(#""\ud83d""#).string == "\u{FFFD}")
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "tru", "01x", "+1", "\"a", "\"\u{1}\"", "\"\\x\"", "1 2", "nan",
        "--1",
    ])
    func `what is not JSON is refused`(text: String) {
        #expect(throws: JSONSyntaxError.self) { try read(text) }
    }

    @Test func `nesting has a limit`() {
        #expect(throws: JSONSyntaxError.self) { try read(String(repeating: "[", count: 100_000)) }
    }

    @Test func `texts written as JSON are read back`() throws {
        for text in ["", "plain", "\"quotes\" and \\", "line\nend\r\t\u{1}\u{1F}", "\u{E9}\u{1F680}"] {
            #expect(try read(JSONText.quoted(text)).string == text)
        }
    }

    @Test func `base64 is padded`() {
        #expect(
            ["", "f", "fo", "foo", "foob"].map { Base64.encode(Array($0.utf8)) } == [
                "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==",
            ])
    }
}
