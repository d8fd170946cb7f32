import Accounts
import Identity
import Monetary
import Storage
import TestSupport
import Testing

@testable import Billing

@Suite(.database, .timeLimit(.minutes(10))) struct SandboxTests {
    private static let day: Int64 = 86_400_000
    private static let now = BillingFixture.now

    private func open(
        _ fixture: BillingFixture, _ name: String, in sandbox: SandboxID? = nil, mode: AccountMode = .test
    ) async throws -> Account {
        try await fixture.change {
            try $0.openAccount(
                name: name, currency: .eur, calendar: BillingCalendar(zoneName: "UTC"), mode: mode, joining: sandbox)
        }
    }

    private func message(_ body: () async throws -> some Sendable) async -> String {
        do {
            _ = try await body()
            return "nothing was refused"
        } catch {
            return "\(error)"
        }
    }

    @Test func `accounts of a sandbox move together, and each move is kept`() async throws {
        let fixture = try BillingFixture()
        let sandbox = try await fixture.change { try $0.createSandbox(name: "Trial") }
        let early = try await open(fixture, "early", in: sandbox.id)
        let other = try await open(fixture, "other")
        let moved = try await fixture.change {
            try $0.advanceClock(of: sandbox.id, .to(Self.now.advanced(byMilliseconds: 30 * Self.day)))
        }
        // Whoever joins later has its clock from the first instant.
        let late = try await open(fixture, "late", in: sandbox.id)
        #expect(late.clockOffsetMilliseconds == 30 * Self.day && late.clock == moved.clock)
        _ = try await fixture.change { try $0.advanceClock(of: sandbox.id, .byMilliseconds(Self.day)) }
        _ = try await fixture.change { try $0.advanceClock(of: sandbox.id, .byMilliseconds(0)) }
        let (accounts, moves) = try await fixture.service.read(by: .clerk) { session in
            (
                try [early, late, other].map { try session.account($0.id) }, try session.clockMoves(of: sandbox.id)
            )
        }
        #expect(accounts.map(\.clockOffsetMilliseconds) == [31 * Self.day, 31 * Self.day, 0])
        #expect(accounts[0].clockChange > 0 && accounts[1].clockChange > 0 && accounts[2].clockChange == 0)
        #expect(moves.map(\.number) == [1, 2])
        #expect(moves.map(\.fromMilliseconds) == [0, 30 * Self.day])
        #expect(moves.map(\.toMilliseconds) == [30 * Self.day, 31 * Self.day])
        #expect(moves.allSatisfy { $0.movedBy.contains("clerk") && $0.movedAt == Self.now })
    }

    @Test func `an account of its own is its own sandbox`() async throws {
        let fixture = try BillingFixture()
        let account = try await open(fixture, "alone")
        let id = try #require(account.sandboxID)
        #expect(id == Sandbox.id(ofItsOwn: account.id))
        for step in 1...3 as ClosedRange<Int64> {
            let moved = try await fixture.change {
                try $0.advanceClock(of: account.id, to: Self.now.advanced(byMilliseconds: step * Self.day))
            }
            #expect(moved.clockOffsetMilliseconds == step * Self.day)
        }
        let moves = try await fixture.service.read(by: .clerk) { try $0.clockMoves(of: id) }
        #expect(moves.map(\.toMilliseconds) == [Self.day, 2 * Self.day, 3 * Self.day])
    }

    @Test func `the clock of a live account stays, and the refusal says what to do`() async throws {
        let fixture = try BillingFixture()
        let live = try await open(fixture, "live", mode: .live)
        for ahead in [0, 1, Self.day] {
            let text = await message {
                try await fixture.change {
                    try $0.advanceClock(of: live.id, to: Self.now.advanced(byMilliseconds: ahead))
                }
            }
            #expect(text.contains("is live") && text.contains("open an account with mode test"), "\(text)")
        }
        let joined = await message { try await open(fixture, "no", in: SandboxID(live.id.uuid), mode: .live) }
        #expect(joined.contains("only a test account"), "\(joined)")
    }

    @Test func `an account that shares a clock does not move it alone`() async throws {
        let fixture = try BillingFixture()
        let sandbox = try await fixture.change { try $0.createSandbox(name: "Trial") }
        let first = try await open(fixture, "first", in: sandbox.id)
        let target = Self.now.advanced(byMilliseconds: Self.day)
        // Alone in it, it does.
        _ = try await fixture.change { try $0.advanceClock(of: first.id, to: target) }
        let second = try await open(fixture, "second", in: sandbox.id)
        for account in [first, second] {
            let text = await message { try await fixture.change { try $0.advanceClock(of: account.id, to: target) } }
            #expect(text.contains("shares its clock with 1 others: move that of sandbox \(sandbox.id)"), "\(text)")
        }
    }

    @Test(
        arguments: [
            .to(BillingFixture.now), .to(BillingFixture.now.advanced(byMilliseconds: 86_399_999)),
            .byMilliseconds(-1),
        ] as [ClockMove])
    func `a clock never goes back`(move: ClockMove) async throws {
        let fixture = try BillingFixture()
        let sandbox = try await fixture.change { try $0.createSandbox(name: "Trial") }
        _ = try await fixture.change { try $0.advanceClock(of: sandbox.id, .byMilliseconds(Self.day)) }
        let text = await message { try await fixture.change { try $0.advanceClock(of: sandbox.id, move) } }
        #expect(text.contains("never goes back"), "\(text)")
    }

    @Test(
        arguments: [
            .byMilliseconds(.max), .byMilliseconds(WriteSession.clockOffsetMillisecondsMax + 1),
            .to(BillingFixture.now.advanced(byMilliseconds: WriteSession.clockOffsetMillisecondsMax + 1)),
        ] as [ClockMove])
    func `ten years is the furthest`(move: ClockMove) async throws {
        let fixture = try BillingFixture()
        let sandbox = try await fixture.change { try $0.createSandbox(name: "Trial") }
        _ = try await fixture.change { try $0.advanceClock(of: sandbox.id, .byMilliseconds(1)) }
        let text = await message { try await fixture.change { try $0.advanceClock(of: sandbox.id, move) } }
        #expect(text.contains("ten years"), "\(text)")
    }

    @Test func `a tenant without an account gets one of the mode that is asked for`() async throws {
        let fixture = try BillingFixture()
        for (mode, expected) in [(nil, AccountMode.live), (.live, .live), (.test, .test)]
            as [(AccountMode?, AccountMode)]
        {
            let tenant = try await fixture.change { try $0.createTenant(name: "T", account: nil, mode: mode) }.tenant
            let account = try await fixture.service.read(by: .clerk) { try $0.account(tenant.accountID) }
            #expect(account.mode == expected)
            let text = await message {
                try await fixture.change { try $0.createTenant(name: "U", account: account.id, mode: .test) }
            }
            #expect(text.contains("say an account or a mode"), "\(text)")
        }
    }
}
