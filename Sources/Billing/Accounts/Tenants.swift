public import Accounts
public import Identity
import Monetary
public import Storage

extension ReadSession {
    public func tenants(of account: AccountID? = nil, _ page: PageRequest = PageRequest()) throws -> Page<Tenant> {
        try look(.read(.tenants)) { try TenantStorage.list(account: account, page, in: $0) }
    }

    public func tenant(_ id: TenantID) throws -> Tenant {
        try look(.read(.tenants)) { try TenantStorage.require(id, in: $0) }
    }

    public func projects(of tenant: TenantID? = nil, _ page: PageRequest = PageRequest()) throws -> Page<Project> {
        try look(.read(.tenants)) { try ProjectStorage.list(tenant: tenant, page, in: $0) }
    }

    public func project(_ id: ProjectID) throws -> Project {
        try look(.read(.tenants)) { try ProjectStorage.require(id, in: $0) }
    }
}

extension WriteSession {
    /// Adds a tenant and its first project; without an account it gets one of its own, of its name, in USD and UTC.
    public func createTenant(
        name: String, account: AccountID?, mode: AccountMode? = nil, projectName: String = "default"
    ) throws -> (tenant: Tenant, project: Project) {
        guard account == nil || mode == nil else {
            throw StorageError.invalid(parameter: "mode", message: "it is the account's: say an account or a mode")
        }
        let accountID =
            try account
            ?? openAccount(
                name: name, currency: .usd, calendar: BillingCalendar(zoneName: "UTC"), mode: mode
            ).id
        let tenant = try change(.tenantCreated) { tx in
            let tenant = Tenant(id: Randomness.id(at: now), accountID: accountID, name: name, createdAt: now)
            try TenantStorage.insert(tenant, in: tx)
            return .made(tenant, .account(accountID, tenant.id, after: tenant.facts))
        }
        return (tenant, try createProject(name: projectName, of: tenant.id))
    }

    public func renameTenant(_ id: TenantID, to name: String) throws -> Tenant {
        try change(.tenantUpdated) { tx in
            let before = try TenantStorage.lock(id, in: tx)
            try TenantStorage.rename(id, to: name, in: tx)
            let after = try TenantStorage.require(id, in: tx)
            return .made(after, .account(after.accountID, id, before: before.facts, after: after.facts))
        }
    }

    public func createProject(name: String, of tenant: TenantID) throws -> Project {
        try change(.projectCreated) { tx in
            let tenant = try TenantStorage.require(tenant, in: tx)
            let project = Project(
                id: Randomness.id(at: now), accountID: tenant.accountID, tenantID: tenant.id, name: name,
                createdAt: now)
            try ProjectStorage.insert(project, in: tx)
            return .made(project, .account(project.accountID, project.id, after: project.facts))
        }
    }
}
