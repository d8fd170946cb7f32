import EngineSimulator
import Engines
import Metering
import Testing
import Tokenizers

@testable import Gateway

/// An engine of which the gateway knows nothing but its wire protocol, and which says no usage.
@Suite(.timeLimit(.minutes(10))) struct SimulatedCountsTests {
    private static func body(_ extra: String = "") -> String {
        #"{"model":"small","max_tokens":20,"messages":[{"role":"system","content":"You count one two."},"#
            + #"{"role":"user","content":"one two two one"}]\#(extra)}"#
    }

    /// What the simulator says of these messages: the words of each, and one more.
    private static let promptTokens: Int64 = 5 + 5

    @Test(arguments: [EngineKind.vllm, .tgi, .llamaCpp], [true, false])
    func `an engine without usage is counted: its prompt by itself, its output by the tokenizer`(
        kind: EngineKind, isStream: Bool
    ) async throws {
        var configuration = SimulatedEngine.Configuration()
        configuration.behavior = try Behavior(settings: "usage=missing,completion_tokens=12,tokens_per_chunk=3")
        let simulator = try await SimulatedEngine.start(configuration)
        let tokenizer = try SmallTokenizer.make()
        var settings = BackendSettings()
        settings.tokenizerPath = SmallTokenizer.path
        settings.asksForCounts = true
        let gateway = try await TestGateway(
            engine: ScriptedEngine(),
            snapshot: TestGateway.snapshot(
                port: simulator.port, basePath: "", kind: kind, settings: settings,
                tokenizers: [SmallTokenizer.path: tokenizer]))
        let answer = try gateway.ask(TestGateway.request(Self.body(isStream ? #","stream":true"# : "")))
        #expect(answer.status == 200)
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.usageSource == .counted && attempt.usageComplete && attempt.termination == .complete)
        #expect(attempt.buckets.inputTotal == Self.promptTokens)
        #expect(attempt.buckets.outputTotal == Int64(tokenizer.count(Self.text(answer.text))))
        #expect(attempt.buckets.outputTotal > 12)
        await gateway.stop()
        try await simulator.stop()
    }

    /// The content of a plain answer or of a stream, read with nothing but the texts around it.
    private static func text(_ answer: String) -> String {
        let opening = #""content":""#
        var text = ""
        var rest = answer[...]
        while let start = rest.firstRange(of: opening)?.upperBound {
            var index = start
            while rest[index] != "\"" { index = rest.index(index, offsetBy: rest[index] == "\\" ? 2 : 1) }
            text += unescaped(rest[start..<index])
            rest = rest[index...]
        }
        return text
    }

    private static func unescaped(_ text: Substring) -> String {
        String(text).replacing("\\\\", with: "\u{1}").replacing("\\\"", with: "\"").replacing("\\n", with: "\n")
            .replacing("\\t", with: "\t").replacing("\u{1}", with: "\\")
    }
}
