public import Accounts
public import Identity
public import Storage

/// What becomes of a clock.
public enum ClockMove: Hashable, Sendable {
    /// Billing time.
    case to(Timestamp)
    case byMilliseconds(Int64)
}

extension ReadSession {
    public func sandboxes(_ page: PageRequest = PageRequest()) throws -> Page<Sandbox> {
        try look(.read(.accounts)) { try SandboxStorage.list(page, in: $0) }
    }

    public func sandbox(_ id: SandboxID) throws -> Sandbox {
        try look(.read(.accounts)) { try SandboxStorage.require(id, in: $0) }
    }

    public func accounts(of id: SandboxID) throws -> [AccountID] {
        try look(.read(.accounts)) { try SandboxStorage.accounts(of: id, in: $0) }
    }

    /// The moves of a sandbox's clock, the first one first.
    public func clockMoves(of id: SandboxID) throws -> [SandboxMove] {
        try look(.read(.accounts)) { tx in
            _ = try SandboxStorage.require(id, in: tx)
            return try SandboxStorage.moves(of: id, in: tx)
        }
    }
}

extension WriteSession {
    /// The furthest that a test clock may be ahead: ten years.
    public static let clockOffsetMillisecondsMax: Int64 = 3_653 * 86_400_000

    /// Makes a sandbox, for test accounts that shall share a clock.
    public func createSandbox(name: String) throws -> Sandbox {
        try change(.sandboxCreated) { tx in
            let sandbox = Sandbox(id: Randomness.id(at: now), name: name, createdAt: now)
            try SandboxStorage.insert(sandbox, in: tx)
            return .made(sandbox, .seller(sandbox.id, after: sandbox.facts(accounts: [])))
        }
    }

    /// Moves a sandbox's clock on: billing time of all its accounts, together.
    public func advanceClock(of id: SandboxID, _ move: ClockMove) throws -> Sandbox {
        try change(.sandboxClockAdvanced) { tx in
            let before = try SandboxStorage.lock(id, in: tx)
            guard before.deletedAt == nil else { throw ClockRefusal.deleted(id) }
            let accounts = try SandboxStorage.accounts(of: id, in: tx)
            try advance(before, move, accounts, in: tx)
            let after = try SandboxStorage.require(id, in: tx)
            return .made(
                after,
                .seller(id, before: before.facts(accounts: accounts), after: after.facts(accounts: accounts)))
        }
    }

    /// Moves the clock of an account that is alone in its sandbox on to an instant of billing time.
    public func advanceClock(of id: AccountID, to instant: Timestamp) throws -> Account {
        try change(.accountClockAdvanced) { tx in
            guard let sandboxID = try AccountStorage.require(id, in: tx).sandboxID else { throw ClockRefusal.live(id) }
            let sandbox = try SandboxStorage.lock(sandboxID, in: tx)
            guard sandbox.deletedAt == nil else { throw ClockRefusal.deleted(sandboxID) }
            let before = try AccountStorage.require(id, in: tx)
            let accounts = try SandboxStorage.accounts(of: sandboxID, in: tx)
            guard accounts == [id] else { throw ClockRefusal.shared(id, sandboxID, count: accounts.count) }
            try advance(sandbox, .to(instant), accounts, in: tx)
            let after = try AccountStorage.require(id, in: tx)
            return .made(after, .account(id, id, before: before.facts, after: after.facts))
        }
    }

    private func advance(
        _ sandbox: Sandbox, _ move: ClockMove, _ accounts: [AccountID], in tx: DatabaseTransaction
    ) throws {
        let (offset, billingTime) = (sandbox.clock.offsetMilliseconds, sandbox.billingTime(at: now))
        let target: Int64
        switch move {
        case .to(let instant):
            guard instant >= billingTime else { throw ClockRefusal.back(sandbox.id, billingTime) }
            target = instant.milliseconds - now.milliseconds
        case .byMilliseconds(let step):
            guard step >= 0 else { throw ClockRefusal.back(sandbox.id, billingTime) }
            target = offset + min(step, Self.clockOffsetMillisecondsMax)
        }
        guard target <= Self.clockOffsetMillisecondsMax else {
            throw StorageError.invalid(
                parameter: "to",
                message: "a clock may be at most \(Self.clockOffsetMillisecondsMax) ms (ten years) ahead"
            )
        }
        if target == offset { return }
        guard sandbox.clock.moves.count < TestClock.movesMax else { throw ClockRefusal.movedTooOften(sandbox.id) }
        for account in accounts { try AccountStorage.lock(account, in: tx) }
        try SandboxStorage.insert(
            SandboxMove(
                sandboxID: sandbox.id, number: Int64(sandbox.clock.moves.count + 1),
                // Two moves may have begun in another order than they are made in.
                movedAt: max(now, sandbox.clock.moves.last?.at ?? now), fromMilliseconds: offset,
                toMilliseconds: target, movedBy: "\(actor.principal)"),
            accounts: accounts, in: tx)
    }

    /// The sandbox of a new account: the one that was named, or one of its own.
    func sandbox(
        for account: AccountID, named name: String, mode: AccountMode, joining id: SandboxID?,
        in tx: DatabaseTransaction
    ) throws -> Sandbox? {
        switch (mode, id) {
        case (.live, nil): return nil
        case (.live, _?):
            throw StorageError.invalid(parameter: "sandbox", message: "only a test account has one: say mode test")
        case (.test, let id?):
            let sandbox = try SandboxStorage.lock(id, in: tx)
            guard sandbox.deletedAt == nil else { throw ClockRefusal.deleted(id) }
            guard try SandboxStorage.accounts(of: id, in: tx).count < Sandbox.accountsMax else {
                throw StorageError.conflict("sandbox \(id) has \(Sandbox.accountsMax) accounts, and no more fit in")
            }
            return sandbox
        case (.test, nil):
            let sandbox = Sandbox(id: Sandbox.id(ofItsOwn: account), name: name, createdAt: now)
            try SandboxStorage.insert(sandbox, in: tx)
            return sandbox
        }
    }
}

/// Why a clock stays where it is.
enum ClockRefusal {
    static func live(_ account: AccountID) -> StorageError {
        .conflict(
            "account \(account) is live: its billing time is real time, and its clock cannot be moved. To try "
                + "something out, open an account with mode test")
    }

    static func shared(_ account: AccountID, _ sandbox: SandboxID, count: Int) -> StorageError {
        .conflict(
            "account \(account) shares its clock with \(count - 1) others: move that of sandbox \(sandbox), and "
                + "with it all of them")
    }

    static func deleted(_ sandbox: SandboxID) -> StorageError {
        .conflict("sandbox \(sandbox) was deleted: make another one")
    }

    static func back(_ sandbox: SandboxID, _ billingTime: Timestamp) -> StorageError {
        .conflict(
            "billing time of sandbox \(sandbox) is \(billingTime) already and never goes back: choose a later instant")
    }

    static func movedTooOften(_ sandbox: SandboxID) -> StorageError {
        .conflict("the clock of sandbox \(sandbox) was moved \(TestClock.movesMax) times: go on in a new one")
    }
}
