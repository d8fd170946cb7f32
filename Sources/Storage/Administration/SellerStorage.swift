public import Invoicing
public import Postgres

/// Who sends the invoices: one row for the installation.
public enum SellerStorage {
    /// The seller; nil until someone said who it is.
    public static func find(in tx: Transaction) throws -> Seller? {
        try tx.query(
            """
            SELECT name, address, tax_id, email, payment_terms_days, payment_instructions FROM seller
            """
        ).first.map { row in
            Seller(
                name: try row.decode("name"), address: try row.decode("address"), taxID: try row.decode("tax_id"),
                email: try row.decode("email"), paymentTermsDays: try row.decode("payment_terms_days"),
                paymentInstructions: try row.decode("payment_instructions"))
        }
    }

    /// The seller; `.conflict` until someone said who it is.
    public static func require(in tx: Transaction) throws -> Seller {
        guard let seller = try find(in: tx) else {
            throw StorageError.conflict(
                "there is no seller yet: say with `tollgate seller set` (or PUT /v1/seller) who sends the invoices")
        }
        return seller
    }

    /// The seller, which nobody else sets until the transaction ends.
    public static func lock(in tx: Transaction) throws -> Seller? {
        try tx.execute("SELECT pg_advisory_xact_lock(hashtext('tollgate.seller'))")
        return try find(in: tx)
    }

    /// Says who the seller is. Invoices that are finalized keep what they show.
    public static func set(_ seller: Seller, in tx: Transaction) throws {
        guard !seller.name.isEmpty else {
            throw StorageError.invalid(parameter: "name", message: "the seller needs a name")
        }
        guard (0...365).contains(seller.paymentTermsDays) else {
            throw StorageError.invalid(parameter: "payment_terms_days", message: "terms are 0 to 365 days")
        }
        try tx.execute(
            """
            INSERT INTO seller (name, address, tax_id, email, payment_terms_days, payment_instructions)
            VALUES (
                \(seller.name), \(seller.address), \(seller.taxID), \(seller.email), \(seller.paymentTermsDays),
                \(seller.paymentInstructions)
            )
            ON CONFLICT (singleton) DO UPDATE SET name = excluded.name, address = excluded.address,
                tax_id = excluded.tax_id, email = excluded.email, payment_terms_days = excluded.payment_terms_days,
                payment_instructions = excluded.payment_instructions
            """)
    }
}
