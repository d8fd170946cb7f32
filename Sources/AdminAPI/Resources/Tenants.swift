import Accounts
import Billing
import Identity

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
        work: .look { call, session in
            let page = try session.tenants(of: call.queryID("account"), try call.page(TenantID.self))
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
        description:
            "Without `account` the tenant gets a billing account of its own, of its name, in USD and UTC, live "
            + "or of the `mode` that is said.",
        access: .role(.admin),
        body: .json(
            [
                .required("name", .text()),
                .optional("account", .id(AccountID.self, "The account that pays for it.")),
                .optional(
                    "mode",
                    .choice(
                        AccountMode.self, "Of the account of its own; as in `POST /v1/accounts`.")),
                .optional("project", .text("The name of its first project; `default` when not said.")),
            ], named: "TenantInput"),
        successes: [.json(201, "The tenant.", createdShape.schema)], problems: [404],
        work: .change { call, session in
            let created = try session.createTenant(
                name: try call.body.required("name"),
                account: call.body["account"] == nil ? nil : try call.body.requiredID("account"),
                mode: call.body["mode"]?.text.flatMap { AccountMode(rawValue: $0) },
                projectName: call.body["project"]?.text ?? "default")
            return .created(createdShape.json(Created(tenant: created.tenant, project: created.project)))
        })

    private static let get = Endpoint(
        .get, "/v1/tenants/{tenant}", "getTenant", tag: "Tenants", "Show a tenant", access: .role(.viewer),
        parameters: [one], successes: [.json(200, "The tenant.", shape.schema)],
        work: .look { call, session in .ok(shape.json(try session.tenant(try call.id("tenant")))) })

    private static let update = Endpoint(
        .patch, "/v1/tenants/{tenant}", "updateTenant", tag: "Tenants", "Rename a tenant", access: .role(.admin),
        parameters: [one], body: .json([.required("name", .text())], named: "TenantUpdate"),
        successes: [.json(200, "The tenant.", shape.schema)],
        work: .change { call, session in
            .ok(shape.json(try session.renameTenant(try call.id("tenant"), to: try call.body.required("name"))))
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
        work: .look { call, session in
            let page = try session.projects(of: call.queryID("tenant"), try call.page(ProjectID.self))
            return .page(page, as: shape) { "\($0.id)" }
        })

    private static let create = Endpoint(
        .post, "/v1/projects", "createProject", tag: "Projects", "Create a project", access: .role(.admin),
        body: .json([.required("tenant", .id(TenantID.self)), .required("name", .text())], named: "ProjectInput"),
        successes: [.json(201, "The project.", shape.schema)], problems: [404],
        work: .change { call, session in
            let project = try session.createProject(
                name: try call.body.required("name"), of: try call.body.requiredID("tenant"))
            return .created(shape.json(project))
        })

    private static let get = Endpoint(
        .get, "/v1/projects/{project}", "getProject", tag: "Projects", "Show a project", access: .role(.viewer),
        parameters: [.path("project", .id(ProjectID.self))],
        successes: [.json(200, "The project.", shape.schema)],
        work: .look { call, session in .ok(shape.json(try session.project(try call.id("project")))) })
}
