internal import Metering

/// Reads answers of Triton's generate extension, plain and streamed.
///
/// The protocol has no usage; models whose backends have the output tensors `num_input_tokens` and `num_output_tokens`
/// send them when asked to. An error object may come with status 200, in a plain answer and in any event.
struct TritonReader: AnswerReader {
    private var usage = EngineUsage()
    private var output = TritonOutputCount()

    private enum Part: Int { case id, model, input, output, finishReason, error }
    private static let partShape = DocumentShape([
        .value("id"), .value("model_name"), .value("num_input_tokens", bytesMax: 4096),
        .value("num_output_tokens", bytesMax: 4096), .value("finish_reason"),
        .value("error", bytesMax: EngineErrorText.messageBytesMax), .text("text_output"),
    ])

    var shape: DocumentShape { TritonReader.partShape }

    mutating func take(part: Int, value: UnsafeRawBufferPointer, facts: inout AnswerFacts) {
        switch Part(rawValue: part) {
        case .id: facts.id = NativeValue.name(value) ?? facts.id
        case .model: facts.model = NativeValue.name(value) ?? facts.model
        case .input: usage.promptTokens = tensor(value) ?? usage.promptTokens
        case .output: usage.completionTokens = tensor(value) ?? usage.completionTokens
        case .finishReason: facts.takeStopReason(NativeValue.name(value))
        case .error: facts.takeError(value)
        case nil: return
        }
        publish(&facts)
    }

    mutating func read(_ event: StreamedEvent, facts: inout AnswerFacts) -> StreamEvent {
        let bytes = event.data
        var hasContent = false
        var error: Range<Int>?
        var count: Int64?
        do throws(JSONScanError) {
            var scanner = JSONScanner(bytes)
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                if key.equals("text_output", in: bytes) {
                    hasContent = try scanner.isSomething(kind)
                } else if key.equals("num_input_tokens", in: bytes) {
                    usage.promptTokens = tensor(bytes.part(try scanner.skip())) ?? usage.promptTokens
                } else if key.equals("num_output_tokens", in: bytes) {
                    count = tensor(bytes.part(try scanner.skip()))
                } else if key.equals("id", in: bytes) {
                    facts.id = try scanner.name(kind, in: bytes) ?? facts.id
                } else if key.equals("model_name", in: bytes) {
                    facts.model = try scanner.name(kind, in: bytes) ?? facts.model
                } else if key.equals("finish_reason", in: bytes) {
                    facts.takeStopReason(try scanner.name(kind, in: bytes))
                } else if kind == .string || kind == .object, key.equals("error", in: bytes) {
                    error = try scanner.skip()
                } else {
                    return false
                }
                return true
            }
        } catch {
            facts.unreadCount += 1
            return .other
        }
        if let count {
            output.add(count, hasContent: hasContent)
            usage.completionTokens = output.total
            facts.uncountedEvents = 0
        }
        publish(&facts)
        if let error {
            facts.takeError(bytes.part(error))
            if facts.hasError { return .error }
        }
        guard hasContent else { return .other }
        facts.noteContent(WrittenText.content(of: event.data))
        facts.uncountedEvents = count == nil ? facts.uncountedEvents + 1 : 0
        return .content
    }

    /// There is no terminator: a stream that ends without an error was whole, as far as anyone can tell.
    mutating func finish(facts: inout AnswerFacts) {
        guard !facts.hasError, facts.contentEvents > 0 || facts.finishReason != nil else { return }
        facts.finishedChoices = 1
        facts.isTerminated = true
    }

    private func publish(_ facts: inout AnswerFacts) {
        if usage.promptTokens != nil || usage.completionTokens != nil || usage.contradiction != nil {
            facts.usage = usage
        }
    }

    /// The values of a tensor, added up: one for a single answer, which may stand without its brackets.
    private mutating func tensor(_ value: UnsafeRawBufferPointer) -> Int64? {
        var scanner = JSONScanner(value)
        var sum: Int64?
        var usage = usage
        do throws(JSONScanError) {
            switch try scanner.kind() {
            case .array:
                try scanner.eachElement { kind, scanner throws(JSONScanError) in
                    sum = usage.sum("a count of tokens", sum, try usage.readCount("a count of tokens", kind, &scanner))
                    return true
                }
            case let kind: sum = try usage.readCount("a count of tokens", kind, &scanner)
            }
        } catch {
            usage.contradiction = usage.contradiction ?? "a count of tokens is not an integer"
        }
        self.usage.contradiction = usage.contradiction
        return sum
    }
}

/// The count of output over a stream. Triton's vLLM backend gives each response the tokens that are new in it; a
/// backend that repeats all tokens in each response gives the number so far. Text needs tokens, so the number so far
/// grows with each response that has text: counts that do not are of new tokens, and are added up.
struct TritonOutputCount: Sendable {
    private var sum: Int64 = 0
    private var last: Int64 = 0
    private var isGrowing = true

    mutating func add(_ count: Int64, hasContent: Bool) {
        if count < last || (hasContent && count <= last) { isGrowing = false }
        last = count
        let (next, overflows) = sum.addingReportingOverflow(count)
        sum = overflows ? .max : next
    }

    var total: Int64 { isGrowing ? last : sum }
}
