import Engines
import Identity
import Limits
import Pricing
import Storage

extension PublishedPlanVersion {
    var facts: Facts {
        [
            "plan": .text(version.planID), "version": .number(Int64(version.version)), "title": .text(version.title),
            "currency": "\(version.currency)", "effective_from": "\(version.effectiveFrom)",
            "tiers": .texts(version.tiers), "sha256": .text(sha256), "created_at": "\(createdAt)",
        ]
    }
}

extension Backend {
    /// Without its credentials: which secrets it names, and whether it has a key.
    var facts: Facts {
        [
            "name": .text(name), "kind": .text(kind.rawValue), "url": .text(baseURL), "has_api_key": .truth(hasAPIKey),
            "secrets": .texts(Set(secretNames.values).sorted()), "hardware": .text(hardware),
            "quantisation": .text(quantisation), "region": .text(settings.region),
            "count": .text(settings.counting.rawValue), "include_usage": .text(settings.includeUsage.rawValue),
            "tiers": .texts(settings.tiers),
            "concurrent_requests_max": settings.concurrentRequestsMax.map { .number(Int64($0)) } ?? .null,
            "context_tokens_max": settings.contextTokensMax.map { .number(Int64($0)) } ?? .null,
        ]
    }
}

extension CatalogueModel {
    var facts: Facts {
        [
            "name": .text(publicName), "aliases": .texts(aliases),
            "routes": .list(
                routes.map { route in
                    .facts([
                        "backend": .text(route.backend.name), "upstream_name": .text(route.upstreamName),
                        "weight": .number(Int64(route.weight)),
                    ])
                }),
            "prefer": .text(routing.preference.rawValue), "regions_allowed": .texts(routing.regionsAllowed),
            "quantisations_allowed": .texts(routing.quantisationsAllowed),
            "tries_max": .number(Int64(routing.triesMax)), "price_key": .text(priceKey),
            "context_tokens": .number(Int64(contextTokensMax)), "output_tokens": .number(Int64(outputTokensMax)),
            "tenants_allowed": tenantsAllowed.map { .texts($0.sorted()) } ?? .null,
        ]
    }
}

extension SecretStorage.Entry {
    /// Without its value, sealed or not, and its fingerprint.
    var facts: Facts {
        [
            "name": .text(secret.name), "version": .number(secret.version), "hosts": .texts(secret.hosts),
            "backends": .texts(backends), "created_at": "\(secret.createdAt)", "updated_at": "\(secret.updatedAt)",
        ]
    }
}

extension StoredLimit {
    var facts: Facts {
        [
            "id": "\(rule.id)", "account": "\(rule.accountID)", "scope": .text(rule.scope.text),
            "model": .optional(rule.model), "kind": .text(rule.kind.rawValue), "value": .number(rule.value),
            "mode": rule.isShadow ? "shadow" : "enforced", "created_at": "\(createdAt)",
        ]
    }
}

extension RegisteredJournal {
    var facts: Facts {
        [
            "id": "\(id)", "gateway": .text(gateway), "epoch": .number(epoch), "registered_at": "\(registeredAt)",
            "retired_at": .optional(retiredAt), "retired_reason": .optional(retiredReason),
        ]
    }
}
