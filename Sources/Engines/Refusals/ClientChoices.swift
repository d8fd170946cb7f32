/// What a request itself chose, so that an engine's refusal of it says nothing of the engine.
public struct ClientChoices: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// An address that the engine is to fetch something from, or a server that it is to call.
    public static let address = ClientChoices(rawValue: 1)
    /// How long the answer may be.
    public static let length = ClientChoices(rawValue: 2)
}

extension InferenceRequest {
    /// Whether the time to its first token is the client's own to lengthen: by servers and addresses that it names, by
    /// tools that it has the engine run, by how long the model is to reason, by how much text is held back.
    public var takesItsOwnTime: Bool { runsTools || namesAddress || reasoning != .unsaid || holdsTextBack }

    /// Whether an engine waits for what the client names before it says anything: servers that it calls, addresses that
    /// it fetches from.
    public var waitsForClient: Bool { namesAddress || features.contains(.remoteTool) }

    /// What of it an engine may refuse for the client's own sake.
    public var choices: ClientChoices {
        var choices: ClientChoices = []
        if namesAddress || features.contains(.remoteTool) { choices.insert(.address) }
        if outputTokensNamed(longest: .max) > 0 { choices.insert(.length) }
        return choices
    }
}
