public import Accounts
public import Identity
public import Storage

/// Deleting what was tried out.
extension ReadSession {
    /// What is left of a sandbox's accounts, once it was deleted.
    public func tombstones(of id: SandboxID) throws -> [Tombstone] {
        try look(.read(.accounts)) { try DeletionStorage.tombstones(of: id, in: $0) }
    }
}

extension WriteSession {
    /// What stands with accounts of a deleted sandbox until their rows are gone.
    static let holdReason = "the sandbox was deleted; its rows are being removed"

    /// Deletes a sandbox: its keys are refused from now on, what still comes in of its accounts is dropped, and their
    /// rows are removed by `removeDeletedAccounts`. The audit trail stays. Deleting it again changes nothing.
    @discardableResult
    public func deleteSandbox(_ id: SandboxID) throws -> Sandbox {
        let before = try look(.read(.accounts)) { try SandboxStorage.lock(id, in: $0) }
        guard before.deletedAt == nil else { return before }
        let accounts = try accounts(of: id)
        try change(.sandboxDeleted) { tx in
            for account in accounts {
                try AccountStorage.lock(account, in: tx)
                if let number = try DeletionStorage.legalNumber(of: account, in: tx) {
                    throw StorageError.conflict(
                        "account \(account) has \(number), a number of the legal series: its documents have to be kept")
                }
            }
            // Before anything that gateways must learn of: its lock comes after those of journals.
            try DeletionStorage.waitForIngest(in: tx)
            try DeletionStorage.markDeleted(id, at: now, in: tx)
            return .made((), .seller(id, before: before.facts(accounts: accounts), after: nil))
        }
        for account in accounts { try bury(account, of: id) }
        return try sandbox(id)
    }

    private func bury(_ id: AccountID, of sandbox: SandboxID) throws {
        try change(.accountDeleted) { tx in
            let before = try AccountStorage.require(id, months: .none, in: tx)
            try AccountStorage.putOnHold(id, reason: Self.holdReason, in: tx)
            try APIKeyStorage.revokeAll(of: id, now: now, in: tx)
            try LimitStorage.deleteAll(of: id, in: tx)
            try DeletionStorage.bury(id, of: sandbox, at: now, in: tx)
            // The poster has nothing to do with it any more.
            try UnpostedStorage.forget(id, in: tx)
            return .made((), .account(id, id, before: before.facts, after: nil))
        }
    }
}
