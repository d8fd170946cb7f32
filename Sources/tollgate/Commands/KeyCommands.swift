import Accounts
import ArgumentParser
import Billing
import Identity
import Storage

struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "API keys of the inference API.",
        subcommands: [List.self, Create.self, Rotate.self, Revoke.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the keys; secrets are never shown again.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var page: PageOptions

        func run() async throws {
            let request = try page.request(IDKinds.Key.self)
            let keys = try await options.look { try $0.apiKeys(tenant: nil, request) }
            let instant = now()
            output.print(
                columns: ["key", "name", "begins with", "tenant", "project", "state"],
                rows: keys.items.map {
                    [
                        "\($0.id)", $0.name, $0.secretHint, "\($0.tenantID)", "\($0.projectID)",
                        $0.state(at: instant).rawValue,
                    ]
                })
            page.sayMore(keys.hasMore, after: keys.items.last?.id)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a key; its secret is shown once.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var reason: ReasonOptions

        @Argument(help: "Its name.") var name: String
        @Option(help: "The project.") var project: String

        func run() async throws {
            let projectID: ProjectID = try readID(project)
            let name = name
            let new = try await options.change(reason) { try $0.createAPIKey(name: name, project: projectID) }
            output.print(fields: [("key", "\(new.key.id)"), ("secret", new.secret.text)])
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a new key in the place of one, which goes on working for a while.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var reason: ReasonOptions

        @Argument(help: "The key to replace.") var key: String
        @Option(help: "Hours that the old key goes on working, at most 720.") var overlapHours: Int64 = 24

        func run() async throws {
            let id: KeyID = try readID(key)
            guard (0...720).contains(overlapHours) else { throw ValidationError("the overlap is 0 to 720 hours") }
            let overlapHours = overlapHours
            let (new, old) = try await options.change(reason) { try $0.rotateAPIKey(id, overlapHours: overlapHours) }
            output.print(fields: [
                ("key", "\(new.key.id)"), ("secret", new.secret.text),
                ("old key works until", old.expiresAt.map { "\($0)" } ?? ""),
            ])
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Revoke a key: refused within a second.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var reason: ReasonOptions

        @Argument(help: "The key.") var key: String

        func run() async throws {
            let id: KeyID = try readID(key)
            _ = try await options.change(reason) { try $0.revokeAPIKey(id) }
            print("\(id) is revoked")
        }
    }
}

struct AdminKeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "admin-keys", abstract: "Keys of the admin API.",
        subcommands: [List.self, Create.self, Revoke.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the keys.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var page: PageOptions

        func run() async throws {
            let request = try page.request(IDKinds.AdminKey.self)
            let keys = try await options.look { try $0.adminKeys(request) }
            output.print(
                columns: ["key", "name", "role", "begins with", "revoked"],
                rows: keys.items.map {
                    ["\($0.id)", $0.name, $0.role.rawValue, $0.secretHint, $0.revokedAt.map { "\($0)" } ?? ""]
                })
            page.sayMore(keys.hasMore, after: keys.items.last?.id)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key; its secret is shown once.",
            discussion: "Roles: viewer reads, billing also changes plans, subscriptions and invoices, admin does all.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var reason: ReasonOptions

        @Argument(help: "Its name.") var name: String
        @Option(help: "viewer, billing or admin.") var role = AdminRole.viewer.rawValue

        func run() async throws {
            guard let role = AdminRole(rawValue: role) else {
                throw ValidationError("the role is viewer, billing or admin, not '\(self.role)'")
            }
            let name = name
            let new = try await options.change(reason) { try $0.createAdminKey(name: name, role: role) }
            output.print(fields: [("key", "\(new.key.id)"), ("secret", new.secret.text)])
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Revoke a key.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var reason: ReasonOptions

        @Argument(help: "The key.") var key: String

        func run() async throws {
            let id: AdminKeyID = try readID(key)
            _ = try await options.change(reason) { try $0.revokeAdminKey(id) }
            print("\(id) is revoked")
        }
    }
}
