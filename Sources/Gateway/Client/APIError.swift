import Engines
import Limits
import Metering

/// What the client gets instead of an answer; `ErrorEnvelope` puts it into the client's dialect.
struct APIError: Error, Hashable, Sendable {
    let status: Int
    /// `invalid_request_error`, `authentication_error`, `permission_error`, `server_error` …
    let type: String
    /// A stable code, also counted and written to records as the reason.
    let code: String
    /// Says what is wrong and what to do.
    let message: String
    var parameter: String?
    /// Seconds after which trying again makes sense.
    var retryAfterSeconds: Int?
    /// Where the limits of the refused request stand; nil where no limit refused it.
    var standings: LimitStandings?
    /// More headers, such as `x-should-retry`.
    var headers: [ErrorHeader] = []

    struct ErrorHeader: Hashable, Sendable {
        let name: String
        let value: String
    }
}

extension APIError {
    static let missingKey = APIError(
        status: 401, type: "authentication_error", code: "missing_api_key",
        message: "You didn't provide an API key. Send it as 'Authorization: Bearer YOUR_KEY'.")

    static let invalidKey = APIError(
        status: 401, type: "authentication_error", code: "invalid_api_key",
        message: "Incorrect API key provided. Check the key, or ask your administrator for a new one.")

    static let noSubscription = APIError(
        status: 403, type: "permission_error", code: "no_subscription",
        message: "This key's tenant has no active subscription. Ask your administrator to subscribe it to a plan.")

    static func modelNotFound(_ name: String) -> APIError {
        APIError(
            status: 404, type: "invalid_request_error", code: "model_not_found",
            message: "The model '\(name)' does not exist or you do not have access to it. "
                + "GET /v1/models lists the models you can use.",
            parameter: "model")
    }

    static func engineNotFound(_ name: String) -> APIError {
        APIError(
            status: 404, type: "invalid_request_error", code: "engine_not_found",
            message: "No engine named '\(name.prefix(100))' is available to you. Ask your administrator for its name.")
    }

    static func notServed(_ model: String, _ surface: Surface) -> APIError {
        APIError(
            status: 400, type: "invalid_request_error", code: "api_not_available",
            message: "The model '\(model.prefix(200))' is not available through this API (\(surface.rawValue)). Use "
                + "another API or another model.",
            parameter: "model")
    }

    static func badRequest(_ error: RequestError) -> APIError {
        APIError(
            status: 400, type: "invalid_request_error", code: error.code, message: error.message,
            parameter: error.parameter)
    }

    static func bodyTooLarge(_ bytesMax: Int) -> APIError {
        APIError(
            status: 413, type: "invalid_request_error", code: "request_too_large",
            message: "The request body is larger than the limit of \(bytesMax) bytes.")
    }

    static let headersTooLarge = APIError(
        status: 431, type: "invalid_request_error", code: "headers_too_large",
        message: "The request headers are too large. Send fewer or shorter ones.")

    static let pathTooLong = APIError(
        status: 414, type: "invalid_request_error", code: "path_too_long",
        message: "The request path is too long.")

    static let malformedRequest = APIError(
        status: 400, type: "invalid_request_error", code: "malformed_request",
        message: "The request is not valid HTTP/1.1.")

    static let unsupportedCoding: APIError = {
        var error = APIError(
            status: 415, type: "invalid_request_error", code: "unsupported_content_encoding",
            message: "The request's body is compressed in a way that is not supported. Use gzip or deflate, or none.")
        error.headers = [ErrorHeader(name: "accept-encoding", value: "gzip, deflate")]
        return error
    }()

    static let unreadableCoding = APIError(
        status: 400, type: "invalid_request_error", code: "invalid_content_encoding",
        message:
            "The request's body cannot be unpacked: it is not what its content-encoding says, it breaks off, or it "
            + "unpacks to more than \(Inflater.ratioMax) times its size.")

    static let metricsElsewhere = APIError(
        status: 401, type: "authentication_error", code: "missing_api_key",
        message: "Metrics are served here only to whoever shows the key that 'gateway.metrics_key' sets, and at the "
            + "address of their own that 'gateway.metrics_port' sets.")

    static func slowRequest(_ what: String) -> APIError {
        APIError(
            status: 408, type: "invalid_request_error", code: "request_timeout",
            message: "The request \(what) took too long to arrive. Try again.")
    }

    static func unknownPath(_ path: String) -> APIError {
        APIError(
            status: 404, type: "invalid_request_error", code: "unknown_url",
            message: "Unknown request URL: \(path.prefix(200)). This gateway serves /v1/chat/completions, "
                + "/v1/completions, /v1/responses, /v1/messages, /v1/embeddings, /v1/images/generations, "
                + "/v1/audio/transcriptions, /v1/audio/speech, /v1/rerank, /v1/files, /v1/batches, /v1/models, "
                + "/v1/prices and /engines/{backend}/… in the engine's own dialect.")
    }

    static func methodNotAllowed(_ method: String, allowed: String) -> APIError {
        APIError(
            status: 405, type: "invalid_request_error", code: "method_not_allowed",
            message: "The method \(method.prefix(20)) is not allowed here. Use \(allowed).")
    }

    static let journalUnavailable = unavailable(
        "journal_unavailable", "The gateway cannot record usage right now, so it is not accepting requests. Try again.")
    static let draining = unavailable(
        "draining", "This gateway is shutting down. Try again to reach another one.")
    static let overloaded = unavailable(
        "overloaded", "The gateway is at capacity. Try again shortly.")

    static let memoryExhausted = unavailable(
        "memory_exhausted", "The gateway holds as many request bodies as its memory allows. Try again shortly.")

    static let backendsBusy = unavailable(
        "backends_busy", "All engines behind this model are at capacity. Try again shortly.")

    static let outOfService = unavailable(
        "backend_unavailable", "No engine behind this model can be used right now. Try again later.")

    private static func unavailable(_ code: String, _ message: String) -> APIError {
        APIError(status: 503, type: "server_error", code: code, message: message, retryAfterSeconds: 1)
    }

    static func upstream(_ status: Int, _ code: String, _ message: String) -> APIError {
        APIError(status: status, type: "server_error", code: code, message: message)
    }
}
