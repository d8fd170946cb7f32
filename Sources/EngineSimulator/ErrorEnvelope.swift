import FoundationEssentials

/// How a dialect words an error.
enum ErrorEnvelope: Sendable {
    case openai
    case anthropic
    case google
    /// Bedrock: the kind stands in a header.
    case aws
    /// SageMaker: what the container answered stands inside.
    case sageMaker
    case tgi
    case triton
    /// RFC 9457, as Replicate answers.
    case problem

    /// The answer with an error, as the settings want it.
    func answer(_ error: EngineError, _ behavior: Behavior = Behavior()) -> PreparedAnswer {
        var told = error
        if let seconds = behavior.retryAfterSeconds, behavior.retryHint == .message {
            told = EngineError(
                status: error.status, type: error.type,
                message: "\(error.message) Please try again in \(seconds).25s.", parameter: error.parameter)
        }
        let delay = behavior.retryHint == .body ? behavior.retryAfterSeconds : nil
        let body =
            behavior.errorBody
            ?? json(
                told, behavior.flavour, retrySeconds: delay, originalStatus: behavior.failStatus)
        var answer = PreparedAnswer(status: error.status, body: body)
        switch self {
        case .aws: answer.headers["x-amzn-errortype"] = Self.awsType(error.status) + ":"
        case .sageMaker:
            answer.headers["x-amzn-errortype"] = error.status == 424 ? "ModelError" : Self.awsType(error.status)
        default: break
        }
        if case .problem = self { answer.contentType = "application/problem+json" }
        if let seconds = behavior.retryAfterSeconds {
            answer.headers.merge(Self.hint(behavior.retryHint, seconds)) { $1 }
        }
        return answer
    }

    private static func hint(_ hint: Behavior.RetryHint, _ seconds: Int) -> [String: String] {
        switch hint {
        case .header: ["retry-after": String(seconds)]
        case .milliseconds: ["retry-after-ms": String(seconds * 1000)]
        case .date: ["retry-after": HTTPDate.text(Date().addingTimeInterval(TimeInterval(seconds)))]
        case .reset:
            [
                "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "\(seconds)s",
                "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "\(seconds)s",
            ]
        case .body, .message: [:]
        }
    }

    /// The body.
    ///
    /// - Parameter originalStatus: what SageMaker's container answered, of a 424.
    func json(
        _ error: EngineError, _ flavour: Behavior.Flavour, retrySeconds: Int? = nil, originalStatus: Int = 500
    ) -> String {
        let message = JSONText.quoted(error.message)
        switch self {
        case .openai: return Self.openai(error, flavour)
        case .anthropic:
            let inner = JSONText.object([
                "type": JSONText.quoted(Self.anthropicType(error.status)), "message": message,
            ])
            return JSONText.object(["type": "\"error\"", "error": inner, "request_id": "\"req_simulated\""])
        case .google:
            let info = retrySeconds.map {
                ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"\($0).5s\"}]"
            }
            return "{\"error\":{\"code\":\(error.status),\"message\":\(message),"
                + "\"status\":\"\(Self.googleStatus(error.status))\"\(info ?? "")}}"
        case .aws: return JSONText.object(["message": message])
        case .sageMaker:
            guard error.status == 424 else { return JSONText.object(["Message": message]) }
            let original = JSONText.object(["error": message, "error_type": "\"overloaded\""])
            return JSONText.object([
                "Message": JSONText.quoted("Received server error (\(originalStatus)) from primary"),
                "OriginalStatusCode": String(originalStatus), "OriginalMessage": JSONText.quoted(original),
            ])
        case .tgi:
            return JSONText.object(["error": message, "error_type": JSONText.quoted(Self.tgiType(error.status))])
        case .triton: return JSONText.object(["error": message])
        case .problem:
            return JSONText.object([
                "title": JSONText.quoted(error.type), "detail": message, "status": String(error.status),
            ])
        }
    }

    private static func openai(_ error: EngineError, _ flavour: Behavior.Flavour) -> String {
        switch flavour {
        case .azure:
            return JSONText.object([
                "error": JSONText.object([
                    "code": "\"\(error.status)\"", "message": JSONText.quoted(error.message),
                ])
            ])
        case .openai, .groq, .together, .deepseek, .xai, .cerebras, .openrouter, .sambanova:
            let limited = error.status == 429
            return JSONText.object([
                "error": JSONText.object([
                    "message": JSONText.quoted(error.message),
                    "type": JSONText.quoted(limited ? "tokens" : openaiType(error.status)),
                    "param": JSONText.quoted(error.parameter),
                    "code": limited
                        ? "\"rate_limit_exceeded\"" : error.status == 498 ? "\"capacity_exceeded\"" : "null",
                ])
            ])
        case .tgi:
            return JSONText.object([
                "error": JSONText.quoted(error.message), "error_type": JSONText.quoted(tgiType(error.status)),
            ])
        default: return error.json
        }
    }

    private static func openaiType(_ status: Int) -> String {
        switch status {
        case 400..<498: "invalid_request_error"
        case 498: "capacity_exceeded"
        default: "server_error"
        }
    }

    private static func anthropicType(_ status: Int) -> String {
        switch status {
        case 400, 422: "invalid_request_error"
        case 401: "authentication_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 504: "timeout_error"
        case 529: "overloaded_error"
        default: "api_error"
        }
    }

    private static func googleStatus(_ status: Int) -> String {
        switch status {
        case 400: "INVALID_ARGUMENT"
        case 401: "UNAUTHENTICATED"
        case 403: "PERMISSION_DENIED"
        case 404: "NOT_FOUND"
        case 429: "RESOURCE_EXHAUSTED"
        case 503: "UNAVAILABLE"
        case 504: "DEADLINE_EXCEEDED"
        default: "INTERNAL"
        }
    }

    /// Bedrock's names; a frame inside a stream has the same with a small first letter.
    static func awsType(_ status: Int) -> String {
        switch status {
        case 400: "ValidationException"
        case 401, 403: "AccessDeniedException"
        case 404: "ResourceNotFoundException"
        case 408: "ModelTimeoutException"
        case 424: "ModelErrorException"
        case 429: "ThrottlingException"
        case 503: "ServiceUnavailableException"
        default: "InternalServerException"
        }
    }

    /// TGI's kinds.
    static func tgiType(_ status: Int) -> String {
        switch status {
        case 400, 422: "validation"
        case 424: "generation"
        case 429: "overloaded"
        default: "incomplete_generation"
        }
    }
}

/// Dates as HTTP writes them (RFC 9110, section 5.6.7).
enum HTTPDate {
    /// Such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func text(_ date: Date) -> String {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second, .weekday], from: date)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int?) -> String { (number ?? 0) < 10 ? "0\(number ?? 0)" : "\(number ?? 0)" }
        return "\(days[(parts.weekday ?? 1) - 1]), \(two(parts.day)) \(months[(parts.month ?? 1) - 1]) "
            + "\(parts.year ?? 1970) \(two(parts.hour)):\(two(parts.minute)):\(two(parts.second)) GMT"
    }
}
