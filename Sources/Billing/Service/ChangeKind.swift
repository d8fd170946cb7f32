/// Everything that a use case can change: the `action` of its audit entry and the name of its event.
///
/// Names never change; docs/events.md says what each event holds.
public enum ChangeKind: String, CaseIterable, Sendable {
    case accountCreated = "account.created"
    case accountUpdated = "account.updated"
    case accountClockAdvanced = "account.clock_advanced"
    case accountPutOnHold = "account.put_on_hold"
    case accountResumed = "account.resumed"
    case accountDeleted = "account.deleted"
    case sandboxCreated = "sandbox.created"
    case sandboxClockAdvanced = "sandbox.clock_advanced"
    case sandboxDeleted = "sandbox.deleted"
    case tenantCreated = "tenant.created"
    case tenantUpdated = "tenant.updated"
    case projectCreated = "project.created"
    case apiKeyCreated = "api_key.created"
    case apiKeyRotated = "api_key.rotated"
    case apiKeyRevoked = "api_key.revoked"
    case adminKeyCreated = "admin_key.created"
    case adminKeyRevoked = "admin_key.revoked"
    case sellerUpdated = "seller.updated"
    case installationUpdated = "installation.updated"
    case subscriptionCreated = "subscription.created"
    case subscriptionEnded = "subscription.ended"
    case planPublished = "plan.published"
    case catalogueUpdated = "catalogue.updated"
    case secretSet = "secret.set"
    case secretDeleted = "secret.deleted"
    case secretsReencrypted = "secrets.reencrypted"
    case limitCreated = "limit.created"
    case limitUpdated = "limit.updated"
    case limitDeleted = "limit.deleted"
    case journalDamageReleased = "journal.damage_released"
    case journalRetired = "journal.retired"
    case suspenseRated = "suspense.rated"
    case suspenseWaived = "suspense.waived"
    case creditsPaidOut = "credits.paid_out"
    case invoiceFinalized = "invoice.finalized"
    case invoicePaid = "invoice.paid"
    case invoiceVoided = "invoice.voided"
    case creditNoteIssued = "credit_note.issued"
    case creditNoteRefunded = "credit_note.refunded"

    /// What an actor needs to make it.
    public var permission: Permission {
        switch self {
        case .accountCreated, .accountUpdated, .accountClockAdvanced, .accountDeleted: .write(.accounts)
        case .sandboxCreated, .sandboxClockAdvanced, .sandboxDeleted: .write(.accounts)
        case .accountPutOnHold, .accountResumed, .invoiceFinalized, .invoicePaid, .invoiceVoided: .write(.invoices)
        case .creditNoteIssued, .creditNoteRefunded: .write(.invoices)
        case .tenantCreated, .tenantUpdated, .projectCreated: .write(.tenants)
        case .apiKeyCreated, .apiKeyRotated, .apiKeyRevoked: .write(.apiKeys)
        case .adminKeyCreated, .adminKeyRevoked: .write(.adminKeys)
        case .sellerUpdated, .installationUpdated: .write(.seller)
        case .subscriptionCreated, .subscriptionEnded: .write(.subscriptions)
        case .planPublished: .write(.plans)
        case .catalogueUpdated: .write(.catalogue)
        case .secretSet, .secretDeleted, .secretsReencrypted: .write(.secrets)
        case .limitCreated, .limitUpdated, .limitDeleted: .write(.limits)
        case .journalDamageReleased, .journalRetired: .write(.journals)
        case .suspenseRated, .suspenseWaived: .write(.suspense)
        case .creditsPaidOut: .write(.credits)
        }
    }
}
