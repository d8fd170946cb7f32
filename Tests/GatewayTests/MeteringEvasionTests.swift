import EngineSimulator
import Engines
import Identity
import Limits
import Metering
import NaiveArithmetic
import Testing

@testable import Gateway

/// Random valid requests of the surfaces, with random words for how long and how many their answers are, in front of an
/// engine that takes these words as engines of its kind do and always generates as much as it was asked for.
@Suite(.timeLimit(.minutes(30))) struct MeteringEvasionTests {
    /// The most that the model answers.
    private static let longest: Int64 = 1024

    @Test(arguments: Seeds.all)
    func `no words of a request get more than its record says, or more in a minute than the limit's bound`(
        seed: UInt64
    ) async throws {
        var generator = SeededGenerator(seed: seed)
        let engine = EvadedEngine.all[Int(seed % UInt64(EvadedEngine.all.count))]
        var configuration = SimulatedEngine.Configuration(contextTokensMax: Int(Self.longest))
        configuration.behavior = try Behavior(
            settings: "completion_tokens=1000000,tokens_per_chunk=16,lengths=\(engine.reading),"
                + "flavour=\(engine.flavour)")
        let simulator = try await SimulatedEngine.start(configuration)
        let value = Int64.random(in: 1_000...8_000, using: &generator)
        let limit = LimitRule(
            id: TestGateway.id(501), accountID: TestGateway.id(101), scope: .key(TestGateway.id(1)), model: nil,
            kind: generator.flip(oneIn: 3) ? .tokensPerMinute : .outputTokensPerMinute, value: value, isShadow: false)
        let gateway = try await TestGateway(
            engine: ScriptedEngine(),
            snapshot: TestGateway.snapshot(
                port: simulator.port, basePath: "", kind: engine.kind, limits: [limit]))
        let begin = now()
        var used: Int64 = 0
        var servedCount = 0
        for _ in 0..<14 {
            let request = EvasiveRequest(engine, &generator)
            let served = simulator.requests().count
            let answer = try gateway.ask(request.text)
            // A refusal by the gateway or by the engine; what is valid differs from engine to engine.
            guard answer.status == 200 else {
                #expect([400, 422, 429].contains(answer.status), "\(answer.status) \(answer.text)")
                continue
            }
            let line = try await Self.ended(simulator, served)
            let tokens = Int64(line.completionTokensProduced)
            let records = try await gateway.records(of: line.requestID)
            let billed = records.flatMap(\.attempts).reduce(Int64(0)) { $0 + $1.buckets.outputTotal }
            #expect(billed >= tokens, "\(request.text)\n\(line.json)")
            // What it may have beyond the limit is what it grew beyond its reserve.
            let reserve = min(max(request.named, min(256, Self.longest) * request.choices), value)
            let grown = max(0, tokens - reserve)
            let refilled = value * (now() - begin) / 60_000 + 1
            #expect(
                used + tokens <= value + refilled + grown, "\(used) of \(value): \(request.text)\n\(line.json)")
            used += tokens
            servedCount += 1
        }
        #expect(servedCount > 0)
        await gateway.stop()
        try await simulator.stop()
    }

    /// The engine's own line of the request after so many.
    private static func ended(_ simulator: RunningSimulator, _ before: Int) async throws -> ServedRequest {
        let deadline = now() + 8_000
        while now() < deadline {
            let lines = simulator.requests().dropFirst(before)
            if let line = lines.last, line.outcome != .running { return line }
            pause(milliseconds: 2)
        }
        return try #require(simulator.requests().last)
    }
}

extension TestGateway {
    /// The closed records of a request.
    fileprivate func records(of id: String) async throws -> [UsageEntry] {
        let deadline = now() + 8_000
        while now() < deadline {
            let found = try closes.filter { $0.request.id.description == id }
            if !found.isEmpty { return found }
            pause(milliseconds: 2)
        }
        Issue.record("no record of \(id)")
        return []
    }
}

/// An engine, the names that it goes by, and the surfaces that it has.
private struct EvadedEngine: Sendable {
    let kind: EngineKind
    let reading: String
    var flavour = "vllm"
    let surfaces: [EvasiveRequest.Surface]

    static let all: [EvadedEngine] = [
        EvadedEngine(kind: .vllm, reading: "vllm", surfaces: [.chat, .completions]),
        EvadedEngine(kind: .openAICompatible, reading: "sglang", surfaces: [.chat, .completions]),
        EvadedEngine(kind: .llamaCpp, reading: "llama.cpp", flavour: "llama.cpp", surfaces: [.chat, .completions]),
        EvadedEngine(kind: .deepSeek, reading: "deepseek", flavour: "deepseek", surfaces: [.chat]),
        EvadedEngine(kind: .openAICompatible, reading: "any", surfaces: [.chat, .completions]),
        EvadedEngine(kind: .openAICompatible, reading: "ollama", surfaces: [.chat, .completions]),
        EvadedEngine(kind: .openAI, reading: "any", flavour: "openai", surfaces: [.chat, .responses]),
        EvadedEngine(kind: .anthropic, reading: "any", surfaces: [.messages]),
        EvadedEngine(kind: .gemini, reading: "gemini", flavour: "gemini", surfaces: [.gemini]),
        EvadedEngine(kind: .gemini, reading: "any", flavour: "gemini", surfaces: [.gemini]),
        EvadedEngine(kind: .tgi, reading: "tgi", flavour: "tgi", surfaces: [.tgi]),
        EvadedEngine(kind: .tgi, reading: "any", flavour: "tgi", surfaces: [.tgi]),
        EvadedEngine(kind: .triton, reading: "any", flavour: "triton", surfaces: [.triton]),
        EvadedEngine(kind: .bedrock, reading: "any", surfaces: [.converse, .invoke]),
        EvadedEngine(kind: .sageMaker, reading: "lmi", flavour: "lmi", surfaces: [.sageMaker]),
    ]
}

/// A request with random words for the length and the number of its answers.
private struct EvasiveRequest {
    enum Surface: Sendable {
        case chat, completions, responses, messages, gemini, tgi, triton, converse, invoke, sageMaker
    }

    /// The whole request as it is sent.
    let text: String
    /// The most tokens of all answers that its words may be taken for; 0 where they say nothing.
    let named: Int64
    let choices: Int64

    private static let limits = [
        "max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "max_gen_len", "max_length",
        "max_tokens_to_sample", "n_predict", "num_predict",
    ]
    private static let counts = ["n", "best_of", "n_cmpl", "num_return_sequences", "num_beams"]
    private static let longest: Int64 = 1024

    init(_ engine: EvadedEngine, _ generator: inout SeededGenerator) {
        let surface = engine.surfaces.randomElement(using: &generator) ?? .chat
        let isStream = generator.flip(oneIn: 2)
        var words: [String] = []
        var most: Int64 = 0
        var choices: Int64 = 1
        var names = EvasiveRequest.limits
        if surface == .gemini { names += ["maxOutputTokens", "maxOutputTokens"] }
        for name in Set(names).sorted() where generator.flip(oneIn: 5) || name == EvasiveRequest.own(surface) {
            if name == EvasiveRequest.own(surface), surface != .messages, generator.flip(oneIn: 3) { continue }
            var tokens = Int64.random(in: 1...1_500, using: &generator)
            if generator.flip(oneIn: 3) { tokens = Int64.random(in: 1...20, using: &generator) }
            if generator.flip(oneIn: 8) { tokens = [-1, 0, -2].randomElement(using: &generator) ?? -1 }
            words.append(#""\#(name)":\#(tokens)"#)
            most = max(most, tokens < 1 ? EvasiveRequest.longest : min(tokens, EvasiveRequest.longest))
        }
        if generator.flip(oneIn: 6) {
            let tokens = Int64.random(in: 0...1_024, using: &generator)
            words.append(#""min_tokens":\#(tokens)"#)
            most = max(most, tokens)
        }
        for name in EvasiveRequest.counts + (surface == .gemini ? ["candidateCount"] : [])
        where generator.flip(oneIn: 8) {
            let count = Int64.random(in: 1...3, using: &generator)
            words.append(#""\#(name)":\#(count)"#)
            choices = max(choices, count)
        }
        if generator.flip(oneIn: 4) { words.append(#""ignore_eos":true"#) }
        words.shuffle(using: &generator)
        let (path, body) = EvasiveRequest.body(surface, words, isStream: isStream, &generator)
        if surface == .completions, body.contains(#""prompt":["#) { choices *= 2 }
        text = TestGateway.request(body, path: path, headers: "anthropic-version: 2023-06-01\r\n")
        named = most * choices
        self.choices = choices
    }

    /// The name that the dialect itself has.
    private static func own(_ surface: Surface) -> String {
        switch surface {
        case .chat, .completions, .messages, .triton, .converse, .invoke: "max_tokens"
        case .responses: "max_output_tokens"
        case .gemini: "maxOutputTokens"
        case .tgi, .sageMaker: "max_new_tokens"
        }
    }

    private static func body(
        _ surface: Surface, _ words: [String], isStream: Bool, _ generator: inout SeededGenerator
    ) -> (path: String, body: String) {
        let more = words.map { "," + $0 }.joined()
        let inside = words.joined(separator: ",")
        let stream = isStream ? #","stream":true"# : ""
        let engines = "/engines/scripted"
        switch surface {
        case .chat:
            return (
                "/v1/chat/completions",
                #"{"model":"small","messages":[{"role":"user","content":"hello there"}]\#(stream)\#(more)}"#
            )
        case .completions:
            let prompt = generator.flip(oneIn: 4) ? #"["one","two"]"# : #""one""#
            return ("/v1/completions", #"{"model":"small","prompt":\#(prompt)\#(stream)\#(more)}"#)
        case .responses: return ("/v1/responses", #"{"model":"small","input":"hello"\#(stream)\#(more)}"#)
        case .messages:
            return (
                "/v1/messages",
                #"{"model":"small","messages":[{"role":"user","content":"hello"}]\#(stream)\#(more)}"#
            )
        case .gemini:
            let name = generator.flip(oneIn: 2) ? "generationConfig" : "generation_config"
            let verb = isStream ? "streamGenerateContent?alt=sse" : "generateContent"
            return (
                "\(engines)/v1beta/models/small:\(verb)",
                #"{"contents":[{"parts":[{"text":"hello"}]}],"\#(name)":{\#(inside)}}"#
            )
        case .tgi:
            return (
                "\(engines)/generate\(isStream ? "_stream" : "")", #"{"inputs":"hello","parameters":{\#(inside)}}"#
            )
        case .triton:
            let path = "\(engines)/v2/models/small/generate\(isStream ? "_stream" : "")"
            if generator.flip(oneIn: 2) { return (path, #"{"text_input":"hello"\#(more)}"#) }
            return (path, #"{"text_input":"hello","parameters":{\#(inside)}}"#)
        case .converse:
            let messages = #""messages":[{"role":"user","content":[{"text":"hello"}]}]"#
            return (
                "\(engines)/model/small/converse\(isStream ? "-stream" : "")",
                #"{\#(messages),"additionalModelRequestFields":{\#(inside)}}"#
            )
        case .invoke:
            let version = #""anthropic_version":"bedrock-2023-05-31""#
            return (
                "\(engines)/model/small/invoke\(isStream ? "-with-response-stream" : "")",
                #"{\#(version),"messages":[{"role":"user","content":"hello"}]\#(more)}"#
            )
        case .sageMaker:
            return (
                "\(engines)/endpoints/small/invocations\(isStream ? "-response-stream" : "")",
                #"{"inputs":"hello","parameters":{\#(inside)}}"#
            )
        }
    }
}
