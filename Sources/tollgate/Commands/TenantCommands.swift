import Accounts
import ArgumentParser
import Identity
import Monetary
import Storage

struct TenantsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tenants", abstract: "Tenants and their projects.",
        subcommands: [List.self, Create.self, CreateProject.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the tenants.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var page: PageOptions

        func run() async throws {
            let request = try page.request(IDKinds.Tenant.self)
            let tenants = try await options.withDatabase { database in
                try await database.read { try TenantStorage.list(request, in: $0) }
            }
            output.print(
                columns: ["tenant", "account", "name"],
                rows: tenants.items.map { ["\($0.id)", "\($0.accountID)", $0.name] })
            page.sayMore(tenants.hasMore, after: tenants.items.last?.id)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a tenant, and its first project, to a billing account.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions

        @Argument(help: "Its name.") var name: String
        @Option(help: "The billing account.") var account: String
        @Option(help: "The name of its first project.") var project = "default"

        func run() async throws {
            let tenant = Tenant(id: fresh(), accountID: try readID(account), name: name, createdAt: now())
            let first = Project(
                id: fresh(), accountID: tenant.accountID, tenantID: tenant.id, name: project, createdAt: now())
            try await options.withDatabase { database in
                try await database.write { tx in
                    try TenantStorage.insert(tenant, in: tx)
                    try ProjectStorage.insert(first, in: tx)
                }
            }
            output.print(fields: [("tenant", "\(tenant.id)"), ("project", "\(first.id)")])
        }
    }

    struct CreateProject: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create-project", abstract: "Add a project to a tenant.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions

        @Argument(help: "Its name.") var name: String
        @Option(help: "The tenant.") var tenant: String

        func run() async throws {
            let id: TenantID = try readID(tenant)
            let name = name
            let project = try await options.withDatabase { database in
                try await database.write { tx in
                    let tenant = try TenantStorage.require(id, in: tx)
                    let project = Project(
                        id: fresh(), accountID: tenant.accountID, tenantID: id, name: name, createdAt: now())
                    try ProjectStorage.insert(project, in: tx)
                    return project
                }
            }
            output.print(fields: [("project", "\(project.id)")])
        }
    }
}

struct SubscriptionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "subscriptions", abstract: "Which plan prices a tenant's requests, and from when.",
        subcommands: [List.self, Create.self, End.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the subscriptions.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var page: PageOptions

        func run() async throws {
            let request = try page.request(IDKinds.Subscription.self)
            let subscriptions = try await options.withDatabase { database in
                try await database.read { try SubscriptionStorage.list(request, in: $0) }
            }
            output.print(
                columns: ["subscription", "tenant", "plan", "starts at", "ends at"],
                rows: subscriptions.items.map {
                    ["\($0.id)", "\($0.tenantID)", $0.plan, "\($0.startsAt)", $0.endsAt.map { "\($0)" } ?? ""]
                })
            page.sayMore(subscriptions.hasMore, after: subscriptions.items.last?.id)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Subscribe a tenant to a plan.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions

        @Option(help: "The tenant.") var tenant: String
        @Option(help: "The plan.") var plan: String
        @Option(help: "From when, RFC 3339 billing time; default: now.") var from: String?

        func run() async throws {
            let tenantID: TenantID = try readID(tenant)
            let plan = plan
            let from = try from.map { text in
                guard let instant = Timestamp(text) else { throw ValidationError("'\(text)' is not RFC 3339") }
                return instant
            }
            let subscription = try await options.withDatabase { database in
                try await database.write { tx in
                    let tenant = try TenantStorage.require(tenantID, in: tx)
                    let account = try AccountStorage.require(tenant.accountID, in: tx)
                    let subscription = Subscription(
                        id: fresh(), accountID: tenant.accountID, tenantID: tenantID, plan: plan,
                        startsAt: from ?? account.billingTime(at: now()), createdAt: now())
                    try SubscriptionStorage.insert(subscription, in: tx)
                    return subscription
                }
            }
            output.print(fields: [
                ("subscription", "\(subscription.id)"), ("starts at", "\(subscription.startsAt)"),
            ])
        }
    }

    struct End: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End a subscription at an instant.")

        @OptionGroup var options: ConfigurationOptions

        @Argument(help: "The subscription.") var subscription: String
        @Option(help: "When, RFC 3339 billing time.") var at: String

        func run() async throws {
            let id: SubscriptionID = try readID(subscription)
            guard let instant = Timestamp(at) else { throw ValidationError("'\(at)' is not RFC 3339") }
            try await options.withDatabase { database in
                try await database.write { tx in
                    _ = try SubscriptionStorage.end(id, at: instant, now: now(), in: tx)
                }
            }
            print("\(id) ends at \(instant)")
        }
    }
}
