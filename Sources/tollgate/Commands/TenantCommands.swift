import Accounts
import ArgumentParser
import Billing
import Identity
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
            let tenants = try await options.look { try $0.tenants(of: nil, request) }
            output.print(
                columns: ["tenant", "account", "name"],
                rows: tenants.items.map { ["\($0.id)", "\($0.accountID)", $0.name] })
            page.sayMore(tenants.hasMore, after: tenants.items.last?.id)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a tenant, and its first project, to a billing account.",
            discussion: "Without --account it gets one of its own, of its name, in USD and UTC.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var reason: ReasonOptions

        @Argument(help: "Its name.") var name: String
        @Option(help: "The billing account.") var account: String?
        @Option(help: "live or test: of the account of its own; default: as in accounts create.", transform: readMode)
        var mode: AccountMode?
        @Option(help: "The name of its first project.") var project = "default"

        func run() async throws {
            let accountID: AccountID? = try account.map { try readID($0) }
            let (name, project, mode) = (name, project, mode)
            let created = try await options.change(reason) {
                try $0.createTenant(name: name, account: accountID, mode: mode, projectName: project)
            }
            output.print(fields: [
                ("tenant", "\(created.tenant.id)"), ("project", "\(created.project.id)"),
                ("account", "\(created.tenant.accountID)"),
            ])
        }
    }

    struct CreateProject: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create-project", abstract: "Add a project to a tenant.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var reason: ReasonOptions

        @Argument(help: "Its name.") var name: String
        @Option(help: "The tenant.") var tenant: String

        func run() async throws {
            let id: TenantID = try readID(tenant)
            let name = name
            let project = try await options.change(reason) { try $0.createProject(name: name, of: id) }
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
            let subscriptions = try await options.look { try $0.subscriptions(account: nil, request) }
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
        @OptionGroup var reason: ReasonOptions

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
            let subscription = try await options.change(reason) { try $0.subscribe(tenantID, to: plan, from: from) }
            output.print(fields: [
                ("subscription", "\(subscription.id)"), ("starts at", "\(subscription.startsAt)"),
            ])
        }
    }

    struct End: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End a subscription at an instant.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var reason: ReasonOptions

        @Argument(help: "The subscription.") var subscription: String
        @Option(help: "When, RFC 3339 billing time.") var at: String

        func run() async throws {
            let id: SubscriptionID = try readID(subscription)
            guard let instant = Timestamp(at) else { throw ValidationError("'\(at)' is not RFC 3339") }
            _ = try await options.change(reason) { try $0.endSubscription(id, at: instant) }
            print("\(id) ends at \(instant)")
        }
    }
}
