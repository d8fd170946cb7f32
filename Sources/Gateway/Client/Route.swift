import Identity
import Metering

/// What a path of the inference API leads to.
enum Route: Hashable {
    /// One of the forms that every backend of its kind understands; the model is named in the body.
    case inference(Surface)
    /// `/engines/{backend}/…`: the rest of the path is in the backend's own dialect.
    case native(backend: String, path: String)
    /// Files, and batches of what stands in them.
    case jobs(JobPath)
    case models
    /// One model, by its public name, percent-decoded.
    case model(String)
    /// What the key's plan charges for the models that it can use.
    case prices
    case health
    case readiness
    case metrics

    init?(path: Substring) {
        switch path {
        case "/v1/chat/completions": self = .inference(.chatCompletions)
        case "/v1/completions": self = .inference(.completions)
        case "/v1/embeddings": self = .inference(.embeddings)
        case "/v1/responses": self = .inference(.responses)
        case "/v1/messages": self = .inference(.messages)
        case "/v1/messages/count_tokens": self = .inference(.countTokens)
        case "/v1/images/generations": self = .inference(.imageGenerations)
        case "/v1/audio/transcriptions": self = .inference(.audioTranscriptions)
        case "/v1/audio/speech": self = .inference(.audioSpeech)
        case "/v1/rerank": self = .inference(.rerank)
        case "/v1/models": self = .models
        case "/v1/prices": self = .prices
        case "/healthz": self = .health
        case "/readyz": self = .readiness
        case "/metrics": self = .metrics
        default:
            guard let route = Route.below(path) else { return nil }
            self = route
        }
    }

    /// The paths that go on after a prefix.
    private static func below(_ path: Substring) -> Route? {
        if let rest = path.rest(after: "/v1/models/") {
            return PercentEncoding.decoded(rest).map { .model($0) }
        }
        if let rest = path.rest(after: "/engines/"), let slash = rest.firstIndex(of: "/") {
            return .native(backend: String(rest[..<slash]), path: String(rest[slash...]))
        }
        return JobPath(path: path).map { .jobs($0) }
    }

    /// The form in which the client asks; nil where that depends on a backend, or nothing is asked of an engine.
    var surface: Surface? {
        switch self {
        case .inference(let surface): surface
        case .native, .jobs, .models, .model, .prices, .health, .readiness, .metrics: nil
        }
    }

    /// The methods that it answers, as the `allow` header names them.
    var allowed: String {
        switch self {
        case .inference: "POST, OPTIONS"
        case .native: "GET, POST, OPTIONS"
        case .jobs(let path): path.allowed
        case .models, .model, .prices, .health, .readiness, .metrics: "GET, HEAD, OPTIONS"
        }
    }

    var needsKey: Bool {
        switch self {
        case .inference, .native, .jobs, .models, .model, .prices: true
        case .health, .readiness, .metrics: false
        }
    }

    /// Whether the request goes to an engine.
    var isForwarded: Bool {
        switch self {
        case .inference, .native, .jobs: true
        case .models, .model, .prices, .health, .readiness, .metrics: false
        }
    }
}

extension Substring {
    /// What follows `prefix`; nil when it does not begin so, or ends there.
    fileprivate func rest(after prefix: String) -> Substring? {
        hasPrefix(prefix) && utf8.count > prefix.utf8.count ? dropFirst(prefix.count) : nil
    }
}
