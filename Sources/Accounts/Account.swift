public import Identity
public import Monetary

/// A billing account: who gets the invoice. The unit of distribution of everything that is stored.
public struct Account: Hashable, Sendable, Identifiable {
    public let id: AccountID
    /// What operators call it.
    public var name: String
    /// Of every amount of this account; never changes.
    public let currency: Currency
    /// Billing periods and rollup hours are local to it; never changes.
    public let calendar: BillingCalendar
    /// Who the invoice is addressed to.
    public var billing: BillingDetails
    /// Never changes.
    public let mode: AccountMode
    /// The sandbox whose clock it has; nil for a live account. Never changes.
    public let sandboxID: SandboxID?
    /// Nil for a live account.
    public let clock: TestClock?
    /// The snapshot change that carried the last clock move; 0 when there was none.
    public var clockChange: Int64
    /// Why the batch passes this account over; nil when it does not.
    public var holdReason: String?
    public let createdAt: Timestamp

    public init(
        id: AccountID, name: String, currency: Currency, calendar: BillingCalendar,
        billing: BillingDetails = BillingDetails(), sandboxID: SandboxID? = nil, clock: TestClock = TestClock(),
        clockChange: Int64 = 0, holdReason: String? = nil, createdAt: Timestamp
    ) {
        self.id = id
        self.name = name
        self.currency = currency
        self.calendar = calendar
        self.billing = billing
        mode = sandboxID == nil ? .live : .test
        self.sandboxID = sandboxID
        self.clock = sandboxID == nil ? nil : clock
        self.clockChange = clockChange
        self.holdReason = holdReason
        self.createdAt = createdAt
    }

    /// Billing time minus real time; 0 for a live account. It never shrinks.
    public var clockOffsetMilliseconds: Int64 { clock?.offsetMilliseconds ?? 0 }

    /// The account's billing time when the real time is `now`.
    public func billingTime(at now: Timestamp) -> Timestamp {
        now.advanced(byMilliseconds: clockOffsetMilliseconds)
    }
}

/// What stands on an invoice about its recipient.
public struct BillingDetails: Hashable, Sendable {
    /// Empty: the account's name is used.
    public var legalName: String
    /// Lines of the postal address, at most `addressLinesMax`.
    public var address: [String]
    /// Such as a VAT number; may be empty.
    public var taxID: String
    public var email: String

    /// The most lines that an address has.
    public static let addressLinesMax = 6

    /// Details, the ones not named empty.
    public init(legalName: String = "", address: [String] = [], taxID: String = "", email: String = "") {
        self.legalName = legalName
        self.address = address
        self.taxID = taxID
        self.email = email
    }
}

/// An organisation or team that uses the service; belongs to one billing account.
public struct Tenant: Hashable, Sendable, Identifiable {
    public let id: TenantID
    public let accountID: AccountID
    public var name: String
    public let createdAt: Timestamp

    public init(id: TenantID, accountID: AccountID, name: String, createdAt: Timestamp) {
        self.id = id
        self.accountID = accountID
        self.name = name
        self.createdAt = createdAt
    }
}

/// A part of a tenant whose usage is shown apart.
public struct Project: Hashable, Sendable, Identifiable {
    public let id: ProjectID
    public let accountID: AccountID
    public let tenantID: TenantID
    public var name: String
    public let createdAt: Timestamp

    public init(id: ProjectID, accountID: AccountID, tenantID: TenantID, name: String, createdAt: Timestamp) {
        self.id = id
        self.accountID = accountID
        self.tenantID = tenantID
        self.name = name
        self.createdAt = createdAt
    }
}
