import Accounts
import Foundation
import Identity
import Invoicing
import Storage
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import AdminAPI

/// The API on a real port over the running test's database, with a key of each role.
struct RunningAPI {
    static let now = Timestamp(milliseconds: 1_790_000_000_000)  // 2026-09-21T14:13:20Z

    let client: RawClient
    let database: Database
    let secrets: [AdminRole: String]
    let keys: [AdminRole: AdminKey]
    private let conformance: Conformance

    /// The running test's database.
    static var databaseOfTest: Database {
        get throws { Database(try TestDatabase.required.pool) }
    }

    /// Runs the API for the time of the closure.
    static func run(_ body: (RunningAPI) async throws -> Void) async throws {
        let database = try databaseOfTest
        var secrets: [AdminRole: String] = [:]
        var keys: [AdminRole: AdminKey] = [:]
        for (index, role) in AdminRole.allCases.enumerated() {
            let secret = Secret(text: "tga_\(role.rawValue)")
            let id = AdminKeyID(
                UUIDv7(milliseconds: now.milliseconds, randomness: (UInt64(index), UInt64(index))))
            let key = AdminKey(
                id: id, name: "the \(role.rawValue)", role: role, secretDigest: secret.digest,
                secretHint: secret.hint, createdAt: now)
            try await database.write { try AdminKeyStorage.insert(key, in: $0) }
            secrets[role] = secret.text
            keys[role] = key
        }
        let server = AdminServer(
            configuration: AdminConfiguration(port: 0), services: services(database),
            log: StructuredLog(minimumLevel: .error))
        let port = try await server.start()
        let api = RunningAPI(
            client: RawClient(port: port), database: database, secrets: secrets, keys: keys,
            conformance: Conformance(API.endpoints(services(database))))
        do {
            try await body(api)
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    static func services(_ database: Database) -> AdminServices {
        AdminServices(
            database: database, now: { now },
            secretKeyring: { try SecretKeyring(String(repeating: "5a", count: 32)) }, metrics: { "tollgate_up 1\n" })
    }

    /// A call with the key of a role, its body and answer JSON.
    func call(
        _ method: String, _ target: String, _ body: JSONValue? = nil, as role: AdminRole? = .admin,
        headers: [String: String] = [:]
    ) async throws -> JSONAnswer {
        var all = headers
        if let role, let secret = secrets[role] { all["authorization"] = "Bearer \(secret)" }
        if body != nil { all["content-type"] = all["content-type"] ?? "application/json" }
        let answer = try await client.call(method, target, headers: all, body: body.map { Array($0.jsonText.utf8) })
        conformance.check(answer, to: method, target)
        return JSONAnswer(answer)
    }

    /// A call whose body is a document.
    func send(
        _ document: String, to target: String, method: String = "POST", as role: AdminRole = .admin,
        mediaType: String = "application/yaml"
    ) async throws -> JSONAnswer {
        let headers = ["authorization": "Bearer \(secrets[role] ?? "")", "content-type": mediaType]
        let answer = try await client.call(method, target, headers: headers, body: Array(document.utf8))
        conformance.check(answer, to: method, target)
        return JSONAnswer(answer)
    }
}

/// An answer read as JSON.
struct JSONAnswer: CustomStringConvertible {
    let status: Int
    let headers: [String: String]
    let json: JSONValue
    let text: String

    init(_ answer: RawClient.Answer) {
        status = answer.status
        headers = answer.headers
        text = answer.text
        json = (try? JSONValue(bytes: answer.body)) ?? .null
    }

    /// The text of a member; several names go down into objects.
    subscript(_ names: String...) -> String? {
        names.reduce(json as JSONValue?) { $0?[$1] }?.text
    }

    var data: [JSONValue] { json["data"]?.elements ?? [] }

    /// The parameters that a problem names.
    var wrong: [String] { json["errors"]?.elements?.compactMap { $0["parameter"]?.text } ?? [] }

    var description: String { "\(status) \(text)" }
}
