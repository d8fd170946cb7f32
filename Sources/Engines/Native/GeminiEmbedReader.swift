internal import Metering

/// Reads answers of `embedContent` and `batchEmbedContents` (Gemini, Vertex), whose usage newer models tell, and of
/// `predict` (Vertex), which counts the tokens of each text beside its embedding. What is missing is counted or
/// estimated from the request, as of any embedding. `billableCharacterCount` is what Google bills of older models; it
/// counts characters without spaces, and stands in no relation to tokens that could be relied upon.
struct GeminiEmbedReader: AnswerReader {
    private enum Part: Int { case usageMetadata, tokenCount, error, picture }

    private static let partShape = DocumentShape([
        .value("usageMetadata", bytesMax: DocumentShape.usageBytesMax),
        .value("predictions.embeddings.statistics.token_count", bytesMax: 32), .value("error", bytesMax: 16 * 1024),
        .value("predictions.mimeType", bytesMax: 128),
    ])

    private let instanceCount: Int
    private var tokenCount: Int64 = 0
    private var countedInstances = 0

    init(instanceCount: Int) { self.instanceCount = instanceCount }

    var shape: DocumentShape { GeminiEmbedReader.partShape }
    var usagePart: Int? { Part.usageMetadata.rawValue }

    mutating func take(part: Int, value: UnsafeRawBufferPointer, facts: inout AnswerFacts) {
        switch Part(rawValue: part) {
        case .usageMetadata:
            var scanner = JSONScanner(value)
            guard let read = try? GeminiUsage(scanner: &scanner, bytes: value) else {
                facts.unreadCount += 1
                return
            }
            facts.serviceTier = read.tier ?? facts.serviceTier
            if read.hasCounts { facts.usage = read.usage }
        case .tokenCount:
            guard let count = Self.count(value) else {
                facts.unreadCount += 1
                return
            }
            let (sum, overflows) = tokenCount.addingReportingOverflow(count)
            tokenCount = overflows ? .max : sum
            countedInstances += 1
        case .error: facts.takeError(value)
        // Whatever model it was that made pictures of it: they are never free.
        case .picture: facts.units.images += 1
        case nil: break
        }
    }

    mutating func finish(facts: inout AnswerFacts) {
        facts.isTerminated = !facts.hasError
        // A sum without some of the texts would be too little: then all are estimated.
        guard facts.usage == nil, countedInstances > 0, countedInstances >= instanceCount else { return }
        var usage = EngineUsage()
        usage.promptTokens = tokenCount
        usage.raw = Array(#"{"token_count":\#(tokenCount)}"#.utf8)
        facts.usage = usage
    }

    /// Plain only.
    mutating func read(_ event: StreamedEvent, facts: inout AnswerFacts) -> StreamEvent { .other }

    /// A count that may be written as `6.0`.
    private static func count(_ value: UnsafeRawBufferPointer) -> Int64? {
        let text = String(decoding: value, as: UTF8.self)
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first.flatMap({ Int64($0) }), whole >= 0 else { return nil }
        return parts.count == 1 || parts[1].allSatisfy { $0 == "0" } ? whole : nil
    }
}
