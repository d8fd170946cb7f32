internal import Metering

/// Reads answers of Text Generation Inference's own API: `/generate`, `/generate_stream` and the array of `/`.
///
/// A plain answer says what was generated, and only its headers how long the prompt was. A stream says both in its last
/// event, which is also its end: there is no terminator beside it.
struct TGIReader: AnswerReader {
    private var counts: TGICounts

    private static let partShape = DocumentShape(TGICounts.parts + [.items("details.prefill")])

    /// A reader of the answer to a request for the best of so many sequences (`bestOf`).
    init(choiceCount: Int64, bestOf: Int64 = 1) { counts = TGICounts(choiceCount: choiceCount, bestOf: bestOf) }

    var shape: DocumentShape { TGIReader.partShape }

    mutating func begin(status: Int, headers: any HeaderLookup, facts: inout AnswerFacts) {
        counts.input = NativeValue.integer(headers.first("x-prompt-tokens"))
        counts.headerGenerated = NativeValue.integer(headers.first("x-generated-tokens"))
        func microseconds(_ name: String) -> Int64? {
            NativeValue.microseconds(milliseconds: NativeValue.integer(headers.first(name)))
        }
        facts.timings.queue = microseconds("x-queue-time")
        facts.timings.decode = microseconds("x-inference-time")
        facts.timings.total = microseconds("x-total-time")
        facts.id = headers.first("x-request-id")
        counts.publish(&facts)
    }

    mutating func take(part: Int, value: UnsafeRawBufferPointer, facts: inout AnswerFacts) {
        counts.take(part: part, value: value, facts: &facts)
    }

    mutating func finish(facts: inout AnswerFacts) {
        counts.finish(&facts)
        // With `decoder_input_details` each token of the prompt is listed.
        if counts.input == nil, facts.items > 0 {
            counts.input = facts.items
            counts.publish(&facts)
        }
    }

    mutating func read(_ event: StreamedEvent, facts: inout AnswerFacts) -> StreamEvent {
        do throws(JSONScanError) {
            return try counts.read(event.data, facts: &facts)
        } catch {
            facts.unreadCount += 1
            return .other
        }
    }
}

/// What a generation came to, as TGI and the containers that copy it say it.
struct TGICounts: Sendable {
    var input: Int64?
    /// What the headers say was generated: of the best sequence only.
    var headerGenerated: Int64?
    private var generated: Int64?
    /// Of the sequences that `best_of` made and did not choose.
    private var otherGenerated: Int64?
    /// How many of those say how long they are.
    private var othersCounted: Int64 = 0
    private var usage = EngineUsage()
    /// The one answer is all that comes of the sequences asked for.
    private let choiceCount: Int64
    private let bestOf: Int64
    private var hasFailed = false

    init(choiceCount: Int64, bestOf: Int64 = 1) {
        self.choiceCount = choiceCount
        self.bestOf = bestOf
    }

    /// A plain answer is over. Sequences that nobody speaks of were made all the same, each about as long as the best.
    func finish(_ facts: inout AnswerFacts) {
        guard facts.contentEvents == 0 else { return }
        if hasFailed { facts.endsInFailure = true }
        // Details that name some of the others name all of them. A container that speaks another dialect shows choices.
        let isSilent = othersCounted == 0 && facts.choicesSeen == 0 && facts.textBytes > 0
        if bestOf > 1, isSilent, !facts.hasError { facts.sequences = bestOf }
    }

    private enum Part: Int { case generated, otherGenerated, input, finishReason, error, errorType }
    /// What plain answers are asked for.
    static let parts: [DocumentShape.Part] = [
        .value("details.generated_tokens"), .value("details.best_of_sequences.generated_tokens"),
        .value("details.input_length"), .value("details.finish_reason"),
        .value("error", bytesMax: EngineErrorText.messageBytesMax), .value("error_type"),
        .text("generated_text"), .text("details.best_of_sequences.generated_text"),
    ]

    /// Takes one of `parts`.
    mutating func take(part: Int, value: UnsafeRawBufferPointer, facts: inout AnswerFacts) {
        switch Part(rawValue: part) {
        case .generated: take(generated: value, isAnother: false)
        case .otherGenerated: take(generated: value, isAnother: true)
        case .input: input = input ?? usage.readCount("input_length", value)
        case .finishReason: take(finishReason: NativeValue.name(value), &facts)
        case .error: facts.takeError(value)
        case .errorType:
            guard let type = NativeValue.name(value) else { return }
            facts.error = facts.error ?? EngineErrorText()
            facts.error?.type = type
        case nil: return
        }
        publish(&facts)
    }

    private mutating func take(generated value: UnsafeRawBufferPointer, isAnother: Bool) {
        guard let count = usage.readCount("generated_tokens", value) else { return }
        if isAnother {
            otherGenerated = usage.sum("generated_tokens", otherGenerated, count)
            othersCounted += 1
        } else {
            generated = count
        }
    }

    private mutating func take(finishReason: String?, _ facts: inout AnswerFacts) {
        guard let finishReason else { return }
        facts.finishReason = finishReason
        facts.finishedChoices = choiceCount
        // Large Model Inference says so where its text should have ended.
        if finishReason == "error" {
            facts.hasError = true
            hasFailed = true
        }
    }

    /// Makes the counts the answer's usage, once there are any.
    mutating func publish(_ facts: inout AnswerFacts) {
        usage.promptTokens = input
        usage.completionTokens = usage.sum("generated_tokens", generated ?? headerGenerated, otherGenerated)
        guard usage.promptTokens != nil || usage.completionTokens != nil || usage.contradiction != nil else { return }
        facts.usage = usage
    }

    /// Reads one event of a stream, or one line: a token, and with the last one the details.
    mutating func read(
        _ bytes: UnsafeRawBufferPointer, facts: inout AnswerFacts
    ) throws(JSONScanError) -> StreamEvent {
        var scanner = JSONScanner(bytes)
        var hasToken = false
        var isLast = false
        var hasError = false
        var isFailedToken = false
        // Of other tokens that it might have been (`top_tokens`), and of the whole text at the end, nothing is new.
        var content = WrittenContent()
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if kind == .object, key.equals("token", in: bytes) {
                hasToken = true
                var token = scanner
                content = WrittenText.content(of: bytes.part(try token.skip()))
                try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                    guard kind == .string, key.equals("error_msg", in: bytes) else { return false }
                    // A token that only says why there is none.
                    facts.takeError(bytes.part(try scanner.skip()))
                    isFailedToken = facts.hasError
                    return true
                }
            } else if kind == .string, key.equals("generated_text", in: bytes) {
                isLast = true
                try scanner.skip()
            } else if kind == .object, key.equals("details", in: bytes) {
                isLast = true
                try readDetails(&scanner, bytes, &facts)
            } else if kind == .array, key.equals("outputs", in: bytes) {
                let range = try scanner.skip()
                hasToken = range.count > 2
                content = WrittenText.content(of: bytes.part(range))
            } else if kind == .string || kind == .object, key.equals("error", in: bytes) {
                hasError = try scanner.isSomething(kind)
            } else {
                return false
            }
            return true
        }
        if hasError {
            facts.takeError(bytes)
            return .error
        }
        if isFailedToken { hasToken = false }
        if hasToken {
            facts.noteContent(content)
            facts.uncountedEvents += 1
        }
        if facts.hasError {
            // What the engine counts of a generation that failed includes what was none.
            if let generated, generated > facts.contentEvents { self.generated = facts.contentEvents }
            publish(&facts)
            facts.uncountedEvents = 0
            return .error
        }
        guard isLast else { return hasToken ? .content : .other }
        if generated != nil { facts.uncountedEvents = 0 }
        facts.finishedChoices = choiceCount
        facts.isTerminated = true
        return .terminator
    }

    private mutating func readDetails(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer, _ facts: inout AnswerFacts
    ) throws(JSONScanError) {
        let start = scanner.offset
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if key.equals("generated_tokens", in: bytes) {
                generated = try usage.readCount("generated_tokens", kind, &scanner) ?? generated
            } else if key.equals("input_length", in: bytes) {
                input = try usage.readCount("input_length", kind, &scanner) ?? input
            } else if key.equals("finish_reason", in: bytes) {
                take(finishReason: try scanner.name(kind, in: bytes), &facts)
            } else {
                return false
            }
            return true
        }
        usage.raw = NativeValue.raw(bytes, start..<scanner.offset)
        publish(&facts)
    }
}
