internal import Metering

/// Reads answers of `generateContent` and `streamGenerateContent` (Gemini, Vertex), whether they come as one document,
/// as server-sent events or as the elements of an array, and interactions.
///
/// Each chunk of a stream says its usage so far; the last word on each field counts. There is no terminator: a stream
/// that gave a finish reason (or said why the prompt was blocked) was whole when it ends.
struct GeminiReader: AnswerReader {
    private(set) var usageEnd: Int?
    /// What the chunks said so far, zeros that they leave out not filled in.
    private var said: EngineUsage?
    private var isBlocked = false
    private var hasCounts = false
    /// Whether the event read last had reasoning in it that only the engine can read.
    private var hasSignature = false
    /// The picture or sound in an interaction's event, and where its data stand.
    private var deltaMedia: (kind: MediaKind, data: Range<Int>)?
    private var queries = GroundingQueries()
    private var pictureQueries = GroundingQueries()
    /// Whether the answer shows what a search found.
    private var isGrounded = false
    private var searchCalls = SearchCalls()
    private let choiceCount: Int64
    private let asksForSearches: Bool

    private enum Part: Int {
        case id, model, finishReason, usageMetadata, blockReason, error
        case interactionID, interactionModel, interactionStatus, interactionUsage, tier, interactionTier, queries
        case pictureQueries, groundingChunk, searchEntryPoint, outputType, stepType, outputQueries, stepQueries
    }
    private static let partShape = DocumentShape([
        .value("responseId"), .value("modelVersion"), .value("candidates.finishReason"),
        .value("usageMetadata", bytesMax: DocumentShape.usageBytesMax), .value("promptFeedback.blockReason"),
        .value("error", bytesMax: 16 * 1024), .value("id"), .value("model"), .value("status"),
        .value("usage", bytesMax: DocumentShape.usageBytesMax), .value("serviceTier"), .value("service_tier"),
        .value("candidates.groundingMetadata.webSearchQueries", bytesMax: ToolCalls.queriesBytesMax),
        .value("candidates.groundingMetadata.imageSearchQueries", bytesMax: ToolCalls.queriesBytesMax),
        .value("candidates.groundingMetadata.groundingChunks.web.uri", bytesMax: DocumentShape.addressBytesMax),
        .value(
            "candidates.groundingMetadata.searchEntryPoint.renderedContent", bytesMax: DocumentShape.usageBytesMax),
        .value("outputs.type"), .value("steps.type"),
        .value("outputs.arguments.queries", bytesMax: ToolCalls.queriesBytesMax),
        .value("steps.arguments.queries", bytesMax: ToolCalls.queriesBytesMax),
        .text("candidates.content.parts.text"), .written("candidates.content.parts.functionCall.args"),
        .text("candidates.content.parts.executableCode.code"), .text("steps.content.text"), .text("outputs.text"),
        .media("candidates.content.parts.inlineData.data", .unknown),
        .media("candidates.content.parts.inline_data.data", .unknown),
        .encrypted("candidates.content.parts.thoughtSignature"),
        .encrypted("candidates.content.parts.thought_signature"), .encrypted("steps.signature"),
        .encrypted("outputs.signature"), .media("steps.content.data", .unknown), .media("outputs.data", .unknown),
    ])

    /// A reader of the answer to a request for so many candidates, with a search among its tools or without.
    init(choiceCount: Int64 = 1, asksForSearches: Bool = false) {
        self.choiceCount = choiceCount
        self.asksForSearches = asksForSearches
    }

    var shape: DocumentShape { GeminiReader.partShape }
    var usagePart: Int? { Part.usageMetadata.rawValue }

    mutating func begin(status: Int, headers: any HeaderLookup, facts: inout AnswerFacts) {
        facts.serviceTier = GeminiUsage.tier(named: headers.first("x-gemini-service-tier"))
    }

    mutating func take(part: Int, value: UnsafeRawBufferPointer, facts: inout AnswerFacts) {
        switch Part(rawValue: part) {
        case .id, .interactionID: facts.id = facts.id ?? NativeValue.name(value)
        case .model, .interactionModel: facts.model = facts.model ?? NativeValue.name(value)
        case .finishReason: take(finishReason: NativeValue.name(value), &facts)
        case .blockReason: take(blockReason: NativeValue.name(value), &facts)
        case .interactionStatus: take(status: NativeValue.name(value), &facts)
        case .usageMetadata, .interactionUsage: takeUsage(value, &facts)
        case .tier, .interactionTier:
            facts.serviceTier = GeminiUsage.tier(named: NativeValue.name(value)) ?? facts.serviceTier
        case .error: facts.takeError(value)
        case .outputType, .stepType:
            searchCalls.take(type: NativeValue.name(value), isStep: part == Part.stepType.rawValue)
            countSearches(&facts)
        case .queries, .pictureQueries, .outputQueries, .stepQueries:
            var scanner = JSONScanner(value)
            let isRead =
                part == Part.pictureQueries.rawValue
                ? (try? pictureQueries.read(&scanner, value)) != nil : (try? queries.read(&scanner, value)) != nil
            if !isRead { facts.unreadCount += 1 }
            countSearches(&facts)
        case .groundingChunk, .searchEntryPoint:
            isGrounded = true
            countSearches(&facts)
        case nil: break
        }
    }

    mutating func finish(facts: inout AnswerFacts) {
        if facts.finishReason != nil, !facts.hasError { facts.isTerminated = true }
    }

    // MARK: Streams

    mutating func read(_ event: StreamedEvent, facts: inout AnswerFacts) -> StreamEvent {
        usageEnd = nil
        hasCounts = false
        hasSignature = false
        deltaMedia = nil
        let bytes = event.data
        if event.isDone {
            facts.isTerminated = true
            return .terminator
        }
        var hasContent = false
        var error: Range<Int>?
        do throws(JSONScanError) {
            var scanner = JSONScanner(bytes)
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                if kind == .array, key.equals("candidates", in: bytes) {
                    try readCandidates(&scanner, bytes, &hasContent, &facts)
                } else if kind == .object, key.equals("usageMetadata", in: bytes) {
                    try readUsage(&scanner, bytes, &facts, dataOffset: event.dataOffset)
                } else if key.equals("modelVersion", in: bytes) {
                    facts.model = try scanner.name(kind, in: bytes) ?? facts.model
                } else if key.equals("responseId", in: bytes) {
                    facts.id = try scanner.name(kind, in: bytes) ?? facts.id
                } else if kind == .object, key.equals("promptFeedback", in: bytes) {
                    try readFeedback(&scanner, bytes, &facts)
                } else if kind == .object || kind == .string, key.equals("error", in: bytes) {
                    error = try scanner.skip()
                } else {
                    return try readInteraction(key, kind, &scanner, bytes, &hasContent, &facts)
                }
                return true
            }
        } catch {
            facts.unreadCount += 1
            return .other
        }
        if let error {
            facts.takeError(bytes.part(error))
        } else if bytes.first == UInt8(ascii: "["), let text = EngineErrorText(document: bytes),
            text != EngineErrorText()
        {
            // A stream that is refused is answered with an array of one, at times inside an event.
            facts.hasError = true
            facts.error = text
        }
        if facts.hasError { return .error }
        guard hasContent else {
            if hasSignature { facts.noteSilent(WrittenText.content(of: bytes)) }
            if hasCounts { facts.uncountedEvents = 0 }
            return .other
        }
        facts.noteContent(content(of: bytes))
        facts.uncountedEvents = hasCounts ? 0 : facts.uncountedEvents + 1
        return .content
    }

    /// What the model wrote in an event.
    private func content(of bytes: UnsafeRawBufferPointer) -> WrittenContent {
        guard let (kind, data) = deltaMedia else { return WrittenText.content(of: bytes) }
        var content = WrittenContent()
        let head = bytes[data].prefix(DeliveredMedia.headBytesMax)
        content.media.take(kind, head: head, textBytes: Int64(data.count))
        return content
    }

    private mutating func readCandidates(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer, _ hasContent: inout Bool,
        _ facts: inout AnswerFacts
    ) throws(JSONScanError) {
        var found = false
        try scanner.eachElement { kind, scanner throws(JSONScanError) in
            guard kind == .object else { return false }
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                if kind == .string, key.equals("finishReason", in: bytes) {
                    take(finishReason: try scanner.name(kind, in: bytes), &facts)
                } else if kind == .object, key.equals("content", in: bytes) {
                    try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                        guard kind == .array, key.equals("parts", in: bytes) else { return false }
                        if try readParts(&scanner, bytes) { found = true }
                        return true
                    }
                } else if kind == .object, key.equals("groundingMetadata", in: bytes) {
                    try readGrounding(&scanner, bytes)
                    countSearches(&facts)
                } else {
                    return false
                }
                return true
            }
            return true
        }
        if found { hasContent = true }
    }

    private mutating func readGrounding(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if kind == .array, key.equals("webSearchQueries", in: bytes) {
                try queries.read(&scanner, bytes)
            } else if kind == .array, key.equals("imageSearchQueries", in: bytes) {
                try pictureQueries.read(&scanner, bytes)
            } else if key.equals("groundingChunks", in: bytes) || key.equals("searchEntryPoint", in: bytes) {
                if try scanner.isSomething(kind) { isGrounded = true }
            } else {
                return false
            }
            return true
        }
    }

    /// What an interaction's own call searches for.
    private mutating func readQueries(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            guard kind == .array, key.equals("queries", in: bytes) else { return false }
            try queries.read(&scanner, bytes)
            return true
        }
    }

    /// What was searched for, words and pictures apart; one search where an answer shows what was found and leaves out
    /// what for. Without a search among its tools what it shows are pages that the request named.
    private func countSearches(_ facts: inout AnswerFacts) {
        let isSearched = isGrounded && asksForSearches
        facts.units.searches = max(queries.count + pictureQueries.count, searchCalls.count, isSearched ? 1 : 0)
    }

    /// Whether the model wrote something in these parts: all but signatures, and the mark that something is a thought.
    private mutating func readParts(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> Bool {
        var found = false
        try scanner.eachElement { kind, scanner throws(JSONScanError) in
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                guard !key.equals("thoughtSignature", in: bytes), !key.equals("thought_signature", in: bytes) else {
                    hasSignature = true
                    return false
                }
                if try scanner.isSomething(kind) { found = true }
                return true
            }
            return true
        }
        return found
    }

    private mutating func readUsage(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer, _ facts: inout AnswerFacts, dataOffset: Int?
    ) throws(JSONScanError) {
        let usage = try GeminiUsage(scanner: &scanner, bytes: bytes)
        take(usage, &facts)
        if usage.hasCounts, let dataOffset { usageEnd = dataOffset + usage.end }
    }

    private mutating func readFeedback(
        _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer, _ facts: inout AnswerFacts
    ) throws(JSONScanError) {
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            guard kind == .string, key.equals("blockReason", in: bytes) else { return false }
            take(blockReason: try scanner.name(kind, in: bytes), &facts)
            return true
        }
    }

    /// An interaction's stream: deltas, and the interaction itself with its usage when it is complete.
    private mutating func readInteraction(
        _ key: JSONText, _ kind: JSONKind, _ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer,
        _ hasContent: inout Bool, _ facts: inout AnswerFacts
    ) throws(JSONScanError) -> Bool {
        if kind == .object, key.equals("delta", in: bytes) {
            var found = false
            var media: MediaKind?
            var data: Range<Int>?
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                if kind == .string, key.equals("type", in: bytes) {
                    media = GeminiReader.media[try scanner.name(kind, in: bytes) ?? ""]
                    return true
                }
                if kind == .string, key.equals("data", in: bytes) {
                    let text = try scanner.string()
                    data = text.range
                    found = found || !text.range.isEmpty
                    return true
                }
                guard !key.equals("signature", in: bytes) else {
                    hasSignature = true
                    return false
                }
                if kind == .object, key.equals("arguments", in: bytes) {
                    var ahead = scanner
                    try readQueries(&ahead, bytes)
                }
                if try scanner.isSomething(kind) { found = true }
                return true
            }
            countSearches(&facts)
            if let media, let data { deltaMedia = (media, data) }
            if found { hasContent = true }
            return true
        }
        if kind == .object, key.equals("content", in: bytes) {
            var call: (type: String?, id: String?)
            try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                if kind == .object, key.equals("arguments", in: bytes) {
                    try readQueries(&scanner, bytes)
                } else if key.equals("type", in: bytes) {
                    call.type = try scanner.name(kind, in: bytes)
                } else if key.equals("id", in: bytes) {
                    call.id = try scanner.name(kind, in: bytes)
                } else {
                    return false
                }
                return true
            }
            searchCalls.take(type: call.type, id: call.id)
            countSearches(&facts)
            return true
        }
        guard kind == .object, key.equals("interaction", in: bytes) else { return false }
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if key.equals("id", in: bytes) {
                facts.id = try scanner.name(kind, in: bytes) ?? facts.id
            } else if key.equals("model", in: bytes) {
                facts.model = try scanner.name(kind, in: bytes) ?? facts.model
            } else if key.equals("status", in: bytes) {
                take(status: try scanner.name(kind, in: bytes), &facts)
            } else if key.equals("service_tier", in: bytes) {
                facts.serviceTier = GeminiUsage.tier(named: try scanner.name(kind, in: bytes)) ?? facts.serviceTier
            } else if kind == .object, key.equals("usage", in: bytes) {
                try readUsage(&scanner, bytes, &facts, dataOffset: nil)
            } else {
                return false
            }
            return true
        }
        return true
    }

    /// The types of an interaction's parts that are no text.
    private static let media: [String: MediaKind] = ["image": .picture, "audio": .sound, "video": .video]

    // MARK: Facts

    private func take(finishReason: String?, _ facts: inout AnswerFacts) {
        guard let finishReason, finishReason != "FINISH_REASON_UNSPECIFIED" else { return }
        facts.finishReason = finishReason
        facts.finishedChoices += 1
    }

    private mutating func take(blockReason: String?, _ facts: inout AnswerFacts) {
        guard let blockReason, blockReason != "BLOCK_REASON_UNSPECIFIED" else { return }
        isBlocked = true
        facts.finishedChoices = choiceCount
        facts.finishReason = facts.finishReason ?? blockReason
        publish(&facts)
    }

    /// Of an interaction, which goes on in the background while it is not one of these.
    private func take(status: String?, _ facts: inout AnswerFacts) {
        switch status {
        case "completed", "failed", "cancelled", "incomplete", "requires_action":
            facts.finishReason = status
            facts.finishedChoices = choiceCount
        default: break
        }
        if status == "failed" { facts.hasError = true }
    }

    private mutating func takeUsage(_ value: UnsafeRawBufferPointer, _ facts: inout AnswerFacts) {
        var scanner = JSONScanner(value)
        guard let usage = try? GeminiUsage(scanner: &scanner, bytes: value) else {
            facts.unreadCount += 1
            return
        }
        take(usage, &facts)
    }

    private mutating func take(_ usage: GeminiUsage, _ facts: inout AnswerFacts) {
        facts.serviceTier = usage.tier ?? facts.serviceTier
        guard usage.hasCounts else { return }
        if said == nil { said = EngineUsage() }
        said?.update(with: usage.usage)
        hasCounts = true
        facts.uncountedEvents = 0
        publish(&facts)
    }

    /// These objects leave out what is zero: where there is a total, what is not named is none of it.
    private func publish(_ facts: inout AnswerFacts) {
        guard var usage = said else { return }
        if usage.totalTokens != nil || isBlocked {
            usage.promptTokens = usage.promptTokens ?? 0
            usage.completionTokens = usage.completionTokens ?? 0
        }
        facts.usage = usage
    }
}
