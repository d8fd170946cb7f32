import Accounts
import HTTPTypes
import Identity
import Storage

/// From a request's parts to an answer: who calls, whether the call is valid, whether it was made before, what it does.
struct Dispatcher: Sendable {
    let services: AdminServices

    /// What came over the wire, but for the body.
    struct Head: Sendable {
        let endpoint: Endpoint
        /// Method and path as they were called.
        let methodAndPath: String
        let path: [String: String]
        let query: String
        let authorization: String?
        let idempotencyKey: String?
        let mediaType: String?
    }

    /// The longest idempotency key.
    static let idempotencyKeyLengthMax = 255

    /// Who calls, if the endpoint lets them. Asked before the body is read: strangers send none.
    func authenticate(_ head: Head) async throws -> AdminKey? {
        guard case .role(let needed) = head.endpoint.access else { return nil }
        guard let secret = Dispatcher.bearerSecret(head.authorization) else {
            throw Dispatcher.unauthenticated("send the header authorization: Bearer tga_…")
        }
        let found = try await services.database.read { try AdminKeyStorage.find(secretDigest: secret.digest, in: $0) }
        guard let key = found else { throw Dispatcher.unauthenticated("the admin key is unknown or was revoked") }
        guard key.role.includes(needed) else {
            throw Problem(
                403, .roleTooLow,
                "this needs the role \(needed.rawValue); the key \(key.id) (\(key.name)) has \(key.role.rawValue)")
        }
        return key
    }

    /// Does what was called.
    func answer(_ head: Head, key: AdminKey?, body: [UInt8]) async throws -> Answer {
        let reader = CallReader(endpoint: head.endpoint)
        try reader.requirePath(head.path)
        let call = Call(
            now: services.now(), key: key, path: head.path, query: try reader.query(head.query),
            body: try reader.body(body, mediaType: head.mediaType))
        if head.endpoint.takesIdempotencyKey, let key, let text = head.idempotencyKey {
            return try await Once(call: call, head: head, key: key, idempotencyKey: text, body: body).answer(services)
        }
        switch head.endpoint.work {
        case .read(let work): return try await services.database.read { try work(call, $0) }
        case .write(let work): return try await services.database.write { try work(call, $0) }
        case .job(let work): return try await work(call)
        }
    }

    private static func bearerSecret(_ header: String?) -> Secret? {
        let parts = (header ?? "").split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer", (1...200).contains(parts[1].utf8.count) else {
            return nil
        }
        return Secret(text: String(parts[1]))
    }

    private static func unauthenticated(_ detail: String) -> Problem {
        Problem(401, .unauthenticated, detail, headers: [.wwwAuthenticate: "Bearer realm=\"tollgate\""])
    }
}

/// A call with an idempotency key: done the first time, and answered the same ever after.
///
/// A write and its key are one transaction: a call that died left neither. A job claims its key beforehand and gives it
/// free when it fails. Either way a second call that comes meanwhile is told that the first is under way. Problems are
/// not kept: what was refused may be tried again.
private struct Once: Sendable {
    let call: Call
    let head: Dispatcher.Head
    let key: AdminKey
    let idempotencyKey: String
    let body: [UInt8]

    func answer(_ services: AdminServices) async throws -> Answer {
        guard (1...Dispatcher.idempotencyKeyLengthMax).contains(idempotencyKey.count) else {
            throw Problem.invalid(
                "Idempotency-Key", "must have 1 to \(Dispatcher.idempotencyKeyLengthMax) characters")
        }
        switch head.endpoint.work {
        case .read(let work), .write(let work):
            return try await services.database.write { tx in
                if let kept = try begin(in: tx) { return kept }
                let answer = try work(call, tx)
                try finish(answer, in: tx)
                return answer
            }
        case .job(let work):
            if let kept = try await services.database.write({ try begin(in: $0) }) { return kept }
            do {
                let answer = try await work(call)
                try await services.database.write { try finish(answer, in: $0) }
                return answer
            } catch {
                try await services.database.write {
                    try IdempotencyStorage.abandon(adminKey: key.id, key: idempotencyKey, in: $0)
                }
                throw error
            }
        }
    }

    /// The answer that is kept already; nil where this is the first call.
    private func begin(in tx: DatabaseTransaction) throws -> Answer? {
        let beginning = try IdempotencyStorage.begin(
            adminKey: key.id, key: idempotencyKey, methodAndPath: head.methodAndPath, requestDigest: digest,
            now: call.now, in: tx)
        switch beginning {
        case .first: return nil
        case .done(let status, let body):
            return Answer(
                status: status, body: .jsonText(body), headers: [.idempotentReplayed: "true"])
        case .running:
            throw Problem(
                409, .idempotencyKeyInUse,
                "a call with this Idempotency-Key is under way (or its process died): ask again later, or look what it "
                    + "did and use another key", headers: [.retryAfter: "1"])
        case .mismatch:
            throw Problem(
                422, .idempotencyKeyReused,
                "this Idempotency-Key was used for a call with another path or body: use a new key for a new call")
        }
    }

    private func finish(_ answer: Answer, in tx: DatabaseTransaction) throws {
        try IdempotencyStorage.finish(
            adminKey: key.id, key: idempotencyKey, status: answer.status, body: answer.storedText, in: tx)
    }

    /// Of everything that makes the call what it is.
    private var digest: SHA256Digest {
        let head = Array("\(head.mediaType ?? "")\n\(head.query)\n".utf8)
        return (head + body).withUnsafeBytes { SHA256Digest(of: $0) }
    }
}
