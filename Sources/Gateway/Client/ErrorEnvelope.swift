import Engines
import Metering

/// How an error looks to a client: in the dialect that it speaks, so that its library understands it.
enum ErrorEnvelope: Hashable, Sendable {
    case openAI
    /// `{"type":"error","error":{"type":…,"message":…}}`
    case anthropic
    /// `google.rpc.Status` in its JSON form.
    case google
    /// AWS's REST-JSON protocol: the kind of error is in a header.
    case aws
    /// `{"error":…,"error_type":…}`
    case tgi
    /// `{"error":…}`
    case triton
    /// RFC 9457 problem details, as Replicate writes them.
    case problem

    /// The envelope of those who ask in this form.
    init(_ surface: Surface) {
        switch surface {
        case .messages, .countTokens: self = .anthropic
        case .geminiGenerate, .geminiEmbed: self = .google
        case .bedrockConverse, .bedrockInvoke, .sageMakerInvocations: self = .aws
        case .tgiGenerate: self = .tgi
        case .tritonGenerate: self = .triton
        case .replicatePredictions: self = .problem
        case .chatCompletions, .completions, .embeddings, .responses, .imageGenerations, .audioTranscriptions,
            .audioSpeech, .rerank, .files, .batches:
            self = .openAI
        }
    }

    /// The envelope for a request below `/engines/` that is refused before its backend may be known: the form of the
    /// path. So whoever has no key learns nothing of which backends there are, and of what kind.
    init?(refusing path: String, method: String) {
        guard case .native(_, let rest)? = Route(path: path[...]),
            let call = NativeCall.ofAnySystem(method: method, path: rest[...])
                ?? NativeCall.ofAnySystem(method: "POST", path: rest[...])
        else { return nil }
        self.init(call.surface)
    }

    var contentType: String { self == .problem ? "application/problem+json" : "application/json" }

    /// A header that carries part of the error; nil where the body says it all.
    func header(of error: APIError) -> (name: String, value: String)? {
        self == .aws ? ("x-amzn-errortype", error.awsType) : nil
    }

    func body(of error: APIError) -> [UInt8] {
        var json = JSONObjectWriter()
        switch self {
        case .openAI:
            json.object("error") {
                $0.text("message", error.message)
                $0.text("type", error.type)
                $0.text("param", error.parameter)
                $0.text("code", error.code)
            }
        case .anthropic:
            json.text("type", "error")
            json.object("error") {
                $0.text("type", error.anthropicType)
                $0.text("message", error.message)
                $0.text("code", error.code)
            }
        case .google:
            json.object("error") {
                $0.number("code", error.status)
                $0.text("message", error.message)
                $0.text("status", error.googleStatus)
            }
        case .aws:
            json.text("message", error.message)
            json.text("code", error.code)
        case .tgi:
            json.text("error", error.message)
            json.text("error_type", error.code)
        case .triton: json.text("error", error.message)
        case .problem:
            json.text("title", error.code)
            json.text("detail", error.message)
            json.number("status", error.status)
        }
        return json.finished
    }

    /// The object under `error` in OpenAI's dialect.
    static func inner(of error: APIError) -> [UInt8] {
        var json = JSONObjectWriter()
        json.text("code", error.code)
        json.text("message", error.message)
        return json.finished
    }

    /// The last event of a response that failed, with as much of the response as says so.
    static func failedResponse(_ id: String?, _ error: APIError) -> [UInt8] {
        var json = JSONObjectWriter()
        json.text("type", "response.failed")
        json.object("response") {
            $0.text("id", id)
            $0.text("object", "response")
            $0.text("status", "failed")
            $0.object("error") {
                $0.text("code", error.code)
                $0.text("message", error.message)
            }
        }
        return Array("event: response.failed\ndata: ".utf8) + json.finished + Array("\n\n".utf8)
    }

    /// The name of an exception as AWS's event streams write it: `throttlingException`.
    static func frameName(of error: APIError) -> String {
        let name = error.awsType
        return name.prefix(1).lowercased() + name.dropFirst()
    }

    /// The error inside a stream that has already begun.
    func event(of error: APIError) -> [UInt8] {
        switch self {
        case .openAI, .google, .tgi, .triton: Array("data: ".utf8) + body(of: error) + Array("\n\n".utf8)
        case .anthropic, .problem:
            Array("event: error\ndata: ".utf8) + body(of: error) + Array("\n\n".utf8)
        // A stream of binary frames is cut: a frame of our own would look as if the engine had said it.
        case .aws: []
        }
    }
}

extension APIError {
    /// Anthropic's name for this kind of error.
    fileprivate var anthropicType: String {
        switch status {
        case 401: "authentication_error"
        case 402: "billing_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 503, 529: "overloaded_error"
        case 504: "timeout_error"
        case 400..<500: "invalid_request_error"
        default: "api_error"
        }
    }

    /// The name of the `google.rpc.Code` that stands for this status.
    fileprivate var googleStatus: String {
        switch status {
        case 401: "UNAUTHENTICATED"
        case 402, 403: "PERMISSION_DENIED"
        case 404: "NOT_FOUND"
        case 409: "ABORTED"
        case 429: "RESOURCE_EXHAUSTED"
        case 499: "CANCELLED"
        case 501: "UNIMPLEMENTED"
        case 503: "UNAVAILABLE"
        case 504, 408: "DEADLINE_EXCEEDED"
        case 400..<500: "INVALID_ARGUMENT"
        default: "INTERNAL"
        }
    }

    /// The exception that AWS's clients know this status by.
    fileprivate var awsType: String {
        switch status {
        case 401, 402, 403: "AccessDeniedException"
        case 404: "ResourceNotFoundException"
        case 408, 504: "ModelTimeoutException"
        case 409: "ConflictException"
        case 429: "ThrottlingException"
        case 503: "ServiceUnavailableException"
        case 400..<500: "ValidationException"
        default: "InternalServerException"
        }
    }
}

/// Writes one small JSON object, member by member.
struct JSONObjectWriter {
    private var bytes: [UInt8] = [UInt8(ascii: "{")]
    private var isFirst = true

    mutating func text(_ name: StaticString, _ value: String?) {
        begin(name)
        if let value { JSONString.append(value, to: &bytes) } else { bytes.append(contentsOf: "null".utf8) }
    }

    mutating func number(_ name: StaticString, _ value: Int) {
        begin(name)
        bytes.append(contentsOf: String(value).utf8)
    }

    mutating func object(_ name: StaticString, _ write: (inout JSONObjectWriter) -> Void) {
        begin(name)
        var inner = JSONObjectWriter()
        write(&inner)
        bytes.append(contentsOf: inner.finished)
    }

    var finished: [UInt8] { bytes + [UInt8(ascii: "}")] }

    private mutating func begin(_ name: StaticString) {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        JSONString.append(name.description, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
    }
}
