public import Identity
public import Storage

extension ReadSession {
    /// Sums of usage; the query's model may be an alias.
    public func usageSums(_ query: UsageQuery) throws -> UsageSums {
        try look(.read(.usage)) { tx in
            var query = query
            query.model = try query.model.map { try CatalogueStorage.ownName(of: $0, in: tx) ?? $0 }
            return try UsageStorage.sums(query, in: tx)
        }
    }

    /// A page of single requests; the filter's model may be an alias.
    public func usageRecords(_ filter: RecordFilter, _ page: PageRequest = PageRequest()) throws -> Page<StoredRequest>
    {
        try look(.read(.usage)) { tx in
            var filter = filter
            filter.model = try filter.model.map { try CatalogueStorage.ownName(of: $0, in: tx) ?? $0 }
            return try RecordStorage.list(filter, page, in: tx)
        }
    }

    public func usageRecord(_ id: RequestID) throws -> StoredRequest? {
        try look(.read(.usage)) { try RecordStorage.find(id, in: $0) }
    }

    /// A page of what waits in suspense, or of all that ever did.
    public func suspendedUsage(
        _ filter: SuspenseFilter, unresolvedOnly: Bool = true, _ page: PageRequest = PageRequest()
    ) throws -> Page<SuspendedUsage> {
        try look(.read(.suspense)) { try SuspenseStorage.list(filter, unresolvedOnly: unresolvedOnly, page, in: $0) }
    }

    /// How much waits in suspense, by stable code.
    public func waitingSuspense() throws -> [SuspenseStorage.Waiting] {
        try look(.read(.suspense)) { try SuspenseStorage.waiting(in: $0) }
    }

    /// What waits in suspense, or did.
    public func suspendedUsage(_ attempt: AttemptID, of account: AccountID) throws -> SuspendedUsage {
        try look(.read(.suspense)) { try SuspenseStorage.require(attempt, of: account, in: $0) }
    }
}
