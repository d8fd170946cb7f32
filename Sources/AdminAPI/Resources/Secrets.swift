import Accounts
import Billing
import Engines
import Identity
import Storage

/// Secrets of backends: a value goes in, and nobody gets it back.
enum SecretEndpoints {
    static let shape = Shape<SecretStorage.Entry>(
        "Secret", "A credential of backends, kept encrypted. Its value is never shown.",
        [
            .init("name", .text("What backends write as `secret`.", lengths: 1...63)) { .string($0.secret.name) },
            .init("version", .integer("Counts how often it was set.")) { .integer(Int128($0.secret.version)) },
            .init(
                "fingerprint",
                .text("Equal for equal values under one key; tells nothing of the value.", lengths: 12...12)
            ) { .string($0.secret.fingerprint) },
            .init("key_id", .text("Of the key that it is encrypted under.", lengths: 8...8)) {
                .string($0.secret.sealed.keyID)
            },
            .init("hosts", .list(.text(lengths: 1...300), "Where it may be sent.", countMax: SecretHost.countMax)) {
                .array($0.secret.hosts.map { .string($0.description) })
            },
            .init("backends", .list(.text(), "Which backends name it.", countMax: 10_000)) {
                .array($0.backends.map { .string($0) })
            },
            .init("created_at", .instant()) { .string("\($0.secret.createdAt)") },
            .init("updated_at", .instant("When it was set last.")) { .string("\($0.secret.updatedAt)") },
        ])

    private static let one = Parameter.path("secret", .text("Its name.", lengths: 1...63))

    static func all(_ services: AdminServices) -> [Endpoint] { [list, set(services), get, delete] }

    private static let list = Endpoint(
        .get, "/v1/secrets", "listSecrets", tag: "Secrets", "List secrets", access: .role(.viewer),
        successes: [.json(200, "All of them, by name; no values.", shape.listSchema)],
        work: .look { _, session in .ok(["data": .array(try session.secrets().map(shape.json))]) })

    private static func set(_ services: AdminServices) -> Endpoint {
        Endpoint(
            .put, "/v1/secrets/{secret}", "setSecret", tag: "Secrets", "Make or replace a secret",
            description: "Gateways use the new value within a second. Setting the same value and hosts again changes "
                + "nothing. `hosts` bind it: no backend elsewhere can name it.",
            access: .role(.admin), parameters: [one],
            body: .json(
                [
                    .required(
                        "value",
                        .text("Visible ASCII characters on one line.", lengths: 1...BackendSecret.valueBytesMax)),
                    .optional(
                        "hosts",
                        .list(
                            .text(lengths: 1...300),
                            "Where it may be sent, such as `api.openai.com`, `*.openai.azure.com`, `10.0.0.20:8000` or "
                                + "`https://gpu.internal`. Without it a secret keeps its hosts.",
                            countMax: SecretHost.countMax)),
                ], named: "SecretInput"),
            successes: [.json(200, "The secret, without its value.", shape.schema)], problems: [409],
            work: .change { call, session in
                guard let keyring = try services.keyring() else {
                    throw StorageError.conflict(
                        "there is no key to encrypt it with: set secrets.key_file or TOLLGATE_SECRET_KEY for the admin "
                            + "API and the gateways")
                }
                let entry = try session.setSecret(
                    call.pathText("secret"), to: try call.body.required("value"), hosts: try hosts(call.body),
                    by: keyring)
                return .ok(shape.json(entry))
            })
    }

    private static let get = Endpoint(
        .get, "/v1/secrets/{secret}", "getSecret", tag: "Secrets", "Show a secret", access: .role(.viewer),
        parameters: [one], successes: [.json(200, "The secret, without its value.", shape.schema)],
        work: .look { call, session in .ok(shape.json(try session.secret(call.pathText("secret")))) })

    private static let delete = Endpoint(
        .delete, "/v1/secrets/{secret}", "deleteSecret", tag: "Secrets", "Delete a secret",
        description: "Refused while a backend names it. The answer shows it for the last time; null where it did not "
            + "read.",
        access: .role(.admin), parameters: [one],
        successes: [.json(200, "The secret that was.", shape.schema.nullable)], problems: [409],
        work: .change { call, session in
            .ok(try session.deleteSecret(call.pathText("secret")).map(shape.json) ?? .null)
        })

    private static func hosts(_ body: JSONValue) throws(Problem) -> [SecretHost]? {
        guard let elements = body["hosts"]?.elements else { return nil }
        var hosts: [SecretHost] = []
        for (index, element) in elements.enumerated() {
            guard let host = element.text.flatMap({ SecretHost($0) }) else {
                throw .invalid("hosts[\(index)]", "must be a host, such as api.openai.com or *.openai.azure.com")
            }
            if !hosts.contains(host) { hosts.append(host) }
        }
        return hosts
    }
}
