public import Identity
public import Limits
public import Storage

extension ReadSession {
    public func limits(
        account: AccountID? = nil, scope: LimitScope? = nil, _ page: PageRequest = PageRequest()
    ) throws -> Page<StoredLimit> {
        try look(.read(.limits)) { try LimitStorage.list(account: account, scope: scope, page, in: $0) }
    }

    public func limit(_ id: LimitID) throws -> StoredLimit {
        try look(.read(.limits)) { try LimitStorage.require(id, in: $0) }
    }
}

extension WriteSession {
    /// Creates a limit of what the requests of a scope may use; `model` may be an alias, nil is for all models.
    public func createLimit(
        _ kind: LimitKind, of scope: LimitScope, model: String?, value: Int64, isShadow: Bool
    ) throws -> StoredLimit {
        try change(.limitCreated) { tx in
            let rule = LimitRule(
                id: Randomness.id(at: now), accountID: try LimitStorage.account(of: scope, in: tx), scope: scope,
                model: model, kind: kind, value: value, isShadow: isShadow)
            try LimitStorage.insert(rule, now: now, in: tx)
            let limit = try LimitStorage.require(rule.id, in: tx)
            return .made(limit, .account(rule.accountID, rule.id, after: limit.facts))
        }
    }

    /// Changes a limit's value or whether it is enforced; nil leaves it as it is.
    public func updateLimit(_ id: LimitID, value: Int64?, isShadow: Bool?) throws -> StoredLimit {
        try change(.limitUpdated) { tx in
            let before = try LimitStorage.lock(id, in: tx)
            let after = try LimitStorage.update(id, value: value, isShadow: isShadow, now: now, in: tx)
            return .made(after, .account(after.rule.accountID, id, before: before.facts, after: after.facts))
        }
    }

    /// Creates the one limit of this sort, or changes the value of the one that is there.
    public func setLimit(
        _ kind: LimitKind, of scope: LimitScope, model: String?, value: Int64, isShadow: Bool
    ) throws -> StoredLimit {
        let old = try look(.read(.limits)) { tx in
            try LimitStorage.find(
                scope, model: LimitStorage.model(named: model, in: tx), kind: kind, isShadow: isShadow, in: tx)
        }
        if let old { return try updateLimit(old.rule.id, value: value, isShadow: nil) }
        return try createLimit(kind, of: scope, model: model, value: value, isShadow: isShadow)
    }

    /// Deletes a limit and returns it as it was.
    public func deleteLimit(_ id: LimitID) throws -> StoredLimit {
        try change(.limitDeleted) { tx in
            let before = try LimitStorage.lock(id, in: tx)
            try LimitStorage.delete(id, in: tx)
            return .made(before, .account(before.rule.accountID, id, before: before.facts))
        }
    }
}
