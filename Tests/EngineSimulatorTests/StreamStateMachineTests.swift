import FoundationEssentials
import Testing

@testable import EngineSimulator

@Suite(.timeLimit(.minutes(10)))
struct StreamStateMachineTests {
    private static var seeds: Range<UInt64> {
        0..<(ProcessInfo.processInfo.environment["TOLLGATE_SEEDS"].flatMap { UInt64($0) } ?? 200)
    }

    @Test func `the steps of a chat are head, role, tokens, usage, done, end, each at its time`() throws {
        let behavior = try Behavior(settings: "first_byte_ms=1,prefill_ms=10,prefill_us_per_token=100,decode_us=500")
        var machine = StreamStateMachine(plan: plan(behavior, tokens: 3, usage: true))
        // Two prompt tokens: the first token is due at 1 + 10 + 0.2 ms.
        #expect(
            steps(&machine) == [
                .init(at: 1000, action: .head), .init(at: 11_200, action: .role(choice: 0)),
                .init(at: 11_200, action: .tokens(choice: 0, positions: 0..<1, finishes: false)),
                .init(at: 11_700, action: .tokens(choice: 0, positions: 1..<2, finishes: false)),
                .init(at: 12_200, action: .tokens(choice: 0, positions: 2..<3, finishes: true)),
                .init(at: 12_200, action: .usage), .init(at: 12_200, action: .done), .init(at: 12_200, action: .end),
            ]
        )
    }

    @Test func `an answer without tokens still has a finish reason`() throws {
        var machine = StreamStateMachine(plan: plan(try Behavior(settings: "completion_tokens=0"), tokens: 9))
        #expect(steps(&machine).map(\.action) == [.head, .role(choice: 0), .finish(choice: 0), .done, .end])
    }

    @Test func `by any seed every token is sent once, in order and in time, until the first fault`() throws {
        for seed in Self.seeds {
            var random = SplitMix(state: seed)
            let tokens = Int.random(in: 0...20, using: &random)
            let choices = Int.random(in: 1...3, using: &random)
            var behavior = Behavior()
            behavior.tokensPerChunk = Int.random(in: 1...6, using: &random)
            behavior.decodeMicroseconds = Int.random(in: 0...50, using: &random)
            behavior.completionTokens = tokens
            behavior.flavour = Bool.random(using: &random) ? .openai : .vllm
            let faults = (0..<3).map { _ in Bool.random(using: &random) ? Int.random(in: 0...60, using: &random) : nil }
            behavior.failAfterTokens = faults[0]
            behavior.cutAfterTokens = faults[1]
            behavior.stallAfterTokens = faults[2]
            behavior.stallMilliseconds = Int.random(in: 0...1, using: &random)
            let plan = plan(behavior, tokens: tokens, choices: choices)
            var machine = StreamStateMachine(plan: plan)
            let steps = steps(&machine)

            let stall = behavior.stallMilliseconds == 0 ? faults[2] : nil
            let limit = [faults[0], faults[1], stall].compactMap { $0 }.min() ?? .max
            var next = Array(repeating: 0, count: choices)
            for case .tokens(let choice, let positions, _) in steps.map(\.action) {
                #expect(positions.lowerBound == next[choice], "seed \(seed)")
                next[choice] = positions.upperBound
            }
            #expect(next.reduce(0, +) == min(limit, tokens * choices), "seed \(seed)")
            #expect(machine.tokensHandedOut == next.reduce(0, +), "seed \(seed)")
            #expect(steps.map(\.at) == steps.map(\.at).sorted(), "seed \(seed)")
            let last = steps.last?.action
            #expect((last == .end) == (limit > tokens * choices), "seed \(seed)")
            let finished = steps.count { step in
                if case .tokens(_, _, true) = step.action { return true }
                if case .finish = step.action { return true }
                return false
            }
            if last == .end { #expect(finished == choices, "seed \(seed)") }
        }
    }

    @Test func `a plain answer takes as long as its tokens and faults where it is told to`() throws {
        let calm = plan(try Behavior(settings: "prefill_ms=5,decode_ms=2"), tokens: 10)
        #expect(calm.plainCourse == PlainCourse(at: 23_000, ending: .answer, tokens: 10))
        #expect(calm.tokensGenerated(after: 4999) == 0)
        #expect(calm.tokensGenerated(after: 5000) == 1)
        #expect(calm.tokensGenerated(after: 9100) == 3)
        #expect(calm.tokensGenerated(after: 99_999) == 10)
        let failing = plan(try Behavior(settings: "decode_ms=2,fail_after=4,cut_after=6"), tokens: 10)
        #expect(failing.plainCourse == PlainCourse(at: 6000, ending: .error, tokens: 4))
        let stalling = plan(try Behavior(settings: "stall_after=4"), tokens: 10)
        #expect(stalling.plainCourse.ending == .stall)
        let late = plan(try Behavior(settings: "stall_after=4,stall_ms=3"), tokens: 10)
        #expect(late.plainCourse == PlainCourse(at: 3000, ending: .answer, tokens: 10))
    }

    private func plan(_ behavior: Behavior, tokens: Int, choices: Int = 1, usage: Bool = false) -> GenerationPlan {
        var request = EngineRequest.unreadable(.chat)
        request.streamed = true
        request.includeUsage = usage
        request.choices = choices
        request.promptTokens = [2]
        var behavior = behavior
        behavior.completionTokens = behavior.completionTokens ?? tokens
        return GenerationPlan(request: request, behavior: behavior, seed: 1, contextTokensMax: 1000)
    }

    private func steps(_ machine: inout StreamStateMachine) -> [StreamStateMachine.Step] {
        var steps: [StreamStateMachine.Step] = []
        while let step = machine.next() { steps.append(step) }
        return steps
    }
}

/// A seeded generator for property tests.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
