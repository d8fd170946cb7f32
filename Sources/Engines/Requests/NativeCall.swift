internal import Identity
public import Metering

/// A call of a system's own API, as it stands after `/engines/{backend}`: the path says what is asked for, and often of
/// which model.
public struct NativeCall: Hashable, Sendable {
    public let surface: Surface
    public let method: String
    /// The model that the path names, decoded; nil where the body or the backend alone decides.
    public let model: String?
    /// Whether the path asks for a stream.
    public let isStream: Bool
    /// Whether it is an inference: looking at a prediction, or cancelling one, is not.
    public let isInference: Bool
    /// The id that the path names of something that the engine keeps; nil where it names none.
    public internal(set) var keptID: String?
    /// The path in front of the model or the id, or all of it.
    let prefix: String
    /// The path after the model or the id.
    let suffix: String
    /// What of the model's name stays as it is in the path, beside letters, digits and `-._~`.
    let unencoded: String

    init(
        surface: Surface, method: String = "POST", model: String? = nil, isStream: Bool = false,
        isInference: Bool = true, keptID: String? = nil, prefix: String, suffix: String = "", unencoded: String = ""
    ) {
        self.surface = surface
        self.method = method
        self.model = model
        self.isStream = isStream
        self.isInference = isInference
        self.keptID = keptID
        self.prefix = prefix
        self.suffix = suffix
        self.unencoded = unencoded
    }

    /// The same call, its path without what stands in front of `marker`.
    func below(_ marker: String) -> NativeCall? {
        guard let start = prefix.firstRange(of: marker)?.lowerBound else { return nil }
        return NativeCall(
            surface: surface, method: method, model: model, isStream: isStream, isInference: isInference,
            prefix: String(prefix[start...]), suffix: suffix, unencoded: unencoded)
    }

    /// The path at the backend.
    func path(upstreamModel: String) -> String {
        if let keptID { return prefix + PercentEncoding.encoded(keptID) + suffix }
        return model == nil ? prefix : prefix + PercentEncoding.encoded(upstreamModel, leaving: unencoded) + suffix
    }
}

extension NativeCall {
    /// What a path asks for, told by the path alone: by the first system that has it. Paths of two systems are never
    /// alike but where both speak the same form.
    public static func ofAnySystem(method: String, path: Substring) -> NativeCall? {
        for kind in EngineKind.allCases {
            if let call = kind.dialect.nativeCall(method: method, path: path) { return call }
        }
        return nil
    }
}
