internal import Identity
internal import Metering

/// Replicate's predictions: made, looked at, cancelled, streamed. Usage stands in the finished prediction.
struct Replicate: Dialect {
    func serves(_ surface: Surface) -> Bool { surface == .replicatePredictions }

    func nativeCall(method: String, path: Substring) -> NativeCall? {
        Replicate.routes.call(method: method, path: path, unencoded: "/")
    }

    let clientHeaders =
        ClientHeader.common + [ClientHeader("prefer", .passed), ClientHeader("cancel-after", .passed)]

    private static let routes = [
        NativeRoute("/v1/predictions", .replicatePredictions),
        NativeRoute("/v1/models/{model}/{model}/predictions", .replicatePredictions),
        NativeRoute("/v1/deployments/{model}/{model}/predictions", .replicatePredictions),
        NativeRoute("/v1/predictions/{kept}", .replicatePredictions, method: "GET", isInference: false),
        NativeRoute("/v1/predictions/{kept}/cancel", .replicatePredictions, isInference: false),
        NativeRoute("/v1/streams/{kept}", .replicatePredictions, method: "GET", isStream: true, isInference: false),
        NativeRoute("/v1/stream/{kept}", .replicatePredictions, method: "GET", isStream: true, isInference: false),
    ]
}
