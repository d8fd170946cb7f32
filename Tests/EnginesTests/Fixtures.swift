import Engines

/// Streams and answers of the family's dialects, with values of our own.
enum Fixture {
    static func chunk(_ choices: String, extra: String = "") -> String {
        #"{"id":"chatcmpl-77","object":"chat.completion.chunk","created":1,"#
            + #""model":"served-model","choices":[\#(choices)]\#(extra)}"#
    }

    static func delta(_ delta: String, finish: String = "null", index: Int = 0) -> String {
        #"{"index":\#(index),"delta":\#(delta),"logprobs":null,"finish_reason":\#(finish)}"#
    }

    static let role = chunk(delta(#"{"role":"assistant","content":""}"#), extra: #","usage":null"#)
    static let word = chunk(delta(#"{"content":"Grüße 🌍"}"#), extra: #","usage":null"#)
    static let stop = chunk(delta("{}", finish: #""stop""#), extra: #","usage":null"#)
    static let filters =
        #"{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}"#
    static let usage = chunk(
        "",
        extra: #","usage":{"prompt_tokens":21,"completion_tokens":9,"total_tokens":30,"#
            + #""prompt_tokens_details":{"cached_tokens":8,"cache_write_tokens":5},"#
            + #""completion_tokens_details":{"reasoning_tokens":4}}"#)

    /// An Azure-like stream, each line ending as given.
    static func stream(lineEnd: String = "\n", prefix: String = "data: ") -> String {
        var text = ": keep-alive\(lineEnd)\(lineEnd)"
        for data in [filters, role, word, word, stop, usage, "[DONE]"] {
            text += "\(prefix)\(data)\(lineEnd)\(lineEnd)"
        }
        return text
    }

    /// Cuts `bytes` at random places.
    static func pieces(of bytes: [UInt8], using generator: inout some RandomNumberGenerator) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            let longest = [1, 3, 40, 400].randomElement(using: &generator) ?? 1
            let end = min(bytes.count, start + Int.random(in: 1...longest, using: &generator))
            pieces.append(Array(bytes[start..<end]))
            start = end
        }
        return pieces
    }

    /// Cuts a stream into its events, given in pieces, and reads each.
    static func read(_ pieces: [[UInt8]]) -> (events: [String], kinds: [StreamEvent], facts: AnswerFacts) {
        var splitter = EventStreamSplitter()
        var meter = StreamMeter()
        var pending: [UInt8] = []
        var events: [String] = []
        var kinds: [StreamEvent] = []
        func finish() {
            kinds.append(pending.withUnsafeBytes { meter.read(event: $0) })
            events.append(String(decoding: pending, as: UTF8.self))
            pending = []
        }
        for piece in pieces {
            piece.withUnsafeBytes { bytes in
                var start = 0
                while let end = splitter.nextEventEnd(in: bytes, from: start) {
                    pending.append(contentsOf: bytes[start..<end])
                    finish()
                    start = end
                }
                pending.append(contentsOf: bytes[start...])
            }
        }
        if !pending.isEmpty { finish() }
        return (events, kinds, meter.facts)
    }

    static func readPlain(_ pieces: [[UInt8]]) -> AnswerFacts {
        var meter = PlainAnswerMeter()
        for piece in pieces { piece.withUnsafeBytes { meter.read($0) } }
        return meter.facts
    }

    static func readPlain(_ text: String) -> AnswerFacts { readPlain([Array(text.utf8)]) }
}
