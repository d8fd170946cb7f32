public import Accounts
public import Identity
public import Postgres

/// Tenants. They can be found by their id alone; lists run within an account or over all.
public enum TenantStorage {
    /// Stores a new tenant; its account must exist.
    public static func insert(_ tenant: Tenant, in tx: Transaction) throws {
        try StorageError.requireName(tenant.name)
        _ = try AccountStorage.require(tenant.accountID, in: tx)
        try tx.execute(
            """
            INSERT INTO tenants (account_id, tenant_id, name, created_at)
            VALUES (\(tenant.accountID), \(tenant.id), \(tenant.name), \(tenant.createdAt))
            """)
        try ChangeStorage.record(.tenant, entity: tenant.id.description, in: tx)
    }

    /// The tenant, or nil.
    public static func find(_ id: TenantID, in tx: Transaction) throws -> Tenant? {
        try tx.query("\(select) WHERE tenant_id = \(id)").first.map(tenant)
    }

    /// The tenant; `.notFound` when there is none.
    public static func require(_ id: TenantID, in tx: Transaction) throws -> Tenant {
        guard let tenant = try find(id, in: tx) else { throw StorageError.notFound("tenant \(id)") }
        return tenant
    }

    /// The tenant, which nobody else changes until the transaction ends; `.notFound` when there is none.
    public static func lock(_ id: TenantID, in tx: Transaction) throws -> Tenant {
        let account = try require(id, in: tx).accountID
        return try tx.query("\(select) WHERE account_id = \(account) AND tenant_id = \(id) FOR UPDATE").first
            .map(tenant) ?? require(id, in: tx)
    }

    /// A page of the tenants of one account, or of all.
    public static func list(
        account: AccountID? = nil, _ page: PageRequest = PageRequest(), in tx: Transaction
    ) throws -> Page<Tenant> {
        let rows = try tx.query(
            """
            \(select)
            WHERE tenant_id > \(page.afterOrZero) AND (\(account)::uuid IS NULL OR account_id = \(account))
            ORDER BY tenant_id LIMIT \(page.limitAndOne)
            """)
        return Page(try rows.map(tenant), page)
    }

    /// Changes the name.
    public static func rename(_ id: TenantID, to name: String, in tx: Transaction) throws {
        let account = try require(id, in: tx).accountID
        let count = try tx.execute(
            "UPDATE tenants SET name = \(name) WHERE account_id = \(account) AND tenant_id = \(id)")
        guard count == 1 else { throw StorageError.notFound("tenant \(id)") }
    }

    private static let select: SQL = "SELECT account_id, tenant_id, name, created_at FROM tenants"

    private static func tenant(_ row: Row) throws -> Tenant {
        Tenant(
            id: try row.decode("tenant_id"), accountID: try row.decode("account_id"), name: try row.decode("name"),
            createdAt: try row.decode("created_at"))
    }
}

/// Projects.
public enum ProjectStorage {
    /// Stores a new project of a tenant of the same account.
    public static func insert(_ project: Project, in tx: Transaction) throws {
        try StorageError.requireName(project.name)
        let tenant = try TenantStorage.require(project.tenantID, in: tx)
        guard tenant.accountID == project.accountID else {
            throw StorageError.invalid(parameter: "tenant", message: "\(tenant.id) belongs to another account")
        }
        try tx.execute(
            """
            INSERT INTO projects (account_id, tenant_id, project_id, name, created_at)
            VALUES (
                \(project.accountID), \(project.tenantID), \(project.id), \(project.name), \(project.createdAt)
            )
            """)
    }

    /// The project, or nil.
    public static func find(_ id: ProjectID, in tx: Transaction) throws -> Project? {
        try tx.query("\(select) WHERE project_id = \(id)").first.map(project)
    }

    /// The project; `.notFound` when there is none.
    public static func require(_ id: ProjectID, in tx: Transaction) throws -> Project {
        guard let project = try find(id, in: tx) else { throw StorageError.notFound("project \(id)") }
        return project
    }

    /// A page of the projects of one tenant, or of all.
    public static func list(
        tenant: TenantID? = nil, _ page: PageRequest = PageRequest(), in tx: Transaction
    ) throws -> Page<Project> {
        let rows = try tx.query(
            """
            \(select)
            WHERE project_id > \(page.afterOrZero) AND (\(tenant)::uuid IS NULL OR tenant_id = \(tenant))
            ORDER BY project_id LIMIT \(page.limitAndOne)
            """)
        return Page(try rows.map(project), page)
    }

    private static let select: SQL = "SELECT account_id, tenant_id, project_id, name, created_at FROM projects"

    private static func project(_ row: Row) throws -> Project {
        Project(
            id: try row.decode("project_id"), accountID: try row.decode("account_id"),
            tenantID: try row.decode("tenant_id"), name: try row.decode("name"), createdAt: try row.decode("created_at")
        )
    }
}
