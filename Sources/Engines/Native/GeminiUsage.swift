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

    /// By kind, of tools' prompts: part of the input, and listed apart.
    private var toolParts = ModalityTokens()

    /// Reads a usage object; the scanner stands before its brace.
    init(scanner: inout JSONScanner, bytes: UnsafeRawBufferPointer) throws(JSONScanError) {
        usage.rule = .reasoningApart
        let start = scanner.offset
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if let field = Field.named(key, bytes) {
                try read(field, kind, &scanner, bytes)
            } else if let list = List.named(key, bytes), kind == .array {
                try read(list, &scanner, bytes)
            } else if key.equals("trafficType", in: bytes) {
                tier = GeminiUsage.tier(traffic: try scanner.name(kind, in: bytes)) ?? tier
            } else if key.equals("serviceTier", in: bytes) || key.equals("service_tier", in: bytes) {
                tier = GeminiUsage.tier(named: try scanner.name(kind, in: bytes)) ?? tier
            } else {
                return false
            }
            return true
        }
        end = scanner.offset - 1
        var inputParts = usage.inputParts
        inputParts.add(toolParts, &usage)
        usage.inputParts = inputParts
        usage.raw = NativeValue.raw(bytes, start..<scanner.offset)
    }

    // MARK: Names

    /// The counts, under their names in `usageMetadata` and in an interaction's `usage`.
    private enum Field: CaseIterable {
        case prompt, candidates, total, thoughts, tool, cached

        private static let names: [(StaticString, Field)] = [
            ("promptTokenCount", .prompt), ("candidatesTokenCount", .candidates), ("totalTokenCount", .total),
            ("thoughtsTokenCount", .thoughts), ("toolUsePromptTokenCount", .tool),
            ("cachedContentTokenCount", .cached), ("total_input_tokens", .prompt),
            ("total_output_tokens", .candidates), ("total_tokens", .total), ("total_thought_tokens", .thoughts),
            ("total_reasoning_tokens", .thoughts), ("total_tool_use_tokens", .tool), ("total_cached_tokens", .cached),
            ("responseTokenCount", .candidates),
        ]

        static func named(_ key: JSONText, _ bytes: UnsafeRawBufferPointer) -> Field? {
            names.first { key.equals($0.0, in: bytes) }?.1
        }
    }

    /// The lists of counts by kind.
    private enum List {
        case prompt, candidates, tool, cached

        private static let names: [(StaticString, List)] = [
            ("promptTokensDetails", .prompt), ("candidatesTokensDetails", .candidates),
            ("cacheTokensDetails", .cached), ("toolUsePromptTokensDetails", .tool),
            ("input_tokens_by_modality", .prompt), ("output_tokens_by_modality", .candidates),
            ("cached_tokens_by_modality", .cached), ("tool_use_tokens_by_modality", .tool),
            ("responseTokensDetails", .candidates),
        ]

        static func named(_ key: JSONText, _ bytes: UnsafeRawBufferPointer) -> List? {
            names.first { key.equals($0.0, in: bytes) }?.1
        }
    }

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

    // MARK: Counts

    private mutating func read(
        _ field: Field, _ kind: JSONKind, _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        let count: Int64?
        switch field {
        case .prompt:
            count = try usage.readCount("promptTokenCount", kind, &scanner)
            usage.promptTokens = count
        case .candidates:
            count = try usage.readCount("candidatesTokenCount", kind, &scanner)
            usage.completionTokens = count
        case .total:
            count = try usage.readCount("totalTokenCount", kind, &scanner)
            usage.totalTokens = count
        case .thoughts:
            count = try usage.readCount("thoughtsTokenCount", kind, &scanner)
            usage.reasoningTokens = count
        case .tool:
            count = try usage.readCount("toolUsePromptTokenCount", kind, &scanner)
            usage.toolPromptTokens = count
        case .cached:
            count = try usage.readCount("cachedContentTokenCount", kind, &scanner)
            usage.cachedTokens = count
        }
        if count != nil { hasCounts = true }
    }

    private mutating func read(
        _ list: List, _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        var parts = ModalityTokens()
        try scanner.eachElement { kind, scanner throws(JSONScanError) in
            guard kind == .object else { return false }
            var modality: String?
            var count: Int64?
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                if key.equals("modality", in: bytes) {
                    modality = try scanner.name(kind, in: bytes)
                } else if key.equals("tokenCount", in: bytes) || key.equals("tokens", in: bytes) {
                    count = try usage.readCount("tokenCount", kind, &scanner)
                } else {
                    return false
                }
                return true
            }
            parts.add(count, modality: modality, &usage)
            return true
        }
        switch list {
        case .prompt: usage.inputParts = parts
        case .candidates: usage.outputParts = parts
        case .cached: usage.cachedParts = parts
        case .tool: toolParts = parts
        }
    }
}

extension ModalityTokens {
    /// Counts tokens of a kind; documents, and what has no name here, are text.
    fileprivate mutating func add(_ count: Int64?, modality: String?, _ usage: inout EngineUsage) {
        switch modality?.lowercased() {
        case "audio": audio = usage.sum("tokens by modality", audio, count)
        case "image": image = usage.sum("tokens by modality", image, count)
        case "video": video = usage.sum("tokens by modality", video, count)
        default: text = usage.sum("tokens by modality", text, count)
        }
    }

    fileprivate mutating func add(_ other: ModalityTokens, _ usage: inout EngineUsage) {
        text = usage.sum("tokens by modality", text, other.text)
        audio = usage.sum("tokens by modality", audio, other.audio)
        image = usage.sum("tokens by modality", image, other.image)
        video = usage.sum("tokens by modality", video, other.video)
    }
}
