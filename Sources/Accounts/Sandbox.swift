public import Identity

/// Whether an account's invoices are meant. It is so from the account's beginning and never changes.
public enum AccountMode: String, CaseIterable, Hashable, Sendable {
    case live
    /// For trying out: with a clock that can be moved, numbers of its own series, and no part in what is summed up.
    case test

    /// The accounts that are asked for where nobody said a mode: all where they are named, else those that pay.
    public static func asked(_ mode: AccountMode?, isNamed: Bool) -> AccountMode? {
        mode ?? (isNamed ? nil : .live)
    }
}

/// Test accounts that share a clock. A test account that nobody put into one is a sandbox of its own.
public struct Sandbox: Hashable, Sendable, Identifiable {
    public let id: SandboxID
    public let name: String
    public let clock: TestClock
    public let createdAt: Timestamp
    /// When it was deleted, with all that its accounts had; nil while it is there.
    public let deletedAt: Timestamp?

    /// The most accounts that share a clock.
    public static let accountsMax = 1000

    public init(
        id: SandboxID, name: String, clock: TestClock = TestClock(), createdAt: Timestamp, deletedAt: Timestamp? = nil
    ) {
        self.id = id
        self.name = name
        self.clock = clock
        self.createdAt = createdAt
        self.deletedAt = deletedAt
    }

    /// The sandbox that an account is by itself.
    public static func id(ofItsOwn account: AccountID) -> SandboxID { SandboxID(account.uuid) }

    public func billingTime(at now: Timestamp) -> Timestamp {
        now.advanced(byMilliseconds: clock.offsetMilliseconds)
    }
}

/// One move of a sandbox's clock, as it is kept.
public struct SandboxMove: Hashable, Sendable {
    public let sandboxID: SandboxID
    /// Counts from 1 in each sandbox.
    public let number: Int64
    /// Real time.
    public let movedAt: Timestamp
    /// Billing time minus real time, before and after.
    public let fromMilliseconds: Int64
    public let toMilliseconds: Int64
    /// Who moved it.
    public let movedBy: String

    public init(
        sandboxID: SandboxID, number: Int64, movedAt: Timestamp, fromMilliseconds: Int64, toMilliseconds: Int64,
        movedBy: String
    ) {
        self.sandboxID = sandboxID
        self.number = number
        self.movedAt = movedAt
        self.fromMilliseconds = fromMilliseconds
        self.toMilliseconds = toMilliseconds
        self.movedBy = movedBy
    }

    /// Billing time just before and after the move.
    public var from: Timestamp { movedAt.advanced(byMilliseconds: fromMilliseconds) }
    public var to: Timestamp { movedAt.advanced(byMilliseconds: toMilliseconds) }
}
