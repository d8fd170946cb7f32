public import Metering

/// A usage object of the OpenAI family as an engine wrote it, field by field; nil where it said nothing.
public struct EngineUsage: Hashable, Sendable {
    public var promptTokens: Int64?
    public var completionTokens: Int64?
    public var totalTokens: Int64?
    /// `prompt_tokens_details.cached_tokens`, or DeepSeek's `prompt_cache_hit_tokens`.
    public var cachedTokens: Int64?
    /// `prompt_tokens_details.cache_write_tokens`, or vLLM's `created_cache_tokens`.
    public var cacheWriteTokens: Int64?
    /// `completion_tokens_details.reasoning_tokens`, or `reasoning_tokens` beside the totals.
    public var reasoningTokens: Int64?
    /// The latest usage object, whole, or nothing when it is longer than a record may keep.
    public var raw: [UInt8] = []
    /// The first field that was no integer; usage with such a field contradicts itself.
    public var malformedField: String?

    /// Nothing said yet.
    public init() {}

    /// Whether the engine said how much it read and wrote, or wrote nothing because it never does (`embeddings`).
    public func isComplete(for operation: Operation) -> Bool {
        promptTokens != nil && (completionTokens != nil || operation == .embeddings)
    }

    /// Takes over what `newer` says, and keeps what it leaves out: usage is the last word on each field, never a sum.
    public mutating func update(with newer: EngineUsage) {
        promptTokens = newer.promptTokens ?? promptTokens
        completionTokens = newer.completionTokens ?? completionTokens
        totalTokens = newer.totalTokens ?? totalTokens
        cachedTokens = newer.cachedTokens ?? cachedTokens
        cacheWriteTokens = newer.cacheWriteTokens ?? cacheWriteTokens
        reasoningTokens = newer.reasoningTokens ?? reasoningTokens
        malformedField = newer.malformedField ?? malformedField
        raw = newer.raw
    }
}

extension EngineUsage {
    /// Reads a usage object; the scanner stands before its brace.
    init(scanner: inout JSONScanner, bytes: UnsafeRawBufferPointer) throws(JSONScanError) {
        self.init()
        _ = try scanner.kind()
        let start = scanner.offset
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            if key.equals("prompt_tokens", in: bytes) {
                promptTokens = try count("prompt_tokens", &scanner) ?? promptTokens
            } else if key.equals("completion_tokens", in: bytes) {
                completionTokens = try count("completion_tokens", &scanner) ?? completionTokens
            } else if key.equals("total_tokens", in: bytes) {
                totalTokens = try count("total_tokens", &scanner) ?? totalTokens
            } else if key.equals("prompt_tokens_details", in: bytes) {
                try readDetails(&scanner, bytes)
            } else if key.equals("completion_tokens_details", in: bytes) {
                try readDetails(&scanner, bytes)
            } else if key.equals("prompt_cache_hit_tokens", in: bytes), cachedTokens == nil {
                cachedTokens = try count("prompt_cache_hit_tokens", &scanner) ?? cachedTokens
            } else if key.equals("reasoning_tokens", in: bytes), reasoningTokens == nil {
                reasoningTokens = try count("reasoning_tokens", &scanner) ?? reasoningTokens
            } else {
                try scanner.skip()
            }
        }
        if scanner.offset - start <= AttemptRecord.rawUsageBytesMax {
            raw = Array(bytes[start..<scanner.offset])
        }
    }

    private mutating func readDetails(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        guard try scanner.kind() == .object else {
            try scanner.skip()
            return
        }
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            if key.equals("cached_tokens", in: bytes) {
                cachedTokens = try count("cached_tokens", &scanner) ?? cachedTokens
            } else if key.equals("cache_write_tokens", in: bytes) {
                cacheWriteTokens = try count("cache_write_tokens", &scanner) ?? cacheWriteTokens
            } else if key.equals("created_cache_tokens", in: bytes), cacheWriteTokens == nil {
                cacheWriteTokens = try count("created_cache_tokens", &scanner) ?? cacheWriteTokens
            } else if key.equals("reasoning_tokens", in: bytes) {
                reasoningTokens = try count("reasoning_tokens", &scanner) ?? reasoningTokens
            } else {
                try scanner.skip()
            }
        }
    }

    /// Reads one count; nil for null and for what is no integer, which it notes.
    private mutating func count(_ name: StaticString, _ scanner: inout JSONScanner) throws(JSONScanError) -> Int64? {
        switch try scanner.kind() {
        case .null:
            try scanner.null()
            return nil
        case .number:
            let value = try scanner.number()
            if value == nil { malformedField = name.description }
            return value
        default:
            malformedField = name.description
            try scanner.skip()
            return nil
        }
    }
}

extension EngineUsage {
    /// The counts taken apart into disjoint buckets, or what is wrong with them.
    ///
    /// Input includes what was read from and written to a cache. Output includes reasoning, unless the total shows
    /// that it does not (xAI): where `total = prompt + completion + reasoning`, reasoning comes on top.
    public func buckets() -> UsageBuckets {
        if let malformedField { return .contradiction("\(malformedField) is not an integer") }
        let prompt = promptTokens ?? 0
        let completion = completionTokens ?? 0
        let cached = cachedTokens ?? 0
        let written = cacheWriteTokens ?? 0
        let reasoning = reasoningTokens ?? 0
        let counts = [prompt, completion, cached, written, reasoning, totalTokens ?? 0]
        guard counts.allSatisfy({ (0...TokenBuckets.bucketMax).contains($0) }) else {
            return .contradiction("a count is negative or larger than \(TokenBuckets.bucketMax)")
        }
        guard cached + written <= prompt else {
            return .contradiction(
                "cached_tokens \(cached) and cache_write_tokens \(written) exceed prompt_tokens \(prompt)")
        }
        var buckets = TokenBuckets(
            inputUncached: prompt - cached - written, cacheRead: cached, cacheWriteFiveMinutes: written)
        if let total = totalTokens, promptTokens != nil, total != prompt + completion {
            guard reasoning > 0, total == prompt + completion + reasoning else {
                return .contradiction(
                    "total_tokens \(total) is not prompt_tokens \(prompt) and completion_tokens \(completion)")
            }
            buckets.outputVisible = completion
        } else {
            guard reasoning <= completion else {
                return .contradiction("reasoning_tokens \(reasoning) exceed completion_tokens \(completion)")
            }
            buckets.outputVisible = completion - reasoning
        }
        buckets.outputReasoning = reasoning
        return .counted(buckets)
    }
}

/// What a usage object comes to.
public enum UsageBuckets: Hashable, Sendable {
    case counted(TokenBuckets)
    /// The engine's counts cannot all be true; says which.
    case contradiction(String)
}
