public import Identity

/// What a limit counts. Budgets and prepaid money are to become further kinds: whatever has an amount for each request,
/// reserved at its worst and settled at what it came to.
public enum LimitKind: String, CaseIterable, Hashable, Sendable {
    case requestsPerMinute = "requests_per_minute"
    case inputTokensPerMinute = "input_tokens_per_minute"
    case outputTokensPerMinute = "output_tokens_per_minute"
    /// Input and output together.
    case tokensPerMinute = "tokens_per_minute"
    /// Requests that run at one time.
    case concurrentRequests = "concurrent_requests"

    /// Whether it refills with time; otherwise what was taken comes back when the request ends.
    public var isRate: Bool { self != .concurrentRequests }

    /// Whether it counts tokens.
    public var countsTokens: Bool { self != .requestsPerMinute && self != .concurrentRequests }

    /// Whether it counts tokens of answers.
    var countsOutput: Bool { self == .outputTokensPerMinute || self == .tokensPerMinute }

    /// As messages name it.
    public var words: String {
        switch self {
        case .requestsPerMinute: "requests per minute"
        case .inputTokensPerMinute: "input tokens per minute"
        case .outputTokensPerMinute: "output tokens per minute"
        case .tokensPerMinute: "tokens per minute"
        case .concurrentRequests: "concurrent requests"
        }
    }
}

/// Whose requests a limit counts.
public enum LimitScope: Hashable, Sendable {
    case account(AccountID)
    case tenant(TenantID)
    case project(ProjectID)
    case key(KeyID)

    /// The id inside, whatever it names.
    public var uuid: UUIDv7 {
        switch self {
        case .account(let id): id.uuid
        case .tenant(let id): id.uuid
        case .project(let id): id.uuid
        case .key(let id): id.uuid
        }
    }

    /// `account`, `tenant`, `project` or `key`.
    public var name: String {
        switch self {
        case .account: "account"
        case .tenant: "tenant"
        case .project: "project"
        case .key: "key"
        }
    }

    /// The id with its prefix.
    public var text: String {
        switch self {
        case .account(let id): "\(id)"
        case .tenant(let id): "\(id)"
        case .project(let id): "\(id)"
        case .key(let id): "\(id)"
        }
    }

    /// From a name and an id; nil for another name.
    public init?(name: String, uuid: UUIDv7) {
        switch name {
        case "account": self = .account(AccountID(uuid))
        case "tenant": self = .tenant(TenantID(uuid))
        case "project": self = .project(ProjectID(uuid))
        case "key": self = .key(KeyID(uuid))
        default: return nil
        }
    }

    /// From a prefixed id; nil for an id of another kind.
    public init?(_ text: String) {
        if let id = AccountID(text) {
            self = .account(id)
        } else if let id = TenantID(text) {
            self = .tenant(id)
        } else if let id = ProjectID(text) {
            self = .project(id)
        } else if let id = KeyID(text) {
            self = .key(id)
        } else {
            return nil
        }
    }
}

/// One limit. A request must fit into every enforced rule that applies to it.
public struct LimitRule: Hashable, Sendable {
    public let id: LimitID
    /// The billing account of whom it limits.
    public let accountID: AccountID
    public let scope: LimitScope
    /// The public name of the one model whose requests count; nil for those of all models.
    public let model: String?
    public let kind: LimitKind
    /// Requests or tokens a minute, or requests at one time. 0 lets nothing pass.
    public let value: Int64
    /// Only counts what would have been refused.
    public let isShadow: Bool

    /// The largest value of a limit, and the largest amount of a request: with it, all arithmetic fits in 64 bits.
    public static let valueMax: Int64 = 1_000_000_000_000

    /// A rule as storage holds it.
    /// - Precondition: `value` is 0 to `valueMax`.
    public init(
        id: LimitID, accountID: AccountID, scope: LimitScope, model: String?, kind: LimitKind, value: Int64,
        isShadow: Bool
    ) {
        precondition((0...LimitRule.valueMax).contains(value), "a limit is 0 to \(LimitRule.valueMax)")
        self.id = id
        self.accountID = accountID
        self.scope = scope
        self.model = model
        self.kind = kind
        self.value = value
        self.isShadow = isShadow
    }
}
