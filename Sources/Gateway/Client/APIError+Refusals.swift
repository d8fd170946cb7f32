import Engines

extension APIError {
    /// What a client is told when the engine refused or failed, by the table of refusals; nil where it gets the
    /// engine's own words.
    init?(_ refusal: EngineRefusal) {
        guard let told = refusal.consequence.told else { return nil }
        self.init(status: told.status, type: "server_error", code: told.code, message: told.message)
        guard told.status == 503 else { return }
        let milliseconds = min(refusal.retryAfterMilliseconds ?? 1000, APIError.retryAfterMillisecondsMax)
        retryAfterSeconds = max(1, Int((milliseconds + 999) / 1000))
    }

    /// A client's mistake that the engine tells in words which cannot be passed on: too many, or no JSON and no text.
    static func rejected(_ status: Int) -> APIError {
        APIError(
            status: (400..<500).contains(status) ? status : 400, type: "invalid_request_error", code: "engine_rejected",
            message: "The engine behind this model rejected the request. Check its fields and their values.")
    }

    /// A provider may say that its quota is back in days; clients should look again earlier.
    private static let retryAfterMillisecondsMax: Int64 = 60_000
}
