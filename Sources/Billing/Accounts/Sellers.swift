public import Invoicing
import Storage

extension ReadSession {
    /// Nil until someone said who it is.
    public func seller() throws -> Seller? {
        try look(.read(.seller)) { try SellerStorage.find(in: $0) }
    }

    /// `.conflict` until someone said who it is.
    public func requiredSeller() throws -> Seller {
        try look(.read(.seller)) { try SellerStorage.require(in: $0) }
    }
}

extension WriteSession {
    /// Says who sends the invoices. Final ones keep what they show.
    public func setSeller(_ seller: Seller) throws -> Seller {
        try change(.sellerUpdated) { tx in
            let before = try SellerStorage.lock(in: tx)
            try SellerStorage.set(seller, in: tx)
            return .made(seller, .seller("seller", before: before?.facts, after: seller.facts))
        }
    }
}
