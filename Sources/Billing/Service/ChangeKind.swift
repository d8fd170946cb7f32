/// Everything that a use case can change: the `action` of its audit entry and the name of its event.
///
/// Names never change; docs/events.md says what each event holds.
public enum ChangeKind: String, CaseIterable, Sendable {
    case accountCreated = "account.created"
    case accountUpdated = "account.updated"
    case accountClockAdvanced = "account.clock_advanced"
    case accountResumed = "account.resumed"
    case tenantCreated = "tenant.created"
    case tenantUpdated = "tenant.updated"
    case projectCreated = "project.created"
    case apiKeyCreated = "api_key.created"
    case apiKeyRotated = "api_key.rotated"
    case apiKeyRevoked = "api_key.revoked"
    case adminKeyCreated = "admin_key.created"
    case adminKeyRevoked = "admin_key.revoked"
    case sellerUpdated = "seller.updated"
    case subscriptionCreated = "subscription.created"
    case subscriptionEnded = "subscription.ended"

    /// What an actor needs to make it.
    public var permission: Permission {
        switch self {
        case .accountCreated, .accountUpdated, .accountClockAdvanced: .write(.accounts)
        case .accountResumed: .write(.invoices)
        case .tenantCreated, .tenantUpdated, .projectCreated: .write(.tenants)
        case .apiKeyCreated, .apiKeyRotated, .apiKeyRevoked: .write(.apiKeys)
        case .adminKeyCreated, .adminKeyRevoked: .write(.adminKeys)
        case .sellerUpdated: .write(.seller)
        case .subscriptionCreated, .subscriptionEnded: .write(.subscriptions)
        }
    }
}
