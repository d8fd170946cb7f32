public import Accounts
public import Identity
public import Monetary
public import Storage

extension ReadSession {
    public func accounts(_ page: PageRequest = PageRequest()) throws -> Page<Account> {
        try look(.read(.accounts)) { try AccountStorage.list(page, in: $0) }
    }

    public func accountIDs() throws -> [AccountID] {
        try look(.read(.accounts)) { try AccountStorage.ids(in: $0) }
    }

    public func account(_ id: AccountID) throws -> Account {
        try look(.read(.accounts)) { try AccountStorage.require(id, in: $0) }
    }
}

extension WriteSession {
    /// Opens a billing account. Currency and zone never change.
    public func openAccount(
        name: String, currency: Currency, calendar: BillingCalendar, billing: BillingDetails = BillingDetails()
    ) throws -> Account {
        try change(.accountCreated) { tx in
            let account = Account(
                id: Randomness.id(at: now), name: name, currency: currency, calendar: calendar, billing: billing,
                createdAt: now)
            try AccountStorage.insert(account, in: tx)
            return .made(account, .account(account.id, account.id, after: account.facts))
        }
    }

    /// Changes the name or what stands on invoices; nil leaves it as it is.
    public func updateAccount(
        _ id: AccountID, name: String?, billing: (BillingDetails) -> BillingDetails
    ) throws -> Account {
        try change(.accountUpdated) { tx in
            try AccountStorage.hold(id, in: tx)
            let before = try AccountStorage.require(id, in: tx)
            try AccountStorage.update(id, name: name ?? before.name, billing: billing(before.billing), in: tx)
            return try updated(before, in: tx)
        }
    }

    /// Moves an account's test clock on to an instant of billing time.
    public func advanceClock(of id: AccountID, to instant: Timestamp) throws -> Account {
        try change(.accountClockAdvanced) { tx in
            try AccountStorage.hold(id, in: tx)
            let before = try AccountStorage.require(id, in: tx)
            try ClockStorage.advance(id, to: instant, now: now, in: tx)
            return try updated(before, in: tx)
        }
    }

    /// Takes an account back into invoice runs.
    public func resumeAccount(_ id: AccountID) throws -> Account {
        try change(.accountResumed) { tx in
            try AccountStorage.hold(id, in: tx)
            let before = try AccountStorage.require(id, in: tx)
            try AccountStorage.park(id, reason: nil, in: tx)
            return try updated(before, in: tx)
        }
    }

    private func updated(_ before: Account, in tx: DatabaseTransaction) throws -> Change<Account> {
        let after = try AccountStorage.require(before.id, in: tx)
        return .made(after, .account(after.id, after.id, before: before.facts, after: after.facts))
    }
}
