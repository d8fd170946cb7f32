/// An answer that is an error and has no tokens, before a dialect has worded it.
struct EngineError: Error, Equatable {
    let status: Int
    /// As vLLM names the kind; other dialects go by the status.
    let type: String
    let message: String
    var parameter: String?

    static func badRequest(_ message: String, _ parameter: String? = nil) -> EngineError {
        EngineError(status: 400, type: "BadRequestError", message: message, parameter: parameter)
    }

    /// The error that a status stands for, with vLLM's name for it.
    init(status: Int, type: String? = nil, message: String, parameter: String? = nil) {
        self.status = status
        self.message = message
        self.parameter = parameter
        self.type = type ?? Self.type(of: status)
    }

    private static func type(of status: Int) -> String {
        switch status {
        case 400, 422: "BadRequestError"
        case 401: "AuthenticationError"
        case 404: "NotFoundError"
        case 429: "RateLimitError"
        case 503: "ServiceUnavailableError"
        default: "InternalServerError"
        }
    }

    /// The error as an OpenAI-compatible engine words it.
    var json: String {
        JSONText.object([
            "error": JSONText.object([
                "message": JSONText.quoted(message), "type": JSONText.quoted(type),
                "param": JSONText.quoted(parameter), "code": String(status),
            ])
        ])
    }
}
