public import Accounts
public import Identity
public import Storage

/// Opens transactions for whoever wants to look at something or change it. The use cases are functions of the sessions
/// that it hands out; nothing else of the program writes what they write.
public struct BillingService: Sendable {
    let database: Database
    /// Real time.
    let now: @Sendable () -> Timestamp

    public init(_ database: Database, now: @escaping @Sendable () -> Timestamp) {
        self.database = database
        self.now = now
    }

    /// Looks at things, all of one moment.
    public func read<Result: Sendable>(
        by actor: Actor, _ body: @Sendable (ReadSession) throws -> Result
    ) async throws -> Result {
        let now = now()
        return try await database.read { try body(ReadSession($0, actor, now: now)) }
    }

    /// Changes things, for the reason that the actor gives: all of what the closure does is one transaction, with its
    /// audit entries and events. It runs again on a deadlock, so it must change nothing else.
    public func change<Result: Sendable>(
        by actor: Actor, _ body: @Sendable (WriteSession) throws -> Result
    ) async throws -> Result {
        try WriteSession.requireLength(of: actor.reason, parameter: "reason")
        let now = now()
        return try await database.write { tx in
            let session = WriteSession(tx, actor, now: now)
            let result = try body(session)
            try session.finish()
            return result
        }
    }

    /// Throws where the database does not answer.
    public func requireDatabase() async throws {
        _ = try await database.read { try ChangeStorage.latest(in: $0) }
    }

    /// Forgets answers that were kept for repeated calls and that nobody will ask for any more.
    public func forgetExpiredCalls() async throws {
        let now = now()
        try await database.write { _ = try IdempotencyStorage.removeExpired(now: now, in: $0) }
    }

    /// What became of deleted accounts.
    public struct Removal: Sendable {
        /// How many are gone.
        public var count = 0
        /// Those whose rows do not go, and why; the others are removed all the same.
        public var failures: [(account: AccountID, reason: String)] = []
    }

    /// Removes what is left of deleted accounts, of all sandboxes or of one, in transactions of bounded size; whoever
    /// is cut short goes on where the last one ended. `progress` hears how many of how many accounts are done.
    public func removeDeletedAccounts(
        of sandbox: SandboxID? = nil, rowsAtATime: Int = DeletionStorage.rowsMax,
        progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) async throws -> Removal {
        let accounts = try await database.read { try DeletionStorage.notEmpty(of: sandbox, in: $0) }
        var removal = Removal()
        for (index, account) in accounts.enumerated() {
            do {
                try await remove(account, rowsAtATime)
                removal.count += 1
            } catch {
                if error is CancellationError || DatabaseFailure(error) == .unavailable { throw error }
                removal.failures.append((account, "\(error)"))
            }
            progress(index + 1, accounts.count)
        }
        return removal
    }

    private func remove(_ account: AccountID, _ rowsAtATime: Int) async throws {
        var isGone = false
        while !isGone {
            try Task.checkCancellation()
            let now = now()
            isGone = try await database.write { tx in
                try DeletionStorage.empty(account, rowsMax: rowsAtATime, at: now, in: tx)
            }
        }
    }

    /// The admin key of a secret, if it was not revoked: how an actor is known.
    public func adminKey(of secret: Secret) async throws -> AdminKey? {
        try await database.read { try AdminKeyStorage.find(secretDigest: secret.digest, in: $0) }
    }
}

// MARK: - Work of several transactions

extension BillingService {
    /// What is done to single invoices.
    public func invoiceActions(by actor: Actor) -> InvoiceActions { InvoiceActions(database: database, by: actor) }

    /// Usage that waits for a price.
    public func suspenseActions(by actor: Actor) -> SuspenseActions { SuspenseActions(database: database, by: actor) }

    /// Credits of customers that leave.
    public func creditActions(by actor: Actor) -> CreditActions { CreditActions(database: database, by: actor) }

    /// Makes the invoices of a month.
    public func invoiceRun(_ options: InvoiceRun.Options, by actor: Actor) -> InvoiceRun {
        InvoiceRun(database: database, by: actor, options: options)
    }

    /// Where an account's promises stand in a month: judged now, or as the month was closed.
    public func serviceLevels(
        of account: AccountID, month: CivilMonth, by actor: Actor
    ) async throws -> ServiceLevelReport {
        try actor.require(.read(.serviceLevels))
        return try await ServiceLevelReport.make(account: account, month: month, now: now(), database: database)
    }
}
