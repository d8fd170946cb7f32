/// What an id names: gives the type its own prefix, so that ids of two kinds can neither be mixed nor confused.
public protocol IDKind: Sendable {
    /// Two to four lowercase letters, printed before the underscore.
    static var prefix: String { get }
}

/// An id of one kind: a UUID inside, `prefix_` and 32 hexadecimal digits outside.
public struct TypedID<Kind: IDKind>: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The UUID that storage keeps.
    public let uuid: UUIDv7

    public init(_ uuid: UUIDv7) {
        self.uuid = uuid
    }

    /// Reads `prefix_` and 32 hexadecimal digits; nil for another prefix or anything else.
    public init?(_ text: some StringProtocol) {
        let start = Kind.prefix + "_"
        guard text.hasPrefix(start), text.utf8.count == start.utf8.count + 32,
            let uuid = UUIDv7(text.dropFirst(start.count))
        else { return nil }
        self.uuid = uuid
    }

    public var description: String {
        let prefix = Kind.prefix.utf8
        return String(unsafeUninitializedCapacity: prefix.count + 33) { buffer in
            var end = 0
            for byte in prefix {
                buffer[end] = byte
                end += 1
            }
            buffer[end] = UInt8(ascii: "_")
            end += 1
            for half in [uuid.high, uuid.low] {
                for shift in stride(from: 60, through: 0, by: -4) {
                    buffer[end] = Hexadecimal.digit(of: UInt8(truncatingIfNeeded: half >> shift) & 15)
                    end += 1
                }
            }
            return end
        }
    }

    public static func < (left: Self, right: Self) -> Bool { left.uuid < right.uuid }
}

/// The kinds of things that have ids.
public enum IDKinds {
    public enum Account: IDKind { public static let prefix = "acc" }
    public enum Tenant: IDKind { public static let prefix = "ten" }
    public enum Project: IDKind { public static let prefix = "prj" }
    public enum Key: IDKind { public static let prefix = "key" }
    public enum Subscription: IDKind { public static let prefix = "sub" }
    public enum Request: IDKind { public static let prefix = "req" }
    public enum Attempt: IDKind { public static let prefix = "att" }
    public enum Invoice: IDKind { public static let prefix = "inv" }
    public enum InvoiceLine: IDKind { public static let prefix = "il" }
    public enum CreditNote: IDKind { public static let prefix = "cn" }
    public enum CreditNoteLine: IDKind { public static let prefix = "cnl" }
    public enum Transaction: IDKind { public static let prefix = "txn" }
    public enum ServiceLevelResult: IDKind { public static let prefix = "sla" }
    public enum Journal: IDKind { public static let prefix = "jrn" }
    public enum AdminKey: IDKind { public static let prefix = "adk" }
    public enum Limit: IDKind { public static let prefix = "lim" }
    public enum AuditEntry: IDKind { public static let prefix = "aud" }
    public enum Event: IDKind { public static let prefix = "evt" }
    public enum Sandbox: IDKind { public static let prefix = "sbx" }
}

/// The billing account: who gets the invoice, and the unit of distribution.
public typealias AccountID = TypedID<IDKinds.Account>
/// Test accounts that share a clock.
public typealias SandboxID = TypedID<IDKinds.Sandbox>
/// A customer's organisation or team; belongs to one billing account.
public typealias TenantID = TypedID<IDKinds.Tenant>
/// A part of a tenant whose usage is shown apart.
public typealias ProjectID = TypedID<IDKinds.Project>
/// An API key.
public typealias KeyID = TypedID<IDKinds.Key>
/// A tenant's subscription to a plan.
public typealias SubscriptionID = TypedID<IDKinds.Subscription>
/// A request record; carries the acceptance in billing time.
public typealias RequestID = TypedID<IDKinds.Request>
/// An attempt record; carries the acceptance of its request.
public typealias AttemptID = TypedID<IDKinds.Attempt>
/// An invoice.
public typealias InvoiceID = TypedID<IDKinds.Invoice>
/// A line of an invoice.
public typealias InvoiceLineID = TypedID<IDKinds.InvoiceLine>
/// A credit note.
public typealias CreditNoteID = TypedID<IDKinds.CreditNote>
/// A line of a credit note.
public typealias CreditNoteLineID = TypedID<IDKinds.CreditNoteLine>
/// A ledger transaction.
public typealias TransactionID = TypedID<IDKinds.Transaction>
/// One promise's result for one month.
public typealias ServiceLevelResultID = TypedID<IDKinds.ServiceLevelResult>
/// A gateway's journal directory.
public typealias JournalID = TypedID<IDKinds.Journal>
/// A key of the admin API.
public typealias AdminKeyID = TypedID<IDKinds.AdminKey>
/// A limit on what a key, project, tenant or account may use.
public typealias LimitID = TypedID<IDKinds.Limit>
/// An entry of the audit trail.
public typealias AuditEntryID = TypedID<IDKinds.AuditEntry>
/// What others are told of a change.
public typealias EventID = TypedID<IDKinds.Event>
