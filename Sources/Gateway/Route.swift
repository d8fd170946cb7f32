import Metering

/// What a path of the inference API leads to.
enum Route: Hashable {
    case inference(Operation)
    case models
    /// One model, by its public name, percent-decoded.
    case model(String)
    case health
    case readiness
    case metrics

    init?(path: Substring) {
        switch path {
        case "/v1/chat/completions": self = .inference(.chat)
        case "/v1/completions": self = .inference(.textCompletion)
        case "/v1/embeddings": self = .inference(.embeddings)
        case "/v1/models": self = .models
        case "/healthz": self = .health
        case "/readyz": self = .readiness
        case "/metrics": self = .metrics
        default:
            let prefix = "/v1/models/"
            guard path.hasPrefix(prefix), path.utf8.count > prefix.utf8.count,
                let name = Route.percentDecoded(path.dropFirst(prefix.count))
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

    private static func percentDecoded(_ text: Substring) -> String? {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst()?.hexadecimalValue, let low = rest.popFirst()?.hexadecimalValue else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension UInt8 {
    fileprivate var hexadecimalValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
