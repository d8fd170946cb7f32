internal import Metering

/// What Gemini and Vertex say of usage: `usageMetadata` of `generateContent`, or `usage` of an interaction.
///
/// The prompt includes what a cache served; thoughts and the prompts of tools come on top of prompt and candidates.
struct GeminiUsage {
    private(set) var usage = EngineUsage()
    /// The tier that served, in the names of plans.
    private(set) var tier: String?
    /// Whether there was any count: early chunks of a stream name nothing but the tier.
    private(set) var hasCounts = false
    /// Just inside the closing brace, counted from the start of `bytes`.
    private(set) var end = 0

    /// Reads a usage object; the scanner stands before its brace.
    init(scanner: inout JSONScanner, bytes: UnsafeRawBufferPointer) throws(JSONScanError) {
        var draft = UsageDraft(.gemini)
        let start = scanner.offset
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if try draft.read(key, kind, &scanner, bytes) { return true }
            if key.equals("trafficType", in: bytes) {
                tier = GeminiUsage.tier(traffic: try scanner.name(kind, in: bytes)) ?? tier
            } else if key.equals("serviceTier", in: bytes) || key.equals("service_tier", in: bytes) {
                tier = GeminiUsage.tier(named: try scanner.name(kind, in: bytes)) ?? tier
            } else {
                return false
            }
            return true
        }
        end = scanner.offset - 1
        usage = draft.settled()
        hasCounts =
            usage.promptTokens != nil || usage.completionTokens != nil || usage.totalTokens != nil
            || usage.reasoningTokens != nil || usage.cachedTokens != nil || usage.toolPromptTokens != nil
            || usage.contradiction != nil
        usage.raw = NativeValue.raw(bytes, start..<scanner.offset)
    }

    // MARK: Tiers

    /// `trafficType` in the names of plans; nil for what it does not know.
    static func tier(traffic: String?) -> String? {
        switch traffic {
        case "ON_DEMAND": "standard"
        case "ON_DEMAND_PRIORITY": "priority"
        case "ON_DEMAND_FLEX": "flex"
        case "PROVISIONED_THROUGHPUT": "provisioned"
        default: nil
        }
    }

    /// `service_tier` in the names of plans: lowercase, without the prefix that Vertex's enumerations have.
    static func tier(named name: String?) -> String? {
        guard let name = name?.lowercased(), !name.hasSuffix("unspecified") else { return nil }
        return name.hasPrefix("service_tier_") ? String(name.dropFirst(13)) : name
    }
}
