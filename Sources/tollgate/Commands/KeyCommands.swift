import Accounts
import ArgumentParser
import Identity
import Monetary
import Storage

/// A new secret from the system's randomness.
func freshSecret(_ purpose: Secret.Purpose) -> Secret {
    var generator = SystemRandomNumberGenerator()
    return Secret(
        purpose: purpose,
        randomness: (generator.next(), generator.next(), generator.next(), generator.next()))
}

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
            let keys = try await options.withDatabase { database in
                try await database.read { try APIKeyStorage.list(request, in: $0) }
            }
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

        @Argument(help: "Its name.") var name: String
        @Option(help: "The project.") var project: String

        func run() async throws {
            let projectID: ProjectID = try readID(project)
            let secret = freshSecret(.inference)
            let name = name
            let key = try await options.withDatabase { database in
                try await database.write { tx in
                    let project = try ProjectStorage.require(projectID, in: tx)
                    let key = APIKey(id: fresh(), project: project, name: name, secret: secret, createdAt: now())
                    try APIKeyStorage.insert(key, in: tx)
                    return key
                }
            }
            output.print(fields: [("key", "\(key.id)"), ("secret", secret.text)])
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a new key in the place of one, which goes on working for a while.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions

        @Argument(help: "The key to replace.") var key: String
        @Option(help: "Hours that the old key goes on working, at most 720.") var overlapHours: Int64 = 24

        func run() async throws {
            let id: KeyID = try readID(key)
            let secret = freshSecret(.inference)
            let instant = now()
            guard (0...720).contains(overlapHours) else { throw ValidationError("the overlap is 0 to 720 hours") }
            let expiresAt = instant.advanced(byMilliseconds: overlapHours * 3_600_000)
            let successor = try await options.withDatabase { database in
                try await database.write { tx in
                    let old = try APIKeyStorage.require(id, in: tx)
                    let project = try ProjectStorage.require(old.projectID, in: tx)
                    let successor = APIKey(
                        id: fresh(), project: project, name: old.name, secret: secret, createdAt: instant)
                    try APIKeyStorage.rotate(id, to: successor, expiresAt: expiresAt, now: instant, in: tx)
                    return successor
                }
            }
            output.print(fields: [
                ("key", "\(successor.id)"), ("secret", secret.text), ("old key works until", "\(expiresAt)"),
            ])
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Revoke a key: refused within a second.")

        @OptionGroup var options: ConfigurationOptions

        @Argument(help: "The key.") var key: String

        func run() async throws {
            let id: KeyID = try readID(key)
            try await options.withDatabase { database in
                try await database.write { _ = try APIKeyStorage.revoke(id, now: now(), in: $0) }
            }
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
            let keys = try await options.withDatabase { database in
                try await database.read { try AdminKeyStorage.list(request, in: $0) }
            }
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

        @Argument(help: "Its name.") var name: String
        @Option(help: "viewer, billing or admin.") var role = AdminRole.viewer.rawValue

        func run() async throws {
            guard let role = AdminRole(rawValue: role) else {
                throw ValidationError("the role is viewer, billing or admin, not '\(self.role)'")
            }
            let secret = freshSecret(.administration)
            let key = AdminKey(
                id: fresh(), name: name, role: role, secretDigest: secret.digest, secretHint: secret.hint,
                createdAt: now())
            try await options.withDatabase { database in
                try await database.write { try AdminKeyStorage.insert(key, in: $0) }
            }
            output.print(fields: [("key", "\(key.id)"), ("secret", secret.text)])
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Revoke a key.")

        @OptionGroup var options: ConfigurationOptions

        @Argument(help: "The key.") var key: String

        func run() async throws {
            let id: AdminKeyID = try readID(key)
            try await options.withDatabase { database in
                try await database.write { try AdminKeyStorage.revoke(id, now: now(), in: $0) }
            }
            print("\(id) is revoked")
        }
    }
}
