internal import Metering

/// What one event of a stream is, as forwarding needs to know it.
public enum StreamEvent: Hashable, Sendable {
    /// Carries something that the model wrote.
    case content
    /// The chunk that `include_usage` asks for: no choices, and a usage object.
    case usageChunk
    /// The terminator: `[DONE]`, `response.completed`, `message_stop` and their like. After an error it may come too:
    /// `facts.hasError` says so.
    case terminator
    /// An error object inside the stream.
    case error
    /// Anything else: roles, finish reasons, filters, comments, keep-alives, what could not be read.
    case other
}

/// Reads the events of an OpenAI-family stream, one by one, and adds up what they say.
public struct StreamMeter: Sendable {
    /// What the stream has said so far.
    public private(set) var facts = AnswerFacts()
    /// Of the event read last: bytes that the client did not ask for.
    private(set) var cutRange: Range<Int>?
    /// Of the event read last: just inside the closing brace of its usage object.
    private(set) var usageEnd: Int?

    /// Of the event read last: where its model's name stands, with its quotes.
    private(set) var modelRange: Range<Int>?

    /// The event that is passing, when it is too long to be kept.
    private var long: (event: LongEvent, reader: OpenAIAnswerReader)?
    private var texts = ItemTexts()
    private var executedSearches: UInt64 = 0
    private var messages = (count: 0, growths: 0, longest: Int64(0), sum: Int64(0))

    private let choiceCount: Int64
    private let cutsUsage: Bool
    /// Whether tokens of the prompt are named among those of the answer.
    private let repeatsPrompt: Bool
    private var choices: ChoiceUsage

    /// A meter at the start of a stream that will have so many choices.
    public init(choiceCount: Int64 = 1) { self.init(choiceCount: choiceCount, addsChoices: false, cutsUsage: false) }

    /// A meter that finds running counts of usage to be cut out (`cutsUsage`), of an engine that counts each choice by
    /// itself (`addsChoices`) or not.
    init(
        choiceCount: Int64, promptCount: Int64 = 1, addsChoices: Bool, cutsUsage: Bool, repeatsPrompt: Bool = false
    ) {
        self.choiceCount = choiceCount
        self.repeatsPrompt = repeatsPrompt
        self.cutsUsage = cutsUsage
        choices = ChoiceUsage(choiceCount: choiceCount, promptCount: promptCount, addsChoices: addsChoices)
    }

    /// Takes over what the answer's head said.
    mutating func begin(with head: AnswerFacts) { facts = head }

    /// Reads the next piece of an event that is too long to be kept.
    mutating func read(longEventPiece bytes: UnsafeRawBufferPointer) {
        var (event, reader) = long ?? (LongEvent(shape: OpenAIAnswerReader().shape), OpenAIAnswerReader())
        event.read(bytes, with: &reader, facts: &facts)
        long = (event, reader)
    }

    /// The event that was too long to be kept is over.
    mutating func finishLongEvent() -> StreamEvent {
        guard let (event, reader) = long else { return .other }
        long = nil
        switch reader.eventType {
        case .responseEnd?, .responseFailed?:
            // It repeats what came before.
            facts.units.searches = max(facts.units.searches, reader.itemUnits.searches)
            facts.units.images = max(facts.units.images, reader.itemUnits.images)
            facts.takeRepeated(event.written)
            if event.hasUsage { facts.uncountedEvents = 0 }
        case .other? where reader.isItemDone:
            takeItem(event.written, searches: reader.itemUnits.searches, pictures: reader.itemUnits.images)
            return .content
        case .other?:
            if reader.isPartialPicture { facts.isPictureBegun = true }
            return .other
        default: event.finish(facts: &facts)
        }
        let meaning = reader.eventType.map { take($0, facts.error) } ?? .content
        return meaning == .other ? .content : meaning
    }

    /// Reads one event: all its lines, with or without the empty line at its end.
    public mutating func read(event bytes: UnsafeRawBufferPointer) -> StreamEvent {
        StreamedEvent.withServerSentEvent(bytes) { read($0) } ?? .other
    }

    /// The stream is over.
    mutating func finish() {}

    /// Reads one event without its framing.
    mutating func read(_ event: StreamedEvent) -> StreamEvent {
        cutRange = nil
        usageEnd = nil
        modelRange = nil
        if event.isDone {
            facts.isTerminated = true
            return .terminator
        }
        do throws(JSONScanError) {
            var chunk = StreamChunk(bytes: event.data)
            try chunk.read()
            let meaning = take(chunk, at: event.dataOffset)
            guard event.isNamed("error") else { return meaning }
        } catch {
            facts.unreadCount += 1
            guard event.isNamed("error") else { return .other }
        }
        return fail(EngineErrorText(document: event.data))
    }

    private mutating func fail(_ text: EngineErrorText?) -> StreamEvent {
        facts.hasError = true
        facts.error = text ?? facts.error
        return .error
    }

    private mutating func take(_ chunk: StreamChunk, at offset: Int?) -> StreamEvent {
        let hasUsage = !chunk.usageRange.isEmpty
        facts.finishedChoices += chunk.finishedChoices
        facts.choicesSeen = max(facts.choicesSeen, chunk.choicesSeen)
        if choiceCount > 1 {
            if chunk.finishedChoices > 0 { choices.noteFinish(of: chunk.choice) }
            if chunk.hasContent { choices.noteContent(of: chunk.choice, count: tokens(in: chunk)) }
        }
        let hasOutputCount = hasUsage || chunk.hasChoiceUsage ? takeUsage(chunk, at: offset) : false
        if let reason = chunk.finishReason { facts.finishReason = chunk.name(reason) ?? facts.finishReason }
        if let offset, let model = chunk.model {
            modelRange = offset + model.range.lowerBound - 1..<offset + model.range.upperBound + 1
        }
        if facts.id == nil, let id = chunk.id { facts.id = chunk.name(id) }
        if facts.model == nil, let model = chunk.model { facts.model = chunk.name(model) }
        if let tier = chunk.serviceTier { facts.serviceTier = chunk.name(tier) ?? facts.serviceTier }
        let sideCount = facts.sideUsage?.completionTokens
        if chunk.hasExtras { chunk.readExtras(into: &facts) }
        if chunk.hasContent {
            // One chunk may have something of several choices, or several tokens.
            let tokens = tokens(in: chunk)
            facts.noteContent(chunk.written, tokens: tokens, areNamed: chunk.namedTokens > chunk.contentCount)
            facts.uncountedEvents += tokens
            if chunk.typed == .delta { texts.noteDelta(chunk.written.textBytes, item: chunk.item) }
        }
        let isLate = takeLateText(chunk)
        if choiceCount > 1, facts.usage?.completionTokens != nil {
            facts.uncountedEvents = choices.uncountedEvents
        } else if hasOutputCount || facts.sideUsage?.completionTokens != sideCount {
            facts.uncountedEvents = 0
        }
        if chunk.executedSearches != 0 {
            executedSearches |= chunk.executedSearches
            facts.units.searches = max(facts.units.searches, Int64(executedSearches.nonzeroBitCount))
        }
        facts.hiddenWork.formUnion(chunk.hiddenWork)
        if chunk.showsSources { facts.showsSources = true }
        takeMessage(chunk.messageContent)
        if chunk.showsSearch { facts.units.searches = max(1, facts.units.searches) }
        if chunk.isPartialPicture { facts.isPictureBegun = true }
        // The items of a response that ended are all that came one by one before.
        if chunk.isItemDone {
            takeItem(chunk.itemContent, searches: chunk.searches, pictures: chunk.pictures)
        } else if chunk.typed == .responseEnd {
            facts.units.searches = max(facts.units.searches, chunk.searches)
            facts.units.images = max(facts.units.images, chunk.pictures)
            facts.takeRepeated(chunk.itemContent)
        }
        if let kind = chunk.typed {
            let error = chunk.error.map { EngineErrorText(error: chunk.bytes.part($0), in: chunk.bytes) }
            let meaning = take(kind, kind == .error ? EngineErrorText(document: chunk.bytes) : error)
            return isLate && meaning == .other || kind == .delta && chunk.hasContent ? .content : meaning
        }
        if let error = chunk.error { return fail(EngineErrorText(error: chunk.bytes.part(error), in: chunk.bytes)) }
        // The reason, or what stands beside the answer, says so without an error object.
        if chunk.hasFailedChoice || chunk.hasExtras && facts.hasError { return fail(nil) }
        if chunk.hasContent { return .content }
        return hasUsage && chunk.hasEmptyChoices ? .usageChunk : .other
    }

    /// How many tokens, or at least pieces, of the answer a chunk has.
    private func tokens(in chunk: StreamChunk) -> Int64 {
        repeatsPrompt ? chunk.contentCount : max(chunk.namedTokens, chunk.contentCount)
    }

    /// A message in the place of a delta: some repeat all of it in each chunk, others send it in pieces. It is all of
    /// it where each is longer than the one before.
    private mutating func takeMessage(_ content: WrittenContent) {
        guard !content.isEmpty else { return }
        messages.count += 1
        messages.sum += content.textBytes
        if content.textBytes > messages.longest { messages.growths += 1 }
        messages.longest = max(messages.longest, content.textBytes)
        let isRepeated = messages.growths + 1 >= messages.count
        facts.textBytes = max(facts.textBytes, isRepeated ? messages.longest : messages.sum)
        var rest = content
        rest.textBytes = 0
        rest.reasoningBytes = 0
        facts.noteSilent(rest)
    }

    /// Returns whether the usage says how much was written by now.
    private mutating func takeUsage(_ chunk: StreamChunk, at offset: Int?) -> Bool {
        guard !chunk.usageRange.isEmpty else {
            var hasCount = false
            chunk.eachChoiceUsage { choice, range in
                if takeUsage(chunk, range, of: choice, at: offset) { hasCount = true }
            }
            return hasCount
        }
        return takeUsage(chunk, chunk.usageRange, of: chunk.hasEmptyChoices ? nil : chunk.choice, at: offset)
    }

    /// `choice` is the one whose chunk it stands on; nil where it is of all.
    private mutating func takeUsage(
        _ chunk: StreamChunk, _ range: Range<Int>, of choice: Int64?, at offset: Int?
    ) -> Bool {
        var scanner = JSONScanner(chunk.bytes, offset: range.lowerBound)
        guard let usage = try? EngineUsage(scanner: &scanner, bytes: chunk.bytes) else { return false }
        let known = facts.usage?.completionTokens
        if choiceCount <= 1 {
            facts.updateUsage(with: usage)
        } else if let choice {
            choices.take(usage, of: choice, into: &facts.usage)
        } else {
            choices.take(usage, contentEvents: facts.contentEvents, into: &facts.usage)
        }
        facts.usage?.keepRaw(chunk.bytes, range)
        let count = usage.completionTokens ?? -1
        let hasOutputCount = count >= known ?? 0 && (count > 0 || facts.contentEvents == 0)
        guard let offset else { return hasOutputCount }
        if choiceCount <= 1 || !choices.isMoreExpected { usageEnd = offset + range.upperBound - 1 }
        if cutsUsage, chunk.typed == nil, !chunk.hasEmptyChoices, range == chunk.usageRange {
            cutRange = chunk.usageMember.lowerBound + offset..<chunk.usageMember.upperBound + offset
        }
        return hasOutputCount
    }

    /// An item of a response is whole.
    private mutating func takeItem(_ content: WrittenContent, searches: Int64, pictures: Int64) {
        facts.units.searches += searches
        facts.units.images += pictures
        if pictures > 0 { facts.isPictureBegun = false }
        facts.textBytes += content.textBytes
        var rest = content
        rest.textBytes = 0
        rest.reasoningBytes = 0
        facts.noteSilent(rest)
    }

    /// Counts text that only the event which closes it has. Returns whether there is any.
    private mutating func takeLateText(_ chunk: StreamChunk) -> Bool {
        let bytes: Int64
        switch chunk.typed {
        case .other? where chunk.isItemDone:
            bytes = texts.late(chunk.itemContent.textBytes, item: chunk.item, isRepeated: true)
        case .other?, .mediaEnd?: bytes = texts.late(chunk.closedBytes, item: chunk.item, isRepeated: chunk.isPartDone)
        default: return false
        }
        guard bytes > 0 else { return false }
        facts.noteContent(bytes: bytes)
        facts.uncountedEvents += 1
        return true
    }

    /// Events that name their type: responses, transcriptions, speech and pictures.
    private mutating func take(_ kind: StreamChunk.Typed, _ error: EngineErrorText?) -> StreamEvent {
        switch kind {
        case .delta, .other: return .other
        case .error: return fail(error)
        case .responseEnd, .responseFailed:
            facts.error = error ?? facts.error
            if kind == .responseFailed {
                facts.hasError = true
                facts.endsInFailure = true
            }
            facts.finishedChoices = 1
        case .mediaEnd:
            facts.finishReason = facts.finishReason ?? "stop"
            facts.finishedChoices = 1
        case .pictureEnd:
            // Several pictures end one by one; the last of them is not to be told from the others.
            facts.items += 1
            facts.finishReason = facts.finishReason ?? "stop"
            facts.finishedChoices += 1
            guard facts.finishedChoices >= choiceCount else { return .content }
        }
        facts.isTerminated = true
        return .terminator
    }
}

/// The texts of a response's items: what of them came piece by piece, and what their closing events repeat.
private struct ItemTexts: Sendable {
    /// By item: bytes that were counted, and bytes of texts that are closed.
    private var counted: [Int64] = []
    private var closed: [Int64] = []
    /// Items beyond are taken for the last.
    private static let itemsMax: Int64 = 256

    private mutating func place(_ item: Int64) -> Int {
        let place = Int(min(max(0, item), ItemTexts.itemsMax - 1))
        while counted.count <= place {
            counted.append(0)
            closed.append(0)
        }
        return place
    }

    mutating func noteDelta(_ bytes: Int64, item: Int64) { counted[place(item)] += bytes }

    /// How many bytes of a text that is closed were not counted yet. `isRepeated`: an event before it should have
    /// closed the same.
    mutating func late(_ bytes: Int64, item: Int64, isRepeated: Bool) -> Int64 {
        guard bytes > 0 else { return 0 }
        let place = place(item)
        if isRepeated, counted[place] > 0 || closed[place] > 0 { return 0 }
        closed[place] += bytes
        let late = max(0, closed[place] - counted[place])
        counted[place] += late
        return late
    }
}
