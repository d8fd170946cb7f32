public import Accounts
public import Identity
public import Monetary
public import Storage

extension ReadSession {
    /// A page of all accounts, or of those of a mode.
    public func accounts(
        mode: AccountMode? = nil, _ page: PageRequest = PageRequest()
    ) throws -> Page<Account> {
        try look(.read(.accounts)) { try AccountStorage.list(mode: mode, page, in: $0) }
    }

    public func accountIDs(mode: AccountMode? = nil) throws -> [AccountID] {
        try look(.read(.accounts)) { try AccountStorage.ids(mode: mode, in: $0) }
    }

    public func account(_ id: AccountID) throws -> Account {
        try look(.read(.accounts)) { try AccountStorage.require(id, in: $0) }
    }
}

extension WriteSession {
    /// Opens a billing account. Currency, zone, mode and sandbox never change; a test account that joins no sandbox is
    /// one of its own. Where no mode is said, it is the installation's.
    public func openAccount(
        name: String, currency: Currency, calendar: BillingCalendar, billing: BillingDetails = BillingDetails(),
        mode: AccountMode? = nil, joining sandboxID: SandboxID? = nil
    ) throws -> Account {
        try change(.accountCreated) { tx in
            let id = Randomness.id(at: now, AccountID.self)
            let unsaid = try InstallationStorage.defaultAccountMode(in: tx)
            let sandbox = try sandbox(for: id, named: name, mode: mode ?? unsaid, joining: sandboxID, in: tx)
            let account = Account(
                id: id, name: name, currency: currency, calendar: calendar, billing: billing, sandboxID: sandbox?.id,
                clock: sandbox?.clock ?? TestClock(), createdAt: now)
            try AccountStorage.insert(account, in: tx)
            return .made(account, .account(account.id, account.id, after: account.facts))
        }
    }

    /// Says what accounts are where nobody says it.
    public func setDefaultAccountMode(_ mode: AccountMode) throws {
        try change(.installationUpdated) { tx in
            let before = try InstallationStorage.lockDefaultAccountMode(in: tx)
            guard before != mode else { return .nothing(()) }
            try InstallationStorage.setDefaultAccountMode(mode, in: tx)
            return .made(
                (),
                .seller(
                    "installation", before: ["default_account_mode": .text(before.rawValue)],
                    after: ["default_account_mode": .text(mode.rawValue)]))
        }
    }

    /// Changes the name or what stands on invoices; nil leaves it as it is.
    public func updateAccount(
        _ id: AccountID, name: String?, billing: (BillingDetails) -> BillingDetails
    ) throws -> Account {
        try change(.accountUpdated) { tx in
            try AccountStorage.lock(id, in: tx)
            let before = try AccountStorage.require(id, in: tx)
            try AccountStorage.update(id, name: name ?? before.name, billing: billing(before.billing), in: tx)
            return try updated(before, in: tx)
        }
    }

    /// Takes an account back into invoice runs.
    public func resumeAccount(_ id: AccountID) throws -> Account {
        try change(.accountResumed) { tx in
            try AccountStorage.lock(id, in: tx)
            let before = try AccountStorage.require(id, in: tx)
            try AccountStorage.putOnHold(id, reason: nil, in: tx)
            return try updated(before, in: tx)
        }
    }

    private func updated(_ before: Account, in tx: DatabaseTransaction) throws -> Change<Account> {
        let after = try AccountStorage.require(before.id, in: tx)
        return .made(after, .account(after.id, after.id, before: before.facts, after: after.facts))
    }
}
