import HTTP1
import Identity
import Metering

/// A client's retry is a new request, and would be billed as one; with `Idempotency-Key` it is refused instead.
extension LoopContext {
    /// The header, and the most bytes of its value.
    static let idempotencyHeader: StaticString = "idempotency-key"
    static let idempotencyKeyBytesMax = 255

    /// Takes the request's `Idempotency-Key`, if it has one, and notes it in its record.
    func claimIdempotencyKey(_ headers: Headers, of entry: inout UsageEntry) throws(APIError) {
        guard let value = headers.first(LoopContext.idempotencyHeader) else { return }
        guard (1...LoopContext.idempotencyKeyBytesMax).contains(value.utf8.count) else { throw .badIdempotencyKey }
        let digest = IdempotencyDigest(keyID: entry.request.keyID, value: value)
        switch shared.idempotency.claim(digest, for: entry.request.id, now: shared.clock.realTime) {
        case .taken: entry.request.idempotencyDigest = digest.bytes
        case .used(let first): throw .alreadyRun(first)
        }
    }

    /// Gives it back: the journal did not take the request, so nothing ran.
    func releaseIdempotencyKey(of entry: UsageEntry) {
        guard let digest = IdempotencyDigest(bytes: entry.request.idempotencyDigest) else { return }
        shared.idempotency.release(digest, of: entry.request.id)
    }
}

extension APIError {
    fileprivate static let badIdempotencyKey = APIError(
        status: 400, type: "invalid_request_error", code: "invalid_idempotency_key",
        message: "The header Idempotency-Key must have 1 to \(LoopContext.idempotencyKeyBytesMax) bytes.")

    fileprivate static func alreadyRun(_ first: RequestID) -> APIError {
        var error = APIError(
            status: 409, type: "invalid_request_error", code: "idempotency_key_used",
            message:
                "A request with this Idempotency-Key ran already, within the last 24 hours: its record is \(first). "
                + "Look it up, or send another key to run it once more.")
        error.headers = [ErrorHeader(name: "x-tollgate-first-request-id", value: first.description)]
        return error
    }
}
