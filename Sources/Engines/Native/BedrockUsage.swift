internal import Metering

/// A usage object of Bedrock's Converse API, which Amazon's own models use as well.
///
/// `inputTokens` excludes what was read from and written to a cache. Each cache counter may stand there twice, under
/// two spellings: it is one counter, and the documented name (`cacheReadInputTokens`) is believed.
struct BedrockUsage {
    private(set) var usage = EngineUsage()

    /// Reads a usage object; the scanner stands before its brace.
    init(scanner: inout JSONScanner, bytes: UnsafeRawBufferPointer) throws(JSONScanError) {
        usage.rule = .cacheApart
        let start = scanner.offset
        var otherRead: Int64?
        var otherWritten: Int64?
        var byLifetime: Int64?
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if key.equals("inputTokens", in: bytes) {
                usage.promptTokens = try usage.readCount("inputTokens", kind, &scanner)
            } else if key.equals("outputTokens", in: bytes) {
                usage.completionTokens = try usage.readCount("outputTokens", kind, &scanner)
            } else if key.equals("totalTokens", in: bytes) {
                usage.totalTokens = try usage.readCount("totalTokens", kind, &scanner)
            } else if key.equals("cacheReadInputTokens", in: bytes) {
                usage.cachedTokens = try usage.readCount("cacheReadInputTokens", kind, &scanner)
            } else if key.equals("cacheReadInputTokenCount", in: bytes) {
                otherRead = try usage.readCount("cacheReadInputTokenCount", kind, &scanner)
            } else if key.equals("cacheWriteInputTokens", in: bytes) {
                usage.cacheWriteTokens = try usage.readCount("cacheWriteInputTokens", kind, &scanner)
            } else if key.equals("cacheWriteInputTokenCount", in: bytes) {
                otherWritten = try usage.readCount("cacheWriteInputTokenCount", kind, &scanner)
            } else if kind == .array, key.equals("cacheDetails", in: bytes) {
                byLifetime = try readLifetimes(&scanner, bytes)
            } else {
                return false
            }
            return true
        }
        usage.cachedTokens = usage.cachedTokens ?? otherRead
        usage.cacheWriteTokens = usage.cacheWriteTokens ?? otherWritten
        usage.settleCacheWrites(byLifetime: byLifetime)
        usage.raw = NativeValue.raw(bytes, start..<scanner.offset)
    }

    /// `cacheDetails`: what was written, by how long it is kept (`ttl`).
    private mutating func readLifetimes(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> Int64? {
        var sum: Int64?
        try scanner.eachElement { kind, scanner throws(JSONScanError) in
            var minutes: Int64?
            var count: Int64?
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                if key.equals("ttl", in: bytes) {
                    minutes = NativeValue.minutes(try scanner.name(kind, in: bytes) ?? "")
                } else if key.equals("inputTokens", in: bytes) {
                    count = try usage.readCount("cacheDetails", kind, &scanner)
                } else {
                    return false
                }
                return true
            }
            sum = usage.sum("cacheDetails", sum, count)
            usage.addCacheWrite(count, keptMinutes: minutes ?? 5)
            return true
        }
        return sum
    }
}

/// What Amazon counted of an invocation, in headers or in the last chunk of a stream: what it bills, whatever the
/// model's own usage says.
struct BedrockInvocationMetrics: Sendable {
    var inputTokens: Int64?
    var outputTokens: Int64?
    var cachedTokens: Int64?
    var cacheWriteTokens: Int64?
    var timings = EngineTimings()
    private var contradiction: String?

    /// Reads the headers of a plain answer.
    init(headers: any HeaderLookup) {
        inputTokens = NativeValue.integer(headers.first("x-amzn-bedrock-input-token-count"))
        outputTokens = NativeValue.integer(headers.first("x-amzn-bedrock-output-token-count"))
        cachedTokens = NativeValue.integer(headers.first("x-amzn-bedrock-cache-read-input-token-count"))
        cacheWriteTokens = NativeValue.integer(headers.first("x-amzn-bedrock-cache-write-input-token-count"))
        timings.total = NativeValue.microseconds(
            milliseconds: NativeValue.integer(headers.first("x-amzn-bedrock-invocation-latency")))
        // Models that answer with numbers write no tokens, and their answers no count of them.
        if inputTokens != nil { outputTokens = outputTokens ?? 0 }
    }

    /// Reads `amazon-bedrock-invocationMetrics`; the scanner stands before its brace.
    init(scanner: inout JSONScanner, bytes: UnsafeRawBufferPointer) throws(JSONScanError) {
        var usage = EngineUsage()
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if key.equals("inputTokenCount", in: bytes) {
                inputTokens = try usage.readCount("inputTokenCount", kind, &scanner)
            } else if key.equals("outputTokenCount", in: bytes) {
                outputTokens = try usage.readCount("outputTokenCount", kind, &scanner)
            } else if key.equals("cacheReadInputTokenCount", in: bytes) {
                cachedTokens = try usage.readCount("cacheReadInputTokenCount", kind, &scanner)
            } else if key.equals("cacheWriteInputTokenCount", in: bytes) {
                cacheWriteTokens = try usage.readCount("cacheWriteInputTokenCount", kind, &scanner)
            } else if key.equals("invocationLatency", in: bytes) {
                timings.total = NativeValue.microseconds(
                    milliseconds: try usage.readCount("invocationLatency", kind, &scanner))
            } else if key.equals("firstByteLatency", in: bytes) {
                timings.firstToken = NativeValue.microseconds(
                    milliseconds: try usage.readCount("firstByteLatency", kind, &scanner))
            } else {
                return false
            }
            return true
        }
        contradiction = usage.contradiction
    }

    /// The model's own usage, corrected to what Amazon counted.
    func correcting(_ own: EngineUsage?) -> EngineUsage? {
        guard inputTokens != nil || outputTokens != nil || contradiction != nil else { return own }
        var usage = own ?? EngineUsage()
        if own == nil { usage.rule = .cacheApart }
        usage.totalTokens = nil
        if let input = inputTokens, let prompt = usage.promptTokens, let cached = usage.cachedTokens,
            usage.rule == .inclusive, input != prompt, input == prompt &- cached
        {
            // The model counts its cache into the prompt, Amazon beside it.
            usage.rule = .cacheApart
        }
        usage.promptTokens = inputTokens ?? usage.promptTokens
        usage.completionTokens = outputTokens ?? usage.completionTokens
        usage.cachedTokens = cachedTokens ?? usage.cachedTokens
        usage.cacheWriteTokens = cacheWriteTokens ?? usage.cacheWriteTokens
        if let output = usage.completionTokens, let reasoning = usage.reasoningTokens {
            usage.reasoningTokens = min(reasoning, max(0, output))
        }
        usage.contradiction = usage.contradiction ?? contradiction
        return usage
    }
}

extension NativeValue {
    /// A time in the unit of records; nil when it is not said, negative or too long to be true.
    static func microseconds(milliseconds: Int64?) -> Int64? {
        guard let milliseconds, (0...Int64.max / 1000).contains(milliseconds) else { return nil }
        return milliseconds * 1000
    }
}
