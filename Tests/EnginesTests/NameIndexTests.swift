import Metering
import Testing

@testable import Engines

/// A key is compared with few names, however many a table has.
@Suite struct NameIndexTests {
    private static let surfaces: [Surface] = [
        .chatCompletions, .completions, .embeddings, .responses, .messages, .countTokens, .imageGenerations,
        .audioSpeech, .audioTranscriptions, .rerank, .geminiGenerate, .geminiEmbed, .bedrockConverse, .bedrockInvoke,
        .tgiGenerate, .sageMakerInvocations, .tritonGenerate, .replicatePredictions,
    ]
    private static let names = Set(surfaces.flatMap { RequestField.table(for: $0).names.names.map(\.description) })
    private static let strangers = [
        "role", "temperature", "top_p", "seed", "parallel_tool_calls", "response_format", "a", "zz", "x-y",
        "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "repetition_penalty", "store",
    ]

    private func steps(_ name: String, _ table: NameTable) -> (NameTable.Match, Int) {
        var match = NameTable.Match.none
        let steps = Array(name.utf8).withUnsafeBytes { bytes in
            ReadingSteps.counted {
                match = table.match(JSONText(range: 0..<bytes.count, isEscaped: false), in: bytes)
            }
        }
        return (match, steps)
    }

    @Test(arguments: surfaces) func `a name costs a few comparisons in a table of any size`(surface: Surface) {
        let table = RequestField.table(for: surface).names
        var sum = 0
        let all = Self.names.sorted() + Self.strangers
        for name in all {
            let (match, steps) = steps(name, table)
            // A comparison of a name of the same length is two steps.
            #expect(steps <= 12, "\(name)")
            sum += steps
            if let place = table.names.firstIndex(where: { $0.description == name }) {
                #expect(match == .name(place))
            }
        }
        #expect(sum <= 3 * all.count, "\(sum) steps for \(all.count) names")
    }

    @Test(
        arguments: [
            ("Model", "model"), ("ſtream", "stream"), ("max_to\u{212A}ens", "max_tokens"), ("TOOLS", "tools"),
            ("meſſageſ", "messages"), ("n_predicT", "n_predict"), ("\u{212A}", nil), ("ſ", nil), ("mod\u{E9}l", nil),
            ("models", nil), ("", nil),
        ] as [(String, String?)])
    func `names that fold to known ones are found, whatever their length`(name: String, known: String?) {
        let table = RequestField.table(for: .chatCompletions).names
        let (match, _) = steps(name, table)
        let expected = known.flatMap { known in table.names.firstIndex { $0.description == known } }
        #expect(match == expected.map { .folds($0) } ?? .none)
        #expect(table.folded(name)?.description == known)
    }

    @Test func `a chat costs little more steps than it has bytes`() {
        let message = #"{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"e"}}]}"#
        let messages = Array(repeating: message, count: 500).joined(separator: ",")
        let body = Array(#"{"model":"m","temperature":1,"top_p":1,"max_tokens":9,"messages":[\#(messages)]}"#.utf8)
        let steps = ReadingSteps.counted {
            body.withUnsafeBytes { _ = try? InferenceRequest(reading: $0, surface: .chatCompletions) }
        }
        #expect(steps < 6 * body.count, "\(steps) steps for \(body.count) bytes")
    }

    @Test func `names that share length and letters are told apart`() {
        let index = NameIndex(["abca", "acba", "abba", "a"])
        for (place, name) in ["abca", "acba", "abba", "a"].enumerated() {
            #expect(Array(name.utf8).withUnsafeBytes { index.place(of: $0, 0..<$0.count) } == place)
        }
        for name in ["adda", "ab", "", "abcab"] {
            #expect(Array(name.utf8).withUnsafeBytes { index.place(of: $0, 0..<$0.count) } == nil)
        }
    }
}
