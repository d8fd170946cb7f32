public import Engines
public import Identity
public import Storage

/// What a gateway would find wrong in a database, without being one.
public enum SnapshotInspection {
    /// Everything that is out of service, by kind and name. Run it in a REPEATABLE READ transaction.
    public static func faults(
        keyring: SecretKeyring?, now: Timestamp, in tx: DatabaseTransaction
    ) throws -> [ServiceFault] {
        var state = SnapshotState(now: now)
        _ = try SnapshotStorage.load(now: now, in: tx) { state.apply($0, now: now) }
        let found = state.snapshot(at: now, keyring: { keyring }).faults
        let accounts = try AccountStorage.faults(in: tx)
        return (found.union(accounts)).sorted { ($0.kind.rawValue, $0.name) < ($1.kind.rawValue, $1.name) }
    }
}
