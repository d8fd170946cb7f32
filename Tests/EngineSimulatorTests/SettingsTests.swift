import FoundationEssentials
import Testing

@testable import EngineSimulator

@Suite(.timeLimit(.minutes(10)))
struct SettingsTests {
    @Test func `every setting takes a value and shows it`() throws {
        for setting in Behavior.settings {
            var behavior = Behavior()
            let value =
                switch setting.name {
                case "flavour": "openai"
                case "usage": "null"
                case "ending": "cut_before_done"
                case "retry_hint": "date"
                case "content_length": "long"
                case "inner": "advisor"
                case "lengths": "llama.cpp"
                case "transcription_usage": "duration"
                case "fail_status": "503"
                default: setting.get(behavior) == .flag(false) ? "true" : "3"
                }
            try behavior.apply(name: setting.name, value: value)
            #expect(behavior != Behavior(), "\(setting.name)")
            #expect(setting.get(behavior) != setting.get(Behavior()), "\(setting.name)")
        }
    }

    @Test func `every setting is described in the documentation`() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(contentsOf: root.appending(path: "docs/simulator.md"), encoding: .utf8)
        for setting in Behavior.settings {
            #expect(page.contains("`\(setting.name)`"), "docs/simulator.md does not tell of \(setting.name)")
        }
    }

    @Test(arguments: ["speed=3", "decode_us=-1", "decode_us=x", "shape=round", "chunked=1", "prefill_ms"])
    func `a wrong setting is refused with what would be right`(settings: String) throws {
        let error = #expect(throws: SettingError.self) { try Behavior(settings: settings) }
        #expect(error?.description.isEmpty == false)
    }

    @Test func `a marker in the prompt sets one request and goes over the header`() async throws {
        try await withSimulator("completion_tokens=9") { simulator in
            let marked = try await simulator.chat(
                settings: "completion_tokens=5", prompt: "hi [[simulator completion_tokens=3 text=x]] there"
            )
            #expect(try Answer(marked.body).usage?.completion_tokens == 3)
            #expect(try Answer(marked.body).choices?.first?.message?.content == "xxx")
            let header = try await simulator.chat(settings: "completion_tokens=5")
            #expect(try Answer(header.body).usage?.completion_tokens == 5)
            #expect(try Answer(try await simulator.chat().body).usage?.completion_tokens == 9)
        }
    }

    @Test func `settings change at run time and go back on reset`() async throws {
        try await withSimulator("completion_tokens=9") { simulator in
            func configure(_ body: String) async throws -> RawAnswer {
                try await RawClient.send(port: simulator.port, "POST", "/simulator/configure", body: body)
            }
            func tokens() async throws -> Int? {
                try Answer(try await simulator.chat().body).usage?.completion_tokens
            }
            #expect(try await configure(#"{"completion_tokens":4,"text":"y"}"#).body.contains(#""text":"y""#))
            #expect(try await tokens() == 4)
            #expect(try await configure(#"{"completion_tokens":4,"speed":1}"#).status == 400)
            #expect(try await configure(#"{"reset":true}"#).status == 200)
            #expect(try await tokens() == 9)
            let state = try await RawClient.send(port: simulator.port, "GET", "/simulator/state").body
            #expect(state.contains(#""completion_tokens":9"#))
        }
    }

    @Test func `a rule holds for its tier, its share of requests and its number of them`() throws {
        let control = ControlPanel(base: Behavior())
        var rule = ControlPanel.Rule(tier: "standard", requestsLeft: 2, every: 3)
        rule.settings = ["prefill_ms": "700"]
        try control.configure(reset: false, settings: [:], rules: [rule])
        let slow = try (1...12).map { number in
            try control.behavior(for: request(tier: number.isMultiple(of: 2) ? "priority" : nil), now: 0)
                .prefillMilliseconds
        }
        // Of the odd ones (no tier is standard), every third, twice at most.
        #expect(slow == [0, 0, 0, 0, 700, 0, 0, 0, 0, 0, 700, 0])
        #expect(control.snapshot(now: 0).rules.isEmpty)
    }

    @Test func `a rule lapses when its time is over`() throws {
        let control = ControlPanel(base: Behavior())
        let rule = ControlPanel.Rule(untilMilliseconds: 1000, settings: ["status": "503"])
        try control.configure(reset: false, settings: [:], rules: [rule])
        #expect(try control.behavior(for: request(tier: nil), now: 999).errorStatus == 503)
        #expect(try control.behavior(for: request(tier: nil), now: 1000).errorStatus == 0)
        #expect(control.snapshot(now: 1000).rules.isEmpty)
    }

    @Test func `a rule over HTTP slows one tier only`() async throws {
        try await withSimulator { simulator in
            let body = #"{"rules":[{"tier":"priority","for_seconds":60,"set":{"prefill_ms":600}}]}"#
            let set = try await RawClient.send(port: simulator.port, "POST", "/simulator/configure", body: body)
            #expect(set.status == 200)
            let clock = ContinuousClock()
            let slow = try await clock.measure { _ = try await simulator.chat(#""service_tier":"priority""#) }
            #expect(slow >= .milliseconds(600))
            #expect(try await simulator.chat(#""service_tier":"default""#).status == 200)
            let lines = simulator.requests()
            #expect(lines[0].firstTokenMilliseconds - lines[0].startedMilliseconds >= 599)
            #expect(lines[1].firstTokenMilliseconds - lines[1].startedMilliseconds < 599)
        }
    }

    private func request(tier: String?) throws -> EngineRequest {
        var members: [String: JSONValue] = ["model": .string("m"), "prompt": .string("hi")]
        if let tier { members["service_tier"] = .string(tier) }
        return try EngineRequest(operation: .completions, body: .object(members), contextTokensMax: 100)
    }
}
