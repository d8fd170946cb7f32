public import Accounts
public import Storage

extension ReadSession {
    /// A page of the audit trail.
    public func auditEntries(
        _ filter: AuditStorage.Filter, _ page: PageRequest = PageRequest()
    ) throws -> Page<AuditEntry> {
        try look(.read(.audit)) { try AuditStorage.list(filter, page, in: $0) }
    }

    /// Follows every chain, or one, from its first entry to its head.
    public func verifyAuditTrail(_ only: AuditChain? = nil) throws -> AuditReport {
        try look(.read(.audit)) { tx in
            let report = try AuditReport(of: only.map { [$0] }, in: tx)
            if let only, report.chains.isEmpty, report.faults.isEmpty {
                throw StorageError.notFound("account \(only)")
            }
            return report
        }
    }
}

/// What following the chains showed.
public struct AuditReport: Hashable, Sendable {
    public struct Chain: Hashable, Sendable {
        public let chain: AuditChain
        public let head: AuditHead
    }

    /// With their heads: who keeps one elsewhere can tell that the chain was not written anew.
    public var chains: [Chain] = []
    public var entryCount = 0
    public var faults: [AuditFault] = []

    /// Entries in memory at a time.
    static let entriesAtATime = 1000

    /// Follows these chains, or all, from their first entries to their heads.
    public init(of only: Set<AuditChain>? = nil, in tx: DatabaseTransaction) throws {
        for (chain, head) in try AuditStorage.chains(in: tx) where only?.contains(chain) != false {
            guard let head else {
                faults.append(AuditFault(chain, 0, "the chain has no head"))
                continue
            }
            var verification = AuditVerification(chain, endingAt: head)
            var number: Int64 = 0
            while true {
                let entries = try AuditStorage.entries(of: chain, after: number, limit: Self.entriesAtATime, in: tx)
                for entry in entries { verification.take(entry) }
                guard entries.count == Self.entriesAtATime, let last = entries.last else { break }
                number = last.number
            }
            verification.finish()
            chains.append(Chain(chain: chain, head: head))
            entryCount += verification.entryCount
            faults += verification.faults
        }
    }
}
