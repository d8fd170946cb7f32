import Accounts
public import Identity
public import Storage

extension ReadSession {
    public func journals(includingRetired: Bool = true) throws -> [RegisteredJournal] {
        try look(.read(.journals)) { try JournalStorage.list(includingRetired: includingRetired, in: $0) }
    }

    /// Places that could not be read, of a journal or of all.
    public func journalDamage(of journal: JournalID? = nil) throws -> [StoredQuarantine] {
        try look(.read(.journals)) { try QuarantineStorage.list(journal: journal, in: $0) }
    }
}

extension WriteSession {
    /// Says that someone looked at what could not be read: of one place, or of all places of a journal. Returns how
    /// many were held.
    public func releaseJournalDamage(of id: JournalID, at mark: JournalPosition?, reason: String) throws -> Int {
        try change(.journalDamageReleased, reason: reason) { tx in
            let count = try QuarantineStorage.release(
                id, at: mark, reason: reason, actor: actor.principal.description, now: now, in: tx)
            return .made(
                count,
                .seller(
                    id,
                    after: [
                        "journal": "\(id)", "position": .optional(mark), "places": .number(Int64(count)),
                        "reason": .text(reason),
                    ]))
        }
    }

    /// Says that a journal is lost for good, so that periods close without it.
    public func retireJournal(_ id: JournalID, reason: String) throws -> RegisteredJournal {
        try change(.journalRetired, reason: reason) { tx in
            let before = try JournalStorage.require(id, in: tx)
            try JournalStorage.retire(id, reason: reason, now: now, in: tx)
            let after = try JournalStorage.require(id, in: tx)
            return .made(after, .seller(id, before: before.facts, after: after.facts))
        }
    }
}
