internal import Identity
internal import Metering

/// Replicate's predictions: made, looked at, cancelled, streamed. Usage stands in the finished prediction.
struct Replicate: Dialect {
    func serves(_ surface: Surface) -> Bool { surface == .replicatePredictions }

    func nativeCall(method: String, path: Substring) -> NativeCall? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map { $0 }
        guard parts.count >= 2, parts[0] == "v1" else { return nil }
        switch (method, parts.count) {
        case ("POST", 2) where parts[1] == "predictions":
            return NativeCall(surface: .replicatePredictions, prefix: String(path))
        case ("POST", 5) where (parts[1] == "models" || parts[1] == "deployments") && parts[4] == "predictions":
            guard let owner = PercentEncoding.decoded(parts[2]), let name = PercentEncoding.decoded(parts[3]),
                !owner.isEmpty, !name.isEmpty
            else { return nil }
            return NativeCall(
                surface: .replicatePredictions, model: owner + "/" + name, prefix: "/v1/\(parts[1])/",
                suffix: "/predictions", unencoded: "/")
        case ("GET", 3) where parts[1] == "predictions" && !parts[2].isEmpty:
            return NativeCall(
                surface: .replicatePredictions, method: "GET", isInference: false, prefix: String(path))
        case ("POST", 4) where parts[1] == "predictions" && parts[3] == "cancel":
            return NativeCall(surface: .replicatePredictions, isInference: false, prefix: String(path))
        case ("GET", 3...) where parts[1] == "streams" || parts[1] == "stream":
            return NativeCall(
                surface: .replicatePredictions, method: "GET", isStream: true, isInference: false,
                prefix: String(path))
        default: return nil
        }
    }
}
