import Foundation
import Testing

@testable import Tokenizers

/// Which files are covered, and what is said of the others.
struct TokenizerFileTests {
    /// A byte-level vocabulary of the 256 bytes and "ab", as JSON parts that a test may change.
    static func file(
        normalizer: String = "null",
        preTokenizer: String = #"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}"#,
        model: String = #""type":"BPE","merges":["a b"]"#, added: String = "[]", withByte41: Bool = true
    ) -> [UInt8] {
        var members: [String] = []
        for byte in 0...255 as ClosedRange<UInt8> where withByte41 || byte != 0x41 {
            let name = String(decoding: ByteAlphabet.utf8(of: byte), as: UTF8.self)
            let escaped = name == "\"" || name == "\\" ? "\\" + name : name
            members.append("\"\(escaped)\":\(byte)")
        }
        members.append("\"ab\":256")
        let text = """
            {"version":"1.0","added_tokens":\(added),"normalizer":\(normalizer),"pre_tokenizer":\(preTokenizer),
             "model":{\(model),"vocab":{\(members.joined(separator: ","))}}}
            """
        return Array(text.utf8)
    }

    private static func part(refused file: [UInt8]) -> String? {
        do {
            _ = try Tokenizer(json: file)
            return nil
        } catch {
            return error.part
        }
    }

    @Test func `a small vocabulary counts as one does by hand`() throws {
        let tokenizer = try Tokenizer(json: Self.file())
        #expect(tokenizer.tokens(of: "abba") == [256, 0x62, 0x61])
        #expect(tokenizer.tokens(of: "") == [] && tokenizer.count("é") == 2)
    }

    @Test func `merges may be pairs, and white space around members does not matter`() throws {
        let tokenizer = try Tokenizer(json: Self.file(model: #""type" : "BPE" , "merges" : [ ["a","b"] ]"#))
        #expect(tokenizer.count("abab") == 2)
    }

    @Test(arguments: [
        (#"{"type":"Lowercase"}"#, "normalizer"), (#"{"type":"NFKC"}"#, "normalizer"),
        (#"{"type":"NFC"}"#, "normalizer"),
    ])
    func `another normalizer is refused by name`(normalizer: String, part: String) {
        #expect(Self.part(refused: Self.file(normalizer: normalizer)) == part)
    }

    @Test(arguments: [
        (#"{"type":"Whitespace"}"#, "pre_tokenizer"), ("null", "pre_tokenizer"),
        (#"{"type":"ByteLevel","add_prefix_space":true,"use_regex":true}"#, "pre_tokenizer.add_prefix_space"),
        (#"{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}"#, "pre_tokenizer.use_regex"),
        (#"{"type":"Sequence","pretokenizers":[{"type":"Digits"}]}"#, "pre_tokenizer"),
        (
            #"{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\d+"},"behavior":"Isolated"},"#
                + #"{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}"#,
            "pre_tokenizer.pretokenizers[0]"
        ),
        (#"{"type":"Metaspace","replacement":"_"}"#, "pre_tokenizer.replacement"),
        (#"{"type":"Metaspace","replacement":"▁"}"#, "model.byte_fallback"),
    ])
    func `another way to cut words is refused by name`(preTokenizer: String, part: String) {
        #expect(Self.part(refused: Self.file(preTokenizer: preTokenizer)) == part)
    }

    @Test(arguments: [
        (#""type":"WordPiece","merges":[]"#, "model.type"), (#""type":"BPE","merges":["a c"]"#, "model.merges"),
        (#""type":"BPE","merges":["a b"],"dropout":0.1"#, "model.dropout"),
        (#""type":"BPE","merges":["a b"],"end_of_word_suffix":"</w>""#, "model.end_of_word_suffix"),
        (#""type":"BPE","merges":["a b"],"continuing_subword_prefix":"+""#, "model.continuing_subword_prefix"),
        (#""type":"BPE""#, "model.merges"),
    ])
    func `another model is refused by name`(model: String, part: String) {
        #expect(Self.part(refused: Self.file(model: model)) == part)
    }

    @Test func `a vocabulary without a byte, a token that asks for word ends and what is no JSON are refused`() {
        #expect(Self.part(refused: Self.file(withByte41: false)) == "model.vocab")
        #expect(
            Self.part(refused: Self.file(added: #"[{"id":300,"content":"x","single_word":true}]"#))
                == "added_tokens[0].single_word")
        #expect(Self.part(refused: Array("{".utf8)) == "file")
        #expect(Self.part(refused: Array("[1]".utf8)) == "file")
        #expect(Self.part(refused: Array(repeating: UInt8(ascii: "["), count: 100_000)) == "file")
    }

    @Test func `bytes that are no UTF-8 are counted and do no harm`() throws {
        let tokenizer = try Tokenizer(json: Self.file())
        var counter = TokenCounter(tokenizer)
        counter.append([0xC3, 0x28, 0xF0, 0x9F, 0xFF, 0xE2, 0x82])
        #expect(counter.count == 7)
    }

    @Test func `a text without spaces is kept within bounds`() throws {
        let tokenizer = try Tokenizer(json: Self.file())
        var counter = TokenCounter(tokenizer)
        for _ in 0..<60 { counter.append(Array(repeating: UInt8(ascii: "x"), count: 5000)) }
        #expect(counter.count == 300_000)
    }
}
