public import Identity

/// What one gateway says and asks about one rule. Reports are absolute, so that one that arrives twice changes nothing.
public struct SliceRequest: Hashable, Sendable {
    public let accountID: AccountID
    public let limitID: LimitID
    /// All that this gateway took so far, less what it gave back.
    public let spent: Int64
    /// `spent` as of the last report that was answered.
    public let spentConfirmed: Int64
    /// No report on this rule was answered yet: what the other side remembers is of an earlier use.
    public let isFirst: Bool
    /// What the gateway keeps to give to requests; below zero, a debt to be covered.
    public let free: Int64
    /// What requests hold that run now; part of `spent`.
    public let reserved: Int64
    /// The least that lets a waiting request pass, beyond `free`; 0 when none waits.
    public let need: Int64
    /// What lets all waiting requests pass, beyond `free`.
    public let wanted: Int64
    /// What the gateway would like to have in reserve.
    public let ahead: Int64

    public init(
        accountID: AccountID, limitID: LimitID, spent: Int64, spentConfirmed: Int64, isFirst: Bool, free: Int64,
        reserved: Int64, need: Int64, wanted: Int64, ahead: Int64
    ) {
        self.accountID = accountID
        self.limitID = limitID
        self.spent = spent
        self.spentConfirmed = spentConfirmed
        self.isFirst = isFirst
        self.free = free
        self.reserved = reserved
        self.need = need
        self.wanted = wanted
        self.ahead = ahead
    }
}

/// The answer to one request.
public struct SliceGrant: Hashable, Sendable {
    public let limitID: LimitID
    /// What the gateway may give to requests from now on, beyond what it reported to keep.
    public let amount: Int64
    /// What is left for all gateways; below zero what they took beyond the limit.
    public let available: Int64
    /// Gateways that hold slices of this rule, this one included.
    public let gatewayCount: Int64
    /// Other gateways keep some in reserve; they are asked to give it back.
    public let isHeldElsewhere: Bool

    public init(limitID: LimitID, amount: Int64, available: Int64, gatewayCount: Int64, isHeldElsewhere: Bool) {
        self.limitID = limitID
        self.amount = amount
        self.available = available
        self.gatewayCount = gatewayCount
        self.isHeldElsewhere = isHeldElsewhere
    }
}

/// What became of a batch of requests.
public enum SliceReply: Hashable, Sendable {
    /// One grant for each rule that still exists, in any order; a rule without a grant was deleted.
    case granted([SliceGrant])
    /// The shared state is out of reach, or nobody knows whether the batch was applied.
    case unreachable
}

/// Where slices come from. One batch is under way at a time.
public protocol SliceSource: Sendable {
    /// Asks; `reply` is called once, on any thread. Never blocks.
    func request(_ batch: [SliceRequest], reply: @escaping @Sendable (SliceReply) -> Void)
}

/// The times and bounds of slices.
public enum SliceRules {
    /// A gateway uses a slice for this long after it asked for it, by its monotonic clock.
    public static let sliceMilliseconds: Int64 = 10_000
    /// The shared side frees a slice this much later: whoever asked for it has stopped using it by then.
    public static let graceMilliseconds: Int64 = 2_000
    /// A slice that lapsed is remembered for this long, so that a late report is settled.
    public static let forgetMilliseconds: Int64 = 600_000
    /// A reserve is at most this part of what is left, for each gateway.
    static let reserveDivisor: Int64 = 4
}
