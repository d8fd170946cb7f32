import TestSupport
import Testing

@testable import Gateway

@Suite struct ClientStateMachineTests {
    private typealias Machine = ClientStateMachine

    private func machine() -> ClientStateMachine {
        var configuration = GatewayConfiguration()
        configuration.limits.bodyBytes = 1000
        configuration.limits.pipelinedBytes = 100
        var machine = ClientStateMachine(bounds: ClientStateMachine.Bounds(configuration))
        machine.connected(now: 0)
        return machine
    }

    private func head(
        _ use: ClientStateMachine.BodyUse = .kept, declared: Int? = 0, keepsAlive: Bool = true, continues: Bool = false
    ) -> ClientStateMachine.Head {
        ClientStateMachine.Head(
            isHTTP11: true, keepsAlive: keepsAlive, isHeadRequest: false, expectsContinue: continues,
            declaredBytes: declared, use: use)
    }

    @Test func `one request after the other is read, answered and followed by the next`() {
        var machine = machine()
        for _ in 0..<3 {
            machine.beganHead(now: 1)
            #expect(machine.tookHead(head(declared: 5), now: 2) == .go)
            #expect(machine.tookBody(5) == .go)
            #expect(machine.endedBody() == true)
            #expect(!machine.isExpecting && machine.deadline == nil)
            #expect(machine.answered(closes: false, now: 3) == .next)
        }
        #expect(machine.state == .idle)
        #expect(machine.tick(now: 3 + GatewayConfiguration.Times().idleMilliseconds) == .close)
    }

    @Test(
        arguments: [
            (.kept, 1001, false, .refuseTooLarge(bytesMax: 1000)), (.kept, nil, false, .go), (.kept, 1000, true, .goOn),
            (.dropped, 70_000, false, .refuseTooLarge(bytesMax: 65_536)), (.dropped, nil, false, .go),
            (.refused, 10, false, .go), (.refused, 10, true, .refuse), (.refused, nil, false, .refuse),
            (.refused, 70_000, false, .refuse),
        ] as [(ClientStateMachine.BodyUse, Int?, Bool, ClientStateMachine.BodyAction)])
    func `a head decides whether its body is taken, let pass or refused`(
        use: ClientStateMachine.BodyUse, declared: Int?, continues: Bool, expected: ClientStateMachine.BodyAction
    ) {
        var machine = machine()
        #expect(machine.tookHead(head(use, declared: declared, continues: continues), now: 1) == expected)
    }

    @Test func `a body of unknown length is refused where it passes its bound`() {
        var kept = machine()
        _ = kept.tookHead(head(declared: nil), now: 1)
        #expect(kept.tookBody(1000) == .go)
        #expect(kept.tookBody(1) == .refuseTooLarge(bytesMax: 1000))
        var dropped = machine()
        _ = dropped.tookHead(head(.dropped, declared: nil), now: 1)
        #expect(dropped.tookBody(65_536) == .go)
        #expect(dropped.tookBody(1) == .refuseTooLarge(bytesMax: 65_536))
    }

    @Test func `a client that leaves while its limits are asked about is owed nothing`() {
        var machine = machine()
        _ = machine.tookHead(head(), now: 1)
        #expect(machine.endedBody() == true)
        machine.beganWait()
        #expect(machine.left() == .abandonWait)
        #expect(machine.endedWait() == false)
        #expect(machine.answered(closes: false, now: 2) == nil)
    }

    @Test func `nothing more is read while a body is unpacked or the client is far ahead`() {
        var machine = machine()
        _ = machine.tookHead(head(declared: nil), now: 1)
        machine.isUnpacking(true)
        #expect(!machine.isExpecting)
        #expect(machine.holdsUnread(0) == false)
        machine.isUnpacking(false)
        #expect(machine.holdsUnread(0) == true)
        #expect(machine.endedBody() == true)
        #expect(machine.holdsUnread(101) == false)
        #expect(machine.holdsUnread(101) == nil)
        #expect(machine.answered(closes: true, isLastWord: true, now: 2) == .discard)
        #expect(machine.holdsUnread(101) == true)
    }

    /// Whatever comes in whatever order that a socket can bring: the machine's own assertions hold, each head is
    /// answered at most once, nothing happens behind the end, and every state but an answer's own ends by the clock.
    @Test func `any order of events keeps its invariants`() {
        var random = SeededGenerator(seed: 80)
        for round in 0..<20_000 {
            var machine = machine()
            var now: Int64 = 0
            var heads = 0
            var answers = 0
            for _ in 0..<Int.random(in: 1...40, using: &random) {
                now += Int64.random(in: 0...20_000, using: &random)
                step(&machine, now, &heads, &answers, &random)
                #expect(answers <= heads, "round \(round)")
                if machine.state == .closed { #expect(!machine.isExpecting && !machine.takesBytes) }
                switch machine.state {
                case .answering, .waiting, .closed: #expect(machine.deadline == nil, "round \(round)")
                default: #expect(machine.tick(now: now + 10_000_000) != .nothing, "round \(round)")
                }
            }
        }
    }

    private func step(
        _ machine: inout ClientStateMachine, _ now: Int64, _ heads: inout Int, _ answers: inout Int,
        _ random: inout SeededGenerator
    ) {
        func refuse(_ machine: inout ClientStateMachine) {
            if machine.answered(closes: true, isLastWord: true, now: now) != nil { answers += 1 }
        }
        let choice = Int.random(in: 0..<12, using: &random)
        switch (choice, machine.state) {
        case (0, _): if Bool.random(using: &random) { _ = machine.left() }
        case (1, _): machine.isWritable(Bool.random(using: &random), now: now)
        case (2, _): _ = machine.holdsUnread(Int.random(in: 0...200, using: &random))
        case (3, .idle): machine.beganHead(now: now)
        case (4...6, .idle), (4...6, .head):
            heads += 1
            let uses: [ClientStateMachine.BodyUse] = [.kept, .dropped, .refused]
            let action = machine.tookHead(
                head(
                    uses[Int.random(in: 0..<3, using: &random)],
                    declared: Bool.random(using: &random) ? nil : Int.random(in: 0...70_000, using: &random),
                    keepsAlive: Int.random(in: 0..<4, using: &random) > 0,
                    continues: Int.random(in: 0..<4, using: &random) == 0), now: now)
            if action != .go && action != .goOn { refuse(&machine) }
        case (7, .idle), (7, .head):
            // Bytes that are no HTTP.
            heads += 1
            refuse(&machine)
        case (4...7, .body(let body)) where !body.isUnpacking:
            let action = machine.tookBody(Int.random(in: 1...800, using: &random))
            if action != .go { refuse(&machine) }
        case (8, .body(let body)): machine.isUnpacking(!body.isUnpacking)
        case (9...11, .body(let body)) where !body.isUnpacking:
            if !machine.endedBody(), machine.answered(closes: false, now: now) != nil { answers += 1 }
        case (3...5, .answering): machine.beganWait()
        case (6...11, .answering):
            if machine.answered(closes: Bool.random(using: &random), now: now) != nil { answers += 1 }
        case (3...11, .waiting): _ = machine.endedWait()
        default:
            switch machine.tick(now: now) {
            case .nothing: break
            case .close, .leave: _ = machine.left()
            case .refuseSlowBody: refuse(&machine)
            }
        }
    }
}
