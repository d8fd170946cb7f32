import Identity
import Metering

/// What a path of the inference API leads to.
enum Route: Hashable {
    case inference(Surface)
    case models
    /// One model, by its public name, percent-decoded.
    case model(String)
    case health
    case readiness
    case metrics

    init?(path: Substring) {
        switch path {
        case "/v1/chat/completions": self = .inference(.chatCompletions)
        case "/v1/completions": self = .inference(.completions)
        case "/v1/embeddings": self = .inference(.embeddings)
        case "/v1/models": self = .models
        case "/healthz": self = .health
        case "/readyz": self = .readiness
        case "/metrics": self = .metrics
        default:
            let prefix = "/v1/models/"
            guard path.hasPrefix(prefix), path.utf8.count > prefix.utf8.count,
                let name = PercentEncoding.decoded(path.dropFirst(prefix.count))
            else { return nil }
            self = .model(name)
        }
    }

    /// The methods that it answers, as the `allow` header names them.
    var allowed: String {
        if case .inference = self { "POST, OPTIONS" } else { "GET, HEAD, OPTIONS" }
    }

    var needsKey: Bool {
        switch self {
        case .inference, .models, .model: true
        case .health, .readiness, .metrics: false
        }
    }
}
