import Accounts
import Identity
import Monetary
import Storage

/// Organisations or teams that use the service.
enum TenantEndpoints {
    static let shape = Shape<Tenant>(
        "Tenant", "An organisation or team; belongs to one billing account.",
        [
            .init("id", .id(TenantID.self)) { .string("\($0.id)") },
            .init("account", .id(AccountID.self)) { .string("\($0.accountID)") },
            .init("name", .text()) { .string($0.name) },
            .init("created_at", .instant()) { .string("\($0.createdAt)") },
        ])

    private static let one = Parameter.path("tenant", .id(TenantID.self))

    static let all: [Endpoint] = [list, create, get, update]

    private static let list = Endpoint(
        .get, "/v1/tenants", "listTenants", tag: "Tenants", "List tenants", access: .role(.viewer),
        parameters: [.query("account", .id(AccountID.self, "Only of this account."))] + Parameter.page,
        successes: [.json(200, "A page.", shape.pageSchema)],
        work: .read { call, tx in
            let page = try TenantStorage.list(
                account: call.queryID("account"), try call.page(TenantID.self), in: tx)
            return .page(page, as: shape) { "\($0.id)" }
        })

    /// A new tenant and its first project.
    struct Created: Sendable {
        let tenant: Tenant
        let project: Project
    }

    private static let createdShape = Shape<Created>(
        "CreatedTenant", "A new tenant.",
        shape.fields.map { field in .init(field.name, field.schema) { field.value($0.tenant) } } + [
            .init("project", .id(ProjectID.self, "Its first project.")) { .string("\($0.project.id)") }
        ])

    private static let create = Endpoint(
        .post, "/v1/tenants", "createTenant", tag: "Tenants", "Create a tenant and its first project",
        description: "Without `account` the tenant gets a billing account of its own, of its name, in USD and UTC.",
        access: .role(.admin),
        body: .json(
            [
                .required("name", .text()),
                .optional("account", .id(AccountID.self, "The account that pays for it.")),
                .optional("project", .text("The name of its first project; `default` when not said.")),
            ], named: "TenantInput"),
        successes: [.json(201, "The tenant.", createdShape.schema)], problems: [404],
        work: .write { call, tx in
            let name = try call.body.required("name")
            let tenant = Tenant(
                id: freshID(at: call.now), accountID: try account(of: call, named: name, in: tx), name: name,
                createdAt: call.now)
            let project = Project(
                id: freshID(at: call.now), accountID: tenant.accountID, tenantID: tenant.id,
                name: call.body["project"]?.text ?? "default", createdAt: call.now)
            try TenantStorage.insert(tenant, in: tx)
            try ProjectStorage.insert(project, in: tx)
            return .created(createdShape.json(Created(tenant: tenant, project: project)))
        })

    private static func account(of call: Call, named name: String, in tx: DatabaseTransaction) throws -> AccountID {
        if call.body["account"] != nil { return try call.body.requiredID("account") }
        let account = Account(
            id: freshID(at: call.now), name: name, currency: .usd, calendar: try BillingCalendar(zoneName: "UTC"),
            createdAt: call.now)
        try AccountStorage.insert(account, in: tx)
        return account.id
    }

    private static let get = Endpoint(
        .get, "/v1/tenants/{tenant}", "getTenant", tag: "Tenants", "Show a tenant", access: .role(.viewer),
        parameters: [one], successes: [.json(200, "The tenant.", shape.schema)],
        work: .read { call, tx in .ok(shape.json(try TenantStorage.require(try call.id("tenant"), in: tx))) })

    private static let update = Endpoint(
        .patch, "/v1/tenants/{tenant}", "updateTenant", tag: "Tenants", "Rename a tenant", access: .role(.admin),
        parameters: [one], body: .json([.required("name", .text())], named: "TenantUpdate"),
        successes: [.json(200, "The tenant.", shape.schema)],
        work: .write { call, tx in
            let id: TenantID = try call.id("tenant")
            try TenantStorage.rename(id, to: try call.body.required("name"), in: tx)
            return .ok(shape.json(try TenantStorage.require(id, in: tx)))
        })
}

/// Parts of a tenant.
enum ProjectEndpoints {
    static let shape = Shape<Project>(
        "Project", "A part of a tenant whose usage is shown apart.",
        [
            .init("id", .id(ProjectID.self)) { .string("\($0.id)") },
            .init("account", .id(AccountID.self)) { .string("\($0.accountID)") },
            .init("tenant", .id(TenantID.self)) { .string("\($0.tenantID)") },
            .init("name", .text()) { .string($0.name) },
            .init("created_at", .instant()) { .string("\($0.createdAt)") },
        ])

    static let all: [Endpoint] = [list, create, get]

    private static let list = Endpoint(
        .get, "/v1/projects", "listProjects", tag: "Projects", "List projects", access: .role(.viewer),
        parameters: [.query("tenant", .id(TenantID.self, "Only of this tenant."))] + Parameter.page,
        successes: [.json(200, "A page.", shape.pageSchema)],
        work: .read { call, tx in
            let page = try ProjectStorage.list(
                tenant: call.queryID("tenant"), try call.page(ProjectID.self), in: tx)
            return .page(page, as: shape) { "\($0.id)" }
        })

    private static let create = Endpoint(
        .post, "/v1/projects", "createProject", tag: "Projects", "Create a project", access: .role(.admin),
        body: .json([.required("tenant", .id(TenantID.self)), .required("name", .text())], named: "ProjectInput"),
        successes: [.json(201, "The project.", shape.schema)], problems: [404],
        work: .write { call, tx in
            let tenant = try TenantStorage.require(try call.body.requiredID("tenant"), in: tx)
            let project = Project(
                id: freshID(at: call.now), accountID: tenant.accountID, tenantID: tenant.id,
                name: try call.body.required("name"), createdAt: call.now)
            try ProjectStorage.insert(project, in: tx)
            return .created(shape.json(project))
        })

    private static let get = Endpoint(
        .get, "/v1/projects/{project}", "getProject", tag: "Projects", "Show a project", access: .role(.viewer),
        parameters: [.path("project", .id(ProjectID.self))],
        successes: [.json(200, "The project.", shape.schema)],
        work: .read { call, tx in .ok(shape.json(try ProjectStorage.require(try call.id("project"), in: tx))) })
}
