public import Accounts
import FoundationEssentials
public import Identity

/// What an invoice would say now, and what is missing from it: usage that waits in suspense is on no invoice, and holds
/// up this one until it is rated or waived.
public struct InvoicePreview: Hashable, Sendable, Encodable {
    /// Nil where there is nothing to bill.
    public let document: InvoiceDocument?
    /// Records of the month and of months before it that wait in suspense, by stable code.
    public let suspended: [String: Int64]
    /// The draft of the month, where there is one that says something else by now.
    public let staleDraft: InvoiceID?
    /// The first earlier month that has something to bill and is not invoiced. What its invoice will carry of older
    /// months (credits, adjustments) is not settled before that, and stands in this one, too.
    public let monthBefore: CivilMonth?

    public init(
        document: InvoiceDocument?, suspended: [String: Int64], staleDraft: InvoiceID? = nil,
        monthBefore: CivilMonth? = nil
    ) {
        self.document = document
        self.suspended = suspended
        self.staleDraft = staleDraft
        self.monthBefore = monthBefore
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

    /// Sentences about what is not final beside it.
    public var notes: [String] {
        var notes: [String] = []
        if let staleDraft {
            notes.append("the draft \(staleDraft) says something else: the next run computes it anew")
        }
        if let monthBefore {
            notes.append(
                "\(monthBefore) is not invoiced yet: credits and adjustments that its invoice will carry are in this "
                    + "one, too")
        }
        return notes
    }

    private enum CodingKeys: String, CodingKey {
        case suspended
        case notes
    }

    private struct Suspended: Encodable {
        let records: Int64
        let by_reason: [String: Int64]
    }

    /// The document's members, and beside them `suspended` where something waits and `notes` where there are any.
    public func encode(to encoder: any Encoder) throws {
        try document?.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        if !notes.isEmpty { try container.encode(notes, forKey: .notes) }
        guard suspendedCount > 0 else { return }
        try container.encode(Suspended(records: suspendedCount, by_reason: suspended), forKey: .suspended)
    }

    /// In the form of the document's own; the same bytes where there is nothing to add.
    public func canonicalJSON() throws -> String { try CanonicalJSON.text(of: self) }
}
