import Accounts
import Billing
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
        let auditReason: String
        /// The network address that it came from.
        let origin: String
    }

    /// The longest idempotency key.
    static let idempotencyKeyLengthMax = 255

    /// Who calls, if the endpoint lets them. Asked before the body is read: strangers send none.
    func authenticate(_ head: Head) async throws -> AdminKey? {
        guard case .role(let needed) = head.endpoint.access else { return nil }
        guard let secret = Dispatcher.bearerSecret(head.authorization) else {
            throw Dispatcher.unauthenticated("send the header authorization: Bearer tga_…")
        }
        guard let key = try await services.billing.adminKey(of: secret) else {
            throw Dispatcher.unauthenticated("the admin key is unknown or was revoked")
        }
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
            body: try reader.body(body, mediaType: head.mediaType), origin: head.origin,
            reason: head.endpoint.takesAuditReason ? head.auditReason : "")
        if head.endpoint.takesIdempotencyKey, let key, let text = head.idempotencyKey {
            return try await IdempotentRequest(call: call, head: head, key: key, idempotencyKey: text, body: body)
                .answer(services)
        }
        switch head.endpoint.work {
        case .look(let work):
            return try await services.billing.read(by: try Dispatcher.caller(call)) { try work(call, $0) }
        case .change(let work):
            return try await services.billing.change(by: try Dispatcher.caller(call)) { try work(call, $0) }
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

    fileprivate static func caller(_ call: Call) throws(Problem) -> Actor {
        guard let caller = call.caller else { throw unauthenticated("this needs an admin key") }
        return caller
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
private struct IdempotentRequest: Sendable {
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
        let repeated = IdempotentCall(
            adminKey: key.id, key: idempotencyKey, methodAndPath: head.methodAndPath, digest: digest)
        let caller = try Dispatcher.caller(call)
        switch head.endpoint.work {
        case .look(let work):
            return try await services.billing.change(by: caller) { try once(repeated, $0) { try work(call, $0) } }
        case .change(let work):
            return try await services.billing.change(by: caller) {
                try once(repeated, $0) { try work(call, $0) }
            }
        case .job(let work):
            if let kept = try await services.billing.change(by: caller, { try kept($0.begin(repeated)) }) {
                return kept
            }
            do {
                let answer = try await work(call)
                try await services.billing.change(by: caller) {
                    try $0.finish(repeated, status: answer.status, body: answer.storedText)
                }
                return answer
            } catch {
                try await services.billing.change(by: caller) { try $0.abandon(repeated) }
                throw error
            }
        }
    }

    /// Does the work where this is the first call, and keeps its answer.
    private func once(
        _ repeated: IdempotentCall, _ session: WriteSession, _ work: (WriteSession) throws -> Answer
    ) throws -> Answer {
        if let kept = try kept(session.begin(repeated)) { return kept }
        let answer = try work(session)
        try session.finish(repeated, status: answer.status, body: answer.storedText)
        return answer
    }

    /// The answer that is kept already; nil where this is the first call.
    private func kept(_ beginning: IdempotencyStorage.Beginning) throws -> Answer? {
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

    /// Of everything that makes the call what it is.
    private var digest: SHA256Digest {
        let head = Array("\(head.mediaType ?? "")\n\(head.query)\n".utf8)
        return (head + body).withUnsafeBytes { SHA256Digest(of: $0) }
    }
}
