import FoundationEssentials

/// What an invoice would say now, and what is missing from it: usage that waits in suspense is on no invoice, and holds
/// up this one until it is rated or waived.
public struct InvoicePreview: Hashable, Sendable, Encodable {
    /// Nil where there is nothing to bill.
    public let document: InvoiceDocument?
    /// Records of the month and of months before it that wait in suspense, by stable code.
    public let suspended: [String: Int64]

    public init(document: InvoiceDocument?, suspended: [String: Int64]) {
        self.document = document
        self.suspended = suspended
    }

    /// How many records wait.
    public var suspendedCount: Int64 { suspended.values.reduce(0, +) }

    /// A sentence about what waits; nil where nothing does.
    public var warning: String? {
        guard suspendedCount > 0 else { return nil }
        let reasons = suspended.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
        return
            "\(suspendedCount) usage records wait in suspense (\(reasons)): they are not in it, and it cannot become "
            + "final before they are rated or waived"
    }

    private enum CodingKeys: String, CodingKey {
        case suspended
    }

    private struct Suspended: Encodable {
        let records: Int64
        let by_reason: [String: Int64]
    }

    /// The document's members, and beside them `suspended` where something waits.
    public func encode(to encoder: any Encoder) throws {
        try document?.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        guard suspendedCount > 0 else { return }
        try container.encode(Suspended(records: suspendedCount, by_reason: suspended), forKey: .suspended)
    }

    /// In the form of the document's own; the same bytes where nothing waits.
    public func canonicalJSON() throws -> String { try CanonicalJSON.text(of: self) }
}
