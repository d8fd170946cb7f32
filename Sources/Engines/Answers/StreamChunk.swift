/// One event's JSON object of an OpenAI-family stream, read in place.
struct StreamChunk {
    let bytes: UnsafeRawBufferPointer
    private(set) var id: JSONText?
    private(set) var model: JSONText?
    private(set) var serviceTier: JSONText?
    private var servedTier: JSONText?
    private(set) var finishReason: JSONText?
    private(set) var finishedChoices: Int64 = 0
    /// One more than the largest place of a choice.
    private(set) var choicesSeen: Int64 = 0
    /// Where the usage object stands; empty when there is none.
    private(set) var usageRange = 0..<0
    /// Where the member stands, with one comma beside it.
    private(set) var usageMember = 0..<0
    /// Choices in which the model wrote something, or the event itself.
    private(set) var contentCount: Int64 = 0
    /// What it wrote there.
    private(set) var written = WrittenContent()
    var hasContent: Bool { contentCount > 0 }
    /// Tokens of those choices that are named one by one, by their numbers or probabilities; 0 where none are.
    private(set) var namedTokens: Int64 = 0
    /// What stands in an item of a response that is whole, or in all of them.
    private(set) var itemContent = WrittenContent()
    /// Bytes of a text, or of a part of an item, that the event repeats as a whole.
    private(set) var closedBytes: Int64 = 0
    /// The item of the response that the event is of.
    private(set) var item: Int64 = 0
    /// Pictures among the items.
    private(set) var pictures: Int64 = 0
    /// Whether it shows a picture that is not whole yet.
    private(set) var isPartialPicture = false
    private(set) var hasEmptyChoices = false
    /// The index of the choice that the chunk is of, the last one where there are several.
    private(set) var choice: Int64 = 0
    /// Usage objects inside choices (Moonshot).
    private var choiceUsages: [(choice: Int64, range: Range<Int>)] = []
    /// Whether a choice ended in an error.
    private(set) var hasFailedChoice = false
    /// Where the error object or text stands.
    var error: Range<Int>?
    private(set) var typed: Typed?
    /// Searches among the items of the response that has ended, or the item that this event is of.
    private(set) var searches: Int64 = 0
    /// One bit for each search among the tools that a compound system ran, by its place; it is named again when it is
    /// done.
    var executedSearches: UInt64 = 0
    /// Whether it cites pages of the web.
    var showsSources = false
    /// What of a choice repeats its whole message in the place of a delta.
    private(set) var messageContent = WrittenContent()
    /// Whether it shows what a search found (Perplexity's `search_results`, Zhipu's `web_search`).
    private(set) var showsSearch = false
    /// What an item of it says that the model does out of sight.
    private(set) var hiddenWork: HiddenWork = []
    private(set) var isItemDone = false
    /// Whether it repeats a whole part of an item, whose texts were repeated already.
    private(set) var isPartDone = false
    /// Members that only some systems send, and only at the end.
    private(set) var hasExtras = false
    private var metrics: Range<Int>?
    private var groq: Range<Int>?
    private var breakdown: Range<Int>?
    private var toolUsage: Range<Int>?
    private var status: JSONText?
    /// Bytes of the event's delta, as they stand there and as text.
    private var typedDelta: (written: Int64, text: Int64) = (0, 0)
    /// Bytes of a text that the event itself has.
    private var rootTextBytes: Int64 = 0
    private var isSound = false
    private var isReasoning = false
    private var isTextDone = false
    /// Whether the chunk is itself an error object (`"object":"error"`), as older engines send it.
    var isErrorObject = false

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// A name short enough to be kept, and not empty.
    func name(_ text: JSONText) -> String? {
        guard !text.range.isEmpty, text.range.count <= AnswerFacts.nameBytesMax else { return nil }
        return text.value(in: bytes)
    }

    mutating func read() throws(JSONScanError) {
        var scanner = JSONScanner(bytes)
        try readMembers(&scanner, isOutermost: true)
        try scanner.end()
        if typed == .responseEnd || typed == .responseFailed { finishReason = finishReason ?? status }
        // Mistral's deltas have their text under its own name, and so may events that nobody knows the type of.
        if typedDelta.written == 0, rootTextBytes > 0, typed == .delta || typed == nil && error == nil && !isErrorObject
        {
            noteContent(WrittenContent(textBytes: rootTextBytes))
        }
        if typedDelta.written > 0 {
            contentCount = 1
            if isSound {
                written.media.take(.sound, head: [], textBytes: typedDelta.written)
            } else {
                written.textBytes += typedDelta.text
                if isReasoning { written.reasoningBytes += typedDelta.text }
            }
        }
        if !isTextDone { closedBytes = 0 }
        if isErrorObject, error == nil { error = 0..<bytes.count }
    }

    /// The members of the chunk, or of the `response` inside an event.
    private mutating func readMembers(_ scanner: inout JSONScanner, isOutermost: Bool) throws(JSONScanError) {
        try scanner.beginObject()
        var previousEnd = scanner.offset
        var isUsageFirst = false
        var isFirst = true
        while let key = try scanner.nextKey() {
            if isUsageFirst {
                // A first member goes with the comma after it, any other with the one before.
                usageMember = usageMember.lowerBound..<key.range.lowerBound - 1
                isUsageFirst = false
            }
            switch try scanner.kind() {
            case .number where isOutermost && key.equals("output_index", in: bytes): item = try scanner.number() ?? 0
            case .number where isOutermost && key.equals("error_code", in: bytes):
                if try scanner.number() != 0 { isErrorObject = true }
            case .number, .bool, .null: try scanner.skip()
            case .array:
                if isOutermost, key.equals("choices", in: bytes) {
                    try readChoices(&scanner)
                } else if !isOutermost, key.equals("output", in: bytes) {
                    try scanner.eachElement { kind, scanner throws(JSONScanError) in
                        guard kind == .object else { return false }
                        try readItem(&scanner)
                        return true
                    }
                } else {
                    // Two bytes are the delimiters of something empty.
                    let isFilled = try scanner.skip().count > 2
                    if isOutermost, isFilled, StreamChunk.found.place(of: key, in: bytes) != nil { showsSearch = true }
                }
            case .string: try readString(key, &scanner, isOutermost: isOutermost)
            case .object:
                if key.equals("usage", in: bytes) {
                    usageRange = try scanner.skip()
                    isUsageFirst = isFirst
                    usageMember = (isFirst ? key.range.lowerBound - 1 : previousEnd)..<scanner.offset
                } else {
                    try readObject(key, &scanner, isOutermost: isOutermost)
                }
            }
            isFirst = false
            previousEnd = scanner.offset
        }
    }

    private mutating func readString(
        _ key: JSONText, _ scanner: inout JSONScanner, isOutermost: Bool
    ) throws(JSONScanError) {
        let text = try scanner.string()
        switch key.range.count {
        case 2 where key.equals("id", in: bytes): id = text
        case 4 where key.equals("type", in: bytes):
            typed = StreamChunk.type(named: text, in: bytes)
            isSound = typed == .delta && StreamChunk.soundTypes.contains { text.equals($0, in: bytes) }
            isReasoning = typed == .delta && StreamChunk.reasoningTypes.contains { text.equals($0, in: bytes) }
            isItemDone = typed == .other && text.equals("response.output_item.done", in: bytes)
            isTextDone =
                typed == .mediaEnd
                || typed == .other && !isItemDone && bytes.hasBytes(".done", at: text.range.upperBound - 5)
            isPartDone = isTextDone && bytes.hasBytes("_part.done", at: text.range.upperBound - 10)
            isPartialPicture =
                typed == .other && text.equals("response.image_generation_call.partial_image", in: bytes)
        case 5 where key.equals("model", in: bytes): model = text
        // What typed events carry: text, sound, a picture.
        case 5 where key.equals("delta", in: bytes):
            typedDelta = (Int64(text.range.count), Int64(text.valueByteCount(in: bytes)))
        case 5 where key.equals("audio", in: bytes): if !text.range.isEmpty { contentCount = 1 }
        case 5 where key.equals("error", in: bytes): takeError(text)
        case 6 where key.equals("status", in: bytes): status = text
        case 6 where key.equals("object", in: bytes): isErrorObject = text.equals("error", in: bytes)
        case 8 where key.equals("b64_json", in: bytes): contentCount = 1
        case 12 where key.equals("service_tier", in: bytes): serviceTier = servedTier ?? text
        // Cerebras says in this one what served.
        case 17 where key.equals("service_tier_used", in: bytes):
            servedTier = text
            serviceTier = text
        default:
            guard isOutermost, StreamChunk.closed.place(of: key, in: bytes) != nil else { return }
            let count = Int64(text.valueByteCount(in: bytes))
            closedBytes += count
            if key.equals("text", in: bytes) { rootTextBytes = count }
        }
    }

    private static let found = NameIndex(["search_results", "web_search"])

    /// The texts that an event repeats whole when no more of them come.
    private static let closed = NameIndex(["text", "arguments", "refusal", "input", "code", "transcript"])

    /// An error that is a text; an empty one is none.
    mutating func takeError(_ text: JSONText) {
        if !text.range.isEmpty { error = text.range.lowerBound - 1..<text.range.upperBound + 1 }
    }

    private mutating func readObject(
        _ key: JSONText, _ scanner: inout JSONScanner, isOutermost: Bool
    ) throws(JSONScanError) {
        if isOutermost, key.equals("response", in: bytes) { return try readMembers(&scanner, isOutermost: false) }
        if !isOutermost, key.equals("incomplete_details", in: bytes) { return try readIncomplete(&scanner) }
        if isOutermost, key.equals("item", in: bytes) { return try readItem(&scanner) }
        // Cohere's deltas have no choices around them.
        if isOutermost, key.equals("delta", in: bytes) {
            let content = try WrittenText.content(&scanner, bytes)
            if !content.isEmpty { noteContent(content) }
            return
        }
        if isOutermost, key.equals("part", in: bytes) {
            closedBytes += try WrittenText.content(&scanner, bytes).textBytes
            return
        }
        if isOutermost, key.equals("base_resp", in: bytes) { return try readBaseResponse(&scanner) }
        let range = try scanner.skip()
        if key.equals("error", in: bytes) {
            error = range
        } else if key.equals("x_groq", in: bytes) {
            groq = range
            hasExtras = true
        } else if key.equals("usage_breakdown", in: bytes) {
            breakdown = range
            hasExtras = true
        } else if key.equals("tool_usage", in: bytes) {
            toolUsage = range
            hasExtras = true
        } else if key.equals("metrics", in: bytes) || key.equals("time_info", in: bytes)
            || key.equals("timings", in: bytes)
        {
            metrics = range
            hasExtras = true
        }
    }

    /// An item of a response's output: a message, a call, a tool that the engine ran.
    private mutating func readItem(_ scanner: inout JSONScanner) throws(JSONScanError) {
        var ahead = scanner
        try ahead.eachMember { key, kind, scanner throws(JSONScanError) in
            guard kind == .string || kind == .array || kind == .object,
                StreamChunk.foreign.place(of: key, in: bytes) == nil
            else { return false }
            try WrittenText.addMember(key, kind, &scanner, bytes, to: &itemContent)
            return true
        }
        var found: Int64 = 0
        var isFree = false
        try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
            if kind == .string, key.equals("type", in: bytes) {
                let type = try scanner.string()
                found = ToolCalls.searches(itemType: type, in: bytes)
                hiddenWork.formUnion(ToolCalls.hiddenWork(type: type, in: bytes))
                if ToolCalls.isPicture(itemType: type, in: bytes) { pictures += 1 }
            } else if kind == .object, key.equals("action", in: bytes) {
                try scanner.eachMember { key, kind, scanner throws(JSONScanError) in
                    guard kind == .string, key.equals("type", in: bytes) else { return false }
                    isFree = ToolCalls.isFree(action: try scanner.string(), in: bytes)
                    return true
                }
            } else {
                return false
            }
            return true
        }
        if !isFree { searches += found }
    }

    /// What tools gave back is none of the model's words.
    private static let foreign = NameIndex(["output", "outputs", "results", "tools"])

    private mutating func readIncomplete(_ scanner: inout JSONScanner) throws(JSONScanError) {
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            if try scanner.kind() == .string, key.equals("reason", in: bytes) {
                finishReason = try scanner.string()
            } else {
                try scanner.skip()
            }
        }
    }

    // MARK: Choices

    private mutating func readChoices(_ scanner: inout JSONScanner) throws(JSONScanError) {
        hasEmptyChoices = true
        try scanner.beginArray()
        while try scanner.nextElement() {
            hasEmptyChoices = false
            guard try scanner.kind() == .object else {
                try scanner.skip()
                continue
            }
            var usage = 0..<0
            var named: Int64 = 0
            let before = contentCount
            choice = 0
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                let kind = try scanner.kind()
                if kind == .number, key.equals("index", in: bytes) {
                    choice = try scanner.number() ?? 0
                    choicesSeen = max(choicesSeen, min(choice, .max - 1) + 1)
                } else if kind == .object, key.equals("usage", in: bytes) {
                    usage = try scanner.skip()
                } else if kind == .string, key.equals("finish_reason", in: bytes) {
                    let reason = try scanner.string()
                    finishReason = reason
                    finishedChoices += 1
                    if reason.equals("error", in: bytes) { hasFailedChoice = true }
                } else if kind == .object || kind == .string, key.equals("error", in: bytes) {
                    try readChoiceError(kind, &scanner)
                } else if kind == .string, key.equals("text", in: bytes) {
                    let text = try scanner.string()
                    if !text.range.isEmpty {
                        noteContent(WrittenContent(textBytes: Int64(text.valueByteCount(in: bytes))))
                    }
                } else if kind == .object, key.equals("delta", in: bytes) {
                    try readDelta(&scanner)
                } else if kind == .array || kind == .object, StreamChunk.naming.place(of: key, in: bytes) != nil {
                    named = max(named, try readNamedTokens(kind, &scanner))
                } else if kind == .object, key.equals("message", in: bytes) {
                    messageContent.add(try WrittenText.content(&scanner, bytes))
                } else {
                    try scanner.skip()
                }
            }
            // A token may have no text, or its text may be held back: its client has it all the same.
            if named > 0, contentCount == before { noteContent(WrittenContent()) }
            namedTokens += named > 0 ? named : contentCount - before
            if !usage.isEmpty { choiceUsages.append((choice, usage)) }
        }
    }

    var hasChoiceUsage: Bool { !choiceUsages.isEmpty }

    /// Shows the usage objects inside choices.
    func eachChoiceUsage(_ body: (_ choice: Int64, Range<Int>) -> Void) {
        for (choice, range) in choiceUsages { body(choice, range) }
    }

    mutating func noteContent(_ content: WrittenContent) {
        contentCount += 1
        written.add(content)
    }

    // MARK: Extras

    /// What only some systems send: the engine's own clock, and the models inside a compound system.
    func readExtras(into facts: inout AnswerFacts) {
        if let metrics { facts.takeTimings(bytes.part(metrics)) }
        if let groq { facts.takeGroq(bytes.part(groq)) }
        if let breakdown { facts.takeBreakdown(bytes.part(breakdown)) }
        if let toolUsage { facts.takeToolUsage(bytes.part(toolUsage)) }
    }
}
