internal import Metering

/// Reads answers of Bedrock's `invoke` and `invoke-with-response-stream`: the model's own dialect, by its family,
/// around which Amazon says what it counted (headers of a plain answer, a member of a stream's last chunk). Where the
/// two differ, Amazon's count is the one that it bills.
struct BedrockInvokeReader: AnswerReader {
    private var openAI = OpenAIAnswerReader()
    private var stream = BedrockInvokeStream()
    private var frames = AWSEventFrames()
    private var metrics: BedrockInvocationMetrics?
    private var counts = BedrockFamilyCounts()
    private var own: EngineUsage?

    private enum Part: Int {
        case usage, stopReason, stopReasonCamel, finishReason, completionReason, outputsStopReason
        case generationsFinishReason, inputTextTokenCount, resultsTokenCount, promptTokenCount, generationTokenCount
        case guardrailAction, toolType, relevance
    }
    private static let openAIParts = OpenAIAnswerReader().shape.parts
    private static let partShape = DocumentShape(
        openAIParts + [
            .value("usage", bytesMax: DocumentShape.usageBytesMax), .value("stop_reason"), .value("stopReason"),
            .value("finish_reason"), .value("results.completionReason"), .value("outputs.stop_reason"),
            .value("generations.finish_reason"), .value("inputTextTokenCount"), .value("results.tokenCount"),
            .value("prompt_token_count"), .value("generation_token_count"),
            .value("amazon-bedrock-guardrailAction"), .value("output.message.content.toolUse.type"),
            .value("results.relevance_score"),
            .text("content.text"), .reasoning("content.thinking"), .written("content.input"), .items("images"),
            .encrypted("content.data"), .encrypted("content.signature"),
            .items("artifacts"), .written("output.message.content.toolUse.input"), .text("output.message.content.text"),
            .text("results.outputText"), .text("generation"), .text("outputs.text"), .text("generations.text"),
        ])

    var shape: DocumentShape { BedrockInvokeReader.partShape }
    var takesAnyText: Bool { true }
    var usagePart: Int? { BedrockInvokeReader.openAIParts.count }

    mutating func begin(status: Int, headers: any HeaderLookup, facts: inout AnswerFacts) {
        facts.takeAmazonHead(status: status, headers)
        let metrics = BedrockInvocationMetrics(headers: headers)
        facts.timings.update(with: metrics.timings)
        self.metrics = metrics
        publish(&facts)
    }

    mutating func take(part: Int, value: UnsafeRawBufferPointer, facts: inout AnswerFacts) {
        let index = part - BedrockInvokeReader.openAIParts.count
        guard index >= 0 else { return openAI.take(part: part, value: value, facts: &facts) }
        switch Part(rawValue: index) {
        case .usage:
            own = (try? BedrockFamilyCounts.usage(value)) ?? own
            if own == nil { facts.unreadCount += 1 }
        case .stopReason, .stopReasonCamel, .finishReason, .completionReason, .outputsStopReason,
            .generationsFinishReason:
            facts.takeStopReason(NativeValue.name(value))
        case .inputTextTokenCount, .promptTokenCount: counts.take(input: value)
        case .resultsTokenCount: counts.add(output: value)
        case .generationTokenCount: counts.take(output: value)
        case .toolType: if NativeValue.name(value) == "server_tool_use" { facts.units.searches += 1 }
        case .relevance: facts.isRanking = true
        case .guardrailAction: facts.takeGuardrail(NativeValue.name(value))
        case nil: return
        }
        publish(&facts)
    }

    /// Pictures that a model was invoked for (Amazon's own, Stability's).
    mutating func finish(facts: inout AnswerFacts) {
        facts.units.images = max(facts.units.images, facts.items)
        // Amazon sells rankings by the query, whatever tokens it counts of one.
        if facts.isRanking { facts.usage = nil }
    }

    private func publish(_ facts: inout AnswerFacts) {
        if let usage = metrics?.correcting(own ?? counts.usage) { facts.usage = usage }
    }

    mutating func read(_ event: StreamedEvent, facts: inout AnswerFacts) -> StreamEvent {
        guard let frame = frames.next(event.bytes, &facts) else { return facts.hasError ? .error : .other }
        do throws(JSONScanError) {
            guard let chunk = try BedrockInvokeStream.chunk(event.bytes.part(frame.payload)) else { return .other }
            return chunk.withUnsafeBytes { stream.read($0, facts: &facts) }
        } catch {
            facts.unreadCount += 1
            return .other
        }
    }
}

extension AnswerFacts {
    /// What a guardrail did (`amazon-bedrock-guardrailAction`).
    mutating func takeGuardrail(_ action: String?) {
        if action == "INTERVENED" { takeStopReason("guardrail_intervened") }
    }
}

/// The counts of model families that have no usage object: Titan's and Llama's.
struct BedrockFamilyCounts: Sendable {
    private var said = EngineUsage()
    var output: Int64? { said.completionTokens }

    init() {}

    /// Takes a count that grows with the stream, or stands in one chunk alone and is zero in the others.
    mutating func take(input value: UnsafeRawBufferPointer) {
        guard let count = said.readCount("a count of the prompt", value) else { return }
        said.promptTokens = max(said.promptTokens ?? count, count)
    }

    /// The same of the output.
    mutating func take(output value: UnsafeRawBufferPointer) {
        guard let count = said.readCount("a count of the output", value) else { return }
        said.completionTokens = max(said.completionTokens ?? count, count)
    }

    /// Adds the output of one of several results.
    mutating func add(output value: UnsafeRawBufferPointer) {
        guard let count = said.readCount("a count of the output", value) else { return }
        said.completionTokens = said.sum("a count of the output", said.completionTokens, count)
    }

    /// Nil when nothing was said.
    var usage: EngineUsage? {
        let isSaid = said.promptTokens != nil || said.completionTokens != nil || said.contradiction != nil
        return isSaid ? said : nil
    }

    /// Reads a `usage` object of any family: its names tell which.
    static func usage(_ bytes: UnsafeRawBufferPointer) throws(JSONScanError) -> EngineUsage? {
        var names = JSONScanner(bytes)
        var isConverse = false
        var isOpenAI = false
        guard try names.kind() == .object else { return nil }
        try names.eachMember { key, _, _ throws(JSONScanError) in
            if key.equals("inputTokens", in: bytes) || key.equals("outputTokens", in: bytes) { isConverse = true }
            if key.equals("prompt_tokens", in: bytes) || key.equals("total_tokens", in: bytes) { isOpenAI = true }
            return false
        }
        var scanner = JSONScanner(bytes)
        if isConverse { return try BedrockUsage(scanner: &scanner, bytes: bytes).usage }
        guard isOpenAI else { return try AnthropicUsage(scanner: &scanner, bytes: bytes).usage }
        var usage = try EngineUsage(scanner: &scanner, bytes: bytes)
        usage.raw = NativeValue.raw(bytes, 0..<bytes.count)
        return usage
    }
}
