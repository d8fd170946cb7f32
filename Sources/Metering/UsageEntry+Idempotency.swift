extension UsageEntry {
    /// Whether the request's `Idempotency-Key` is spent: something was delivered or is billed, or nobody can know.
    /// Otherwise a retry with the same key runs.
    ///
    /// The gateway asks this when a request ends and the journal's reader when a gateway starts, of the same record, so
    /// that both say the same.
    public var spendsIdempotencyKey: Bool {
        if request.outcome == .success { return true }
        // Closed by recovery: what the client saw of it died with the gateway.
        if request.outcome == .gatewayLost, request.marks.end == nil { return true }
        return attempts.contains { attempt in
            guard attempt.isDelivered else { return false }
            return attempt.contentEvents > 0 || attempt.buckets != TokenBuckets() || !attempt.units.isEmpty
                || (attempt.termination == .complete && attempt.usageSource != .nothing)
        }
    }
}
