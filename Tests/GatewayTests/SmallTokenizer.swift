import Testing

@testable import Tokenizers

/// A byte-level vocabulary of the 256 bytes and a few merges, for answers to be counted with.
enum SmallTokenizer {
    static let path = "/models/small/tokenizer.json"

    static func make() throws -> Tokenizer {
        var members: [String] = []
        for byte in 0...255 as ClosedRange<UInt8> {
            let name = String(decoding: ByteAlphabet.utf8(of: byte), as: UTF8.self)
            members.append("\"\(name == "\"" || name == "\\" ? "\\" + name : name)\":\(byte)")
        }
        let merges = ["o n", "on e", "t w", "tw o", "Ġ two", "Ġ one"]
        for (index, merge) in merges.enumerated() {
            members.append("\"\(merge.filter { $0 != " " })\":\(256 + index)")
        }
        let list = merges.map { "\"\($0)\"" }.joined(separator: ",")
        let file = """
            {"version":"1.0","added_tokens":[],"normalizer":null,
             "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
             "model":{"type":"BPE","merges":[\(list)],"vocab":{\(members.joined(separator: ","))}}}
            """
        return try Tokenizer(json: Array(file.utf8))
    }
}
