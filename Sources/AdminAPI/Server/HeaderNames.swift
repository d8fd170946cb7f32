import HTTPTypes

/// Header names that HTTPTypes does not have.
extension HTTPField.Name {
    static let requestID = known("x-request-id")
    static let auditReason = known("audit-reason")
    static let idempotencyKey = known("idempotency-key")
    static let idempotentReplayed = known("idempotent-replayed")
    static let referrerPolicy = known("referrer-policy")
    static let frameOptions = known("x-frame-options")

    private static func known(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is no header name") }
        return name
    }
}
