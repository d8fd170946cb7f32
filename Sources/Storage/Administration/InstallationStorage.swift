public import Accounts
public import Postgres

/// What all gateways of an installation share: one row, made with the schema.
public enum InstallationStorage {
    /// The secret under which gateways seal ids of files and batches. It never changes: whatever was sealed under it
    /// would belong to nobody.
    public static func sealingSecret(in tx: Transaction) throws -> [UInt8] {
        let rows = try tx.query("SELECT sealing_secret FROM installation")
        guard let row = rows.first else { throw StorageError.corrupt("the installation has no row of its own") }
        return try row.decode("sealing_secret", as: Bytes.self).array
    }

    /// What an account is where nobody says it.
    public static func defaultAccountMode(in tx: Transaction) throws -> AccountMode {
        try tx.query("SELECT default_account_mode FROM installation").only().value("default_account_mode")
    }

    /// The same, held until the transaction ends.
    public static func lockDefaultAccountMode(in tx: Transaction) throws -> AccountMode {
        try tx.query("SELECT default_account_mode FROM installation FOR UPDATE").only().value("default_account_mode")
    }

    public static func setDefaultAccountMode(_ mode: AccountMode, in tx: Transaction) throws {
        try tx.execute("UPDATE installation SET default_account_mode = \(mode.rawValue)")
    }

    /// Whether accounts are on several nodes, so that what one transaction writes of an account and of the seller is
    /// not seen at one moment.
    public static func isDistributed(in tx: Transaction) throws -> Bool {
        try tx.query("SELECT is_distributed FROM installation").first.map { try $0.decode("is_distributed") } ?? false
    }
}
