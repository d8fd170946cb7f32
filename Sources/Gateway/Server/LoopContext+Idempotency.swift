import Engines
import HTTP1
import Identity
import Metering
import NIOCore

/// A client's retry is a new request, and would be billed as one; with `Idempotency-Key` it is refused where the first
/// request runs still, or delivered or billed something.
extension LoopContext {
    /// The header, and the most bytes of its value.
    static let idempotencyHeader: StaticString = "idempotency-key"
    static let idempotencyKeyBytesMax = 255

    /// Takes the request's `Idempotency-Key`, if it has one, and notes it in its record.
    func claimIdempotencyKey(
        _ headers: Headers, of entry: inout UsageEntry, asking fingerprint: RequestFingerprint?
    ) throws(APIError) {
        guard let value = headers.first(LoopContext.idempotencyHeader), let fingerprint else { return }
        entry.request.idempotencyDigest = try claimIdempotencyKey(
            value, by: entry.request.keyID, for: entry.request.id, asking: fingerprint
        ).bytes
    }

    /// Takes the key for a request of this API key, or refuses it.
    func claimIdempotencyKey(
        _ value: String, by keyID: KeyID, for request: RequestID, asking fingerprint: RequestFingerprint
    ) throws(APIError) -> IdempotencyKey {
        guard (1...LoopContext.idempotencyKeyBytesMax).contains(value.utf8.count) else { throw .badIdempotencyKey }
        let key = IdempotencyKey(digest: IdempotencyDigest(keyID: keyID, value: value), fingerprint: fingerprint)
        switch shared.idempotency.claim(key, for: request, now: shared.clock.realTime) {
        case .taken: return key
        case .running(let first): throw .stillRunning(first)
        case .spent(let first): throw .alreadyRun(first)
        case .differs(let first): throw .asksForSomethingElse(first)
        }
    }

    /// The request has ended: its key is spent, or free for a retry.
    func settleIdempotencyKey(of entry: UsageEntry) {
        guard let key = IdempotencyKey(bytes: entry.request.idempotencyDigest) else { return }
        shared.idempotency.ended(key.digest, of: entry.request.id, isSpent: entry.spendsIdempotencyKey)
    }

    /// Gives it back: the journal did not take the request, so nothing ran.
    func releaseIdempotencyKey(of entry: UsageEntry) {
        guard let key = IdempotencyKey(bytes: entry.request.idempotencyDigest) else { return }
        shared.idempotency.ended(key.digest, of: entry.request.id, isSpent: false)
    }
}

extension APIError {
    fileprivate static let badIdempotencyKey = APIError(
        status: 400, type: "invalid_request_error", code: "invalid_idempotency_key",
        message: "The Idempotency-Key header must have 1 to \(LoopContext.idempotencyKeyBytesMax) bytes.")

    /// Clients' libraries try 409 again by themselves, which is right while the first request runs and no use later.
    fileprivate static func stillRunning(_ first: RequestID) -> APIError {
        var error = idempotency(
            409, "in_progress",
            "Request \(first) with this Idempotency-Key is still running. Wait for it to finish, then retry.", first)
        error.retryAfterSeconds = 1
        return error
    }

    fileprivate static func alreadyRun(_ first: RequestID) -> APIError {
        var error = idempotency(
            409, "idempotency_key_used",
            "Request \(first) with this Idempotency-Key has already run. Look up its record, or send a new key to run "
                + "the request again.", first)
        error.headers.append(ErrorHeader(name: "x-should-retry", value: "false"))
        return error
    }

    fileprivate static func asksForSomethingElse(_ first: RequestID) -> APIError {
        idempotency(
            422, "idempotency_key_reused",
            "Request \(first) used this Idempotency-Key with a different body. Use one key per request.", first)
    }

    private static func idempotency(_ status: Int, _ code: String, _ message: String, _ first: RequestID) -> APIError {
        var error = APIError(status: status, type: "invalid_request_error", code: code, message: message)
        error.headers = [ErrorHeader(name: "x-tollgate-first-request-id", value: first.description)]
        return error
    }
}
