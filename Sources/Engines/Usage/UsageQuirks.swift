internal import Metering

/// Ways in which one backend's usage differs from what its kind says, as `usage_quirks:` of the catalogue names them.
///
/// A kind has some by itself (`EngineKind.usageQuirks`); a backend adds its own.
public struct UsageQuirks: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The input includes what was read from and written to a cache, although the kind's does not.
    public static let inputIncludesCache = UsageQuirks(rawValue: 1 << 0)
    /// The input leaves cache reads and writes out, although the kind's includes them.
    public static let inputExcludesCache = UsageQuirks(rawValue: 1 << 1)
    /// Reasoning comes on top of the output, whatever the total says.
    public static let outputExcludesReasoning = UsageQuirks(rawValue: 1 << 2)
    /// Reasoning is part of the output, whatever the total says.
    public static let outputIncludesReasoning = UsageQuirks(rawValue: 1 << 3)
    /// What the total has beyond its named parts is thoughts, which are output.
    public static let thoughtsInTotal = UsageQuirks(rawValue: 1 << 4)
    /// The total says nothing that can be used.
    public static let totalUnreliable = UsageQuirks(rawValue: 1 << 5)
    /// Cache reads that equal the input are the input once more, and no cache served any of it.
    public static let cacheReadRepeatsInput = UsageQuirks(rawValue: 1 << 6)
    /// `cost` is a fee alone; what the provider behind takes comes on top of it.
    public static let costIsFee = UsageQuirks(rawValue: 1 << 7)

    /// What the total has beyond its named parts is the sound of the prompt. Of transcriptions, whatever the catalogue
    /// says.
    static let soundInTotal = UsageQuirks(rawValue: 1 << 8)

    private static let names: [(name: String, quirk: UsageQuirks)] = [
        ("input_includes_cache", .inputIncludesCache), ("input_excludes_cache", .inputExcludesCache),
        ("output_excludes_reasoning", .outputExcludesReasoning),
        ("output_includes_reasoning", .outputIncludesReasoning), ("thoughts_in_total", .thoughtsInTotal),
        ("total_unreliable", .totalUnreliable), ("cache_read_repeats_input", .cacheReadRepeatsInput),
        ("cost_is_fee", .costIsFee),
    ]

    /// All names that a catalogue may write, in order.
    public static let allNames = names.map(\.name)

    /// The names of those in the set, in order.
    public var textNames: [String] { UsageQuirks.names.filter { contains($0.quirk) }.map(\.name) }

    /// The quirk of that name.
    public init?(named name: String) {
        guard let quirk = UsageQuirks.names.first(where: { $0.name == name })?.quirk else { return nil }
        self = quirk
    }

    /// Two that cannot both be true, by name; nil where all go together.
    public var conflict: (String, String)? {
        if contains([.inputIncludesCache, .inputExcludesCache]) {
            return ("input_includes_cache", "input_excludes_cache")
        }
        if contains([.outputIncludesReasoning, .outputExcludesReasoning]) {
            return ("output_includes_reasoning", "output_excludes_reasoning")
        }
        if contains([.thoughtsInTotal, .totalUnreliable]) { return ("thoughts_in_total", "total_unreliable") }
        return nil
    }
}

extension EngineKind {
    /// What is known of the kind's usage beside its dialect's rule.
    public var usageQuirks: UsageQuirks {
        switch self {
        // Google's endpoint in OpenAI's dialect, and what stands in front of it, names no thoughts.
        case .openAICompatible, .gemini, .vertex, .openRouter: .thoughtsInTotal
        case .openAI, .anthropic, .vllm, .tensorRTLLM, .triton, .tgi, .llamaCpp, .groq, .sambaNova, .tenstorrent,
            .sageMaker, .bedrock, .azure, .together, .replicate, .rayServe, .nim, .deepSeek, .xai, .cerebras:
            []
        }
    }
}

extension Backend {
    /// The same for answers of one sort: no thoughts are in what was listened to.
    func usageQuirks(of operation: Operation) -> UsageQuirks {
        guard operation == .transcription else { return usageQuirks }
        return usageQuirks.subtracting(.thoughtsInTotal).union(.soundInTotal)
    }

    /// How its usage is read: what its kind does, and what the catalogue adds.
    var usageQuirks: UsageQuirks {
        var quirks = kind.usageQuirks
        if settings.usageQuirks.contains(.totalUnreliable) { quirks.remove(.thoughtsInTotal) }
        return quirks.union(settings.usageQuirks)
    }
}
