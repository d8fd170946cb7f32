import Accounts
import Billing
import Identity

/// Which plan prices a tenant's requests, and from when.
enum SubscriptionEndpoints {
    static let shape = Shape<Subscription>(
        "Subscription", "A tenant's subscription to a plan over a span of billing time.",
        [
            .init("id", .id(SubscriptionID.self)) { .string("\($0.id)") },
            .init("account", .id(AccountID.self)) { .string("\($0.accountID)") },
            .init("tenant", .id(TenantID.self)) { .string("\($0.tenantID)") },
            .init("plan", .text("The plan's slug.")) { .string($0.plan) },
            .init("starts_at", .instant("Billing time of the first instant.")) { .string("\($0.startsAt)") },
            .init("ends_at", .instant("The first instant that is no longer in it; null while it goes on.").nullable) {
                .optional($0.endsAt)
            },
            .init("created_at", .instant()) { .string("\($0.createdAt)") },
        ])

    private static let one = Parameter.path("subscription", .id(SubscriptionID.self))

    static let all: [Endpoint] = [list, create, get, end]

    private static let list = Endpoint(
        .get, "/v1/subscriptions", "listSubscriptions", tag: "Subscriptions", "List subscriptions, ended ones too",
        access: .role(.viewer),
        parameters: [
            .query("account", .id(AccountID.self, "Only of this account.")),
            .query("tenant", .id(TenantID.self, "Only of this tenant.")),
        ] + Parameter.page,
        successes: [.json(200, "A page.", shape.pageSchema)],
        work: .look { call, session in
            let page = try session.subscriptions(
                account: call.queryID("account"), tenant: call.queryID("tenant"), try call.page(SubscriptionID.self))
            return .page(page, as: shape) { "\($0.id)" }
        })

    private static let create = Endpoint(
        .post, "/v1/subscriptions", "createSubscription", tag: "Subscriptions", "Subscribe a tenant to a plan",
        access: .role(.billing),
        body: .json(
            [
                .required("tenant", .id(TenantID.self)),
                .required("plan", .text("The plan's slug.")),
                .optional("starts_at", .instant("Billing time; the account's now when not said.")),
            ], named: "SubscriptionInput"),
        successes: [.json(201, "The subscription.", shape.schema)], problems: [404],
        work: .change { call, session in
            let subscription = try session.subscribe(
                try call.body.requiredID("tenant"), to: try call.body.required("plan"),
                from: call.body.instant("starts_at"))
            return .created(shape.json(subscription))
        })

    private static let get = Endpoint(
        .get, "/v1/subscriptions/{subscription}", "getSubscription", tag: "Subscriptions", "Show a subscription",
        access: .role(.viewer), parameters: [one], successes: [.json(200, "The subscription.", shape.schema)],
        work: .look { call, session in .ok(shape.json(try session.subscription(try call.id("subscription")))) })

    private static let end = Endpoint(
        .post, "/v1/subscriptions/{subscription}/end", "endSubscription", tag: "Subscriptions",
        "End a subscription",
        description: "At an instant of billing time that has not passed; requests up to now are "
            + "priced already.",
        access: .role(.billing), parameters: [one],
        body: .json([.required("ends_at", .instant("Billing time."))], named: "SubscriptionEnd"),
        successes: [.json(200, "The subscription.", shape.schema)],
        work: .change { call, session in
            guard let instant = call.body.instant("ends_at") else { throw Problem.invalid("ends_at", "is missing") }
            return .ok(shape.json(try session.endSubscription(try call.id("subscription"), at: instant)))
        })
}
