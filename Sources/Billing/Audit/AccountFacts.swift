import Accounts
import Identity
import Invoicing

extension Account {
    var facts: Facts {
        [
            "id": "\(id)", "name": .text(name), "currency": "\(currency)", "time_zone": .text(calendar.zoneName),
            "billing": .facts([
                "legal_name": .text(billing.legalName), "address": .texts(billing.address),
                "tax_id": .text(billing.taxID), "email": .text(billing.email),
            ]),
            "mode": .text(mode.rawValue), "sandbox": .optional(sandboxID),
            "clock_offset_ms": .number(clockOffsetMilliseconds), "hold_reason": .optional(holdReason),
            "created_at": "\(createdAt)",
        ]
    }
}

extension Sandbox {
    func facts(accounts: [AccountID]) -> Facts {
        [
            "id": "\(id)", "name": .text(name), "accounts": .texts(accounts),
            "clock_offset_ms": .number(clock.offsetMilliseconds),
            "created_at": "\(createdAt)",
        ]
    }
}

extension Tenant {
    var facts: Facts {
        ["id": "\(id)", "account": "\(accountID)", "name": .text(name), "created_at": "\(createdAt)"]
    }
}

extension Project {
    var facts: Facts {
        [
            "id": "\(id)", "account": "\(accountID)", "tenant": "\(tenantID)", "name": .text(name),
            "created_at": "\(createdAt)",
        ]
    }
}

extension APIKey {
    /// Without its digest.
    var facts: Facts {
        [
            "id": "\(id)", "account": "\(accountID)", "tenant": "\(tenantID)", "project": "\(projectID)",
            "name": .text(name), "created_at": "\(createdAt)", "expires_at": .optional(expiresAt),
            "revoked_at": .optional(revokedAt), "replaced_by": .optional(replacedBy),
        ]
    }
}

extension AdminKey {
    /// Without its digest.
    var facts: Facts {
        [
            "id": "\(id)", "name": .text(name), "role": .text(role.rawValue), "created_at": "\(createdAt)",
            "revoked_at": .optional(revokedAt),
        ]
    }
}

extension Seller {
    var facts: Facts {
        [
            "name": .text(name), "address": .texts(address), "tax_id": .text(taxID), "email": .text(email),
            "payment_terms_days": .number(Int64(paymentTermsDays)), "payment_instructions": .text(paymentInstructions),
        ]
    }
}

extension Subscription {
    var facts: Facts {
        [
            "id": "\(id)", "account": "\(accountID)", "tenant": "\(tenantID)", "plan": .text(plan),
            "starts_at": "\(startsAt)", "ends_at": .optional(endsAt), "created_at": "\(createdAt)",
        ]
    }
}
