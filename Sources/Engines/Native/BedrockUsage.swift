internal import Metering

/// A usage object of Bedrock's Converse API, which Amazon's own models use as well.
///
/// `inputTokens` excludes what was read from and written to a cache. Each cache counter may stand there twice, under
/// two spellings: it is one counter, and the documented name (`cacheReadInputTokens`) is believed.
struct BedrockUsage {
    private(set) var usage = EngineUsage()

    /// Reads a usage object; the scanner stands before its brace.
    init(scanner: inout JSONScanner, bytes: UnsafeRawBufferPointer) throws(JSONScanError) {
        let start = scanner.offset
        usage = try EngineUsage(scanner: &scanner, bytes: bytes, names: .bedrock)
        usage.mayIncludeCache = true
        usage.raw = NativeValue.raw(bytes, start..<scanner.offset)
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
        var draft = UsageDraft(.bedrockInvocation)
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if try draft.read(key, kind, &scanner, bytes) { return true }
            guard kind == .number else { return false }
            if key.equals("invocationLatency", in: bytes) {
                timings.total = NativeValue.microseconds(milliseconds: try scanner.number())
            } else if key.equals("firstByteLatency", in: bytes) {
                timings.firstToken = NativeValue.microseconds(milliseconds: try scanner.number())
            } else {
                return false
            }
            return true
        }
        let usage = draft.settled()
        inputTokens = usage.promptTokens
        outputTokens = usage.completionTokens
        cachedTokens = usage.cachedTokens
        cacheWriteTokens = usage.cacheWriteTokens
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
        // A zero beside a count of the model's own is a place that was not filled in.
        func corrected(_ count: Int64?, _ own: Int64?) -> Int64? { count == 0 ? own ?? count : count ?? own }
        usage.promptTokens = corrected(inputTokens, usage.promptTokens)
        usage.completionTokens = corrected(outputTokens, usage.completionTokens)
        usage.cachedTokens = corrected(cachedTokens, usage.cachedTokens)
        usage.cacheWriteTokens = corrected(cacheWriteTokens, usage.cacheWriteTokens)
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
