import Accounts
import Billing
import Identity
import Storage

/// Keys of the inference API.
enum APIKeyEndpoints {
    /// A key at an instant; with its secret just after it was made.
    struct View: Sendable {
        let key: APIKey
        let now: Timestamp
        var secret: Secret?
    }

    private static let fields: [Shape<View>.Field] = [
        .init("id", .id(KeyID.self)) { .string("\($0.key.id)") },
        .init("account", .id(AccountID.self)) { .string("\($0.key.accountID)") },
        .init("tenant", .id(TenantID.self)) { .string("\($0.key.tenantID)") },
        .init("project", .id(ProjectID.self)) { .string("\($0.key.projectID)") },
        .init("name", .text()) { .string($0.key.name) },
        .init("begins_with", .text("The secret's first characters, to recognise it by.")) {
            .string($0.key.secretHint)
        },
        .init("state", .choice(APIKey.State.self)) { .string($0.key.state(at: $0.now).rawValue) },
        .init("created_at", .instant()) { .string("\($0.key.createdAt)") },
        .init("expires_at", .instant("Until when a rotated key goes on working.").nullable) {
            .optional($0.key.expiresAt)
        },
        .init("revoked_at", .instant().nullable) { .optional($0.key.revokedAt) },
        .init("replaced_by", .id(KeyID.self, "The key that took its place.").nullable) {
            .optional($0.key.replacedBy)
        },
    ]

    static let shape = Shape<View>("APIKey", "A key of the metered inference API.", fields)

    private static let createdShape = Shape<View>(
        "CreatedAPIKey", "A new key, with its secret.",
        fields + [
            .init(
                "secret",
                .text(
                    "What applications send as `Authorization: Bearer`. Shown this once and stored nowhere: null when "
                        + "the answer is replayed for a repeated Idempotency-Key; if it is lost, rotate the key."
                ).nullable
            ) { .optional($0.secret?.text) }
        ])

    private static let one = Parameter.path("key", .id(KeyID.self))

    static let all: [Endpoint] = [list, create, get, rotate, revoke]

    private static let list = Endpoint(
        .get, "/v1/api_keys", "listAPIKeys", tag: "API keys", "List API keys, revoked ones too",
        access: .role(.viewer),
        parameters: [
            .query("tenant", .id(TenantID.self, "Only of this tenant.")),
            .query("project", .id(ProjectID.self, "Only of this project.")),
        ] + Parameter.page,
        successes: [.json(200, "A page.", shape.pageSchema)],
        work: .look { call, session in
            let page = try session.apiKeys(
                tenant: call.queryID("tenant"), project: call.queryID("project"), try call.page(KeyID.self))
            return .page(
                page.items.map { shape.json(View(key: $0, now: call.now)) }, hasMore: page.hasMore,
                next: page.items.last.map { "\($0.id)" })
        })

    private static let create = Endpoint(
        .post, "/v1/api_keys", "createAPIKey", tag: "API keys", "Make an API key; its secret is shown once",
        access: .role(.admin),
        body: .json(
            [.required("project", .id(ProjectID.self)), .required("name", .text())], named: "APIKeyInput"),
        successes: [.json(201, "The key and its secret.", createdShape.schema)], problems: [404],
        work: .change { call, session in
            created(
                try session.createAPIKey(
                    name: try call.body.required("name"), project: try call.body.requiredID("project")), call)
        })

    private static func created(_ new: NewAPIKey, _ call: Call) -> Answer {
        .createdSecret(createdShape.json(View(key: new.key, now: call.now, secret: new.secret)))
    }

    private static let get = Endpoint(
        .get, "/v1/api_keys/{key}", "getAPIKey", tag: "API keys", "Show an API key", access: .role(.viewer),
        parameters: [one], successes: [.json(200, "The key.", shape.schema)],
        work: .look { call, session in
            .ok(shape.json(View(key: try session.apiKey(try call.id("key")), now: call.now)))
        })

    private static let rotate = Endpoint(
        .post, "/v1/api_keys/{key}/rotate", "rotateAPIKey", tag: "API keys",
        "Put a new key in the place of one, which goes on working for a while", access: .role(.admin),
        parameters: [one],
        body: .json(
            [
                .optional(
                    "overlap_hours",
                    .integer("How long the old key goes on working; 24 when not said.", in: 0...720))
            ], named: "RotationInput"),
        successes: [.json(201, "The new key and its secret.", createdShape.schema)],
        work: .change { call, session in
            let rotated = try session.rotateAPIKey(
                try call.id("key"), overlapHours: call.body["overlap_hours"]?.number ?? 24)
            return created(rotated.new, call)
        })

    private static let revoke = Endpoint(
        .post, "/v1/api_keys/{key}/revoke", "revokeAPIKey", tag: "API keys", "Revoke an API key",
        description: "Gateways refuse it within a second. Revoking it again changes nothing.", access: .role(.admin),
        parameters: [one], successes: [.json(200, "The key.", shape.schema)],
        work: .change { call, session in
            .ok(shape.json(View(key: try session.revokeAPIKey(try call.id("key")), now: call.now)))
        })
}

/// Keys of this API.
enum AdminKeyEndpoints {
    struct View: Sendable {
        let key: AdminKey
        var secret: Secret?
    }

    private static let fields: [Shape<View>.Field] = [
        .init("id", .id(AdminKeyID.self)) { .string("\($0.key.id)") },
        .init("name", .text()) { .string($0.key.name) },
        .init("role", .choice(AdminRole.self)) { .string($0.key.role.rawValue) },
        .init("begins_with", .text("The secret's first characters.")) { .string($0.key.secretHint) },
        .init("created_at", .instant()) { .string("\($0.key.createdAt)") },
        .init("revoked_at", .instant().nullable) { .optional($0.key.revokedAt) },
    ]

    private static let shape = Shape<View>("AdminKey", "A key of this API.", fields)

    private static let createdShape = Shape<View>(
        "CreatedAdminKey", "A new key, with its secret.",
        fields + [
            .init(
                "secret",
                .text("Shown this once and stored nowhere: null when the answer is replayed.").nullable
            ) { .optional($0.secret?.text) }
        ])

    static let all: [Endpoint] = [list, create, revoke]

    private static let list = Endpoint(
        .get, "/v1/admin_keys", "listAdminKeys", tag: "Admin keys", "List admin keys, revoked ones too",
        access: .role(.admin), parameters: Parameter.page, successes: [.json(200, "A page.", shape.pageSchema)],
        work: .look { call, session in
            let page = try session.adminKeys(try call.page(AdminKeyID.self))
            return .page(
                page.items.map { shape.json(View(key: $0)) }, hasMore: page.hasMore,
                next: page.items.last.map { "\($0.id)" })
        })

    private static let create = Endpoint(
        .post, "/v1/admin_keys", "createAdminKey", tag: "Admin keys", "Make an admin key; its secret is shown once",
        description:
            "Roles: `viewer` reads; `billing` also changes plans, subscriptions and invoices; `admin` does all.",
        access: .role(.admin),
        body: .json(
            [.required("name", .text()), .required("role", .choice(AdminRole.self))], named: "AdminKeyInput"),
        successes: [.json(201, "The key and its secret.", createdShape.schema)],
        work: .change { call, session in
            guard let role = AdminRole(rawValue: try call.body.required("role")) else {
                throw Problem.invalid("role", "is no role")
            }
            let new = try session.createAdminKey(name: try call.body.required("name"), role: role)
            return .createdSecret(createdShape.json(View(key: new.key, secret: new.secret)))
        })

    private static let revoke = Endpoint(
        .post, "/v1/admin_keys/{admin_key}/revoke", "revokeAdminKey", tag: "Admin keys", "Revoke an admin key",
        description: "The last key of the role admin stays.", access: .role(.admin),
        parameters: [.path("admin_key", .id(AdminKeyID.self))], successes: [.json(200, "The key.", shape.schema)],
        work: .change { call, session in
            .ok(shape.json(View(key: try session.revokeAdminKey(try call.id("admin_key")))))
        })
}
