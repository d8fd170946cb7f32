public import Postgres

/// What a snapshot of the gateways depends on. Each change carries a number; gateways apply them in its order.
public enum SnapshotChangeKind: String, CaseIterable, Sendable {
    case account
    case tenant
    case key
    case subscription
    case plan
    case catalogue
    case clock
}

/// The numbered changes that gateways must learn of.
public enum ChangeStorage {
    /// The channel on which Postgres tells that there is a new change; the payload is its number.
    public static let channel = "tollgate_changes"

    /// Records a change in the transaction that makes it. The lock that this takes is held until the commit, so that
    /// numbers become visible in their order.
    @discardableResult
    public static func record(_ kind: SnapshotChangeKind, entity: String, in tx: Transaction) throws -> Int64 {
        try tx.query("SELECT record_change(\(kind.rawValue), \(entity))").onlyValue()
    }

    /// The newest change; 0 when there was none.
    public static func latest(in tx: Transaction) throws -> Int64 {
        try tx.query("SELECT coalesce(max(number), 0) FROM snapshot_changes").onlyValue()
    }
}
