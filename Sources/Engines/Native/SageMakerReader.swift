internal import Metering

/// Reads answers of SageMaker endpoints: what the container behind them says, in the dialect that it speaks (OpenAI's,
/// or TGI's own, which Large Model Inference copies).
///
/// A stream comes in `PayloadPart` frames that are cut anywhere, even inside a character: put together they are the
/// container's own server-sent events, or JSON lines.
struct SageMakerReader: AnswerReader {
    private var openAI = OpenAIAnswerReader()
    private var counts: TGICounts
    private var frames = AWSEventFrames()
    private var parts = SageMakerParts()
    private var container: SageMakerContainer

    private static let openAIParts = OpenAIAnswerReader().shape.parts
    // Of two parts with one path the later is taken: TGI's reading of errors is the wider one.
    private static let partShape = DocumentShape(openAIParts + TGICounts.parts)

    /// A reader of the answer to a request for so many choices.
    init(choiceCount: Int64, bestOf: Int64 = 1) {
        counts = TGICounts(choiceCount: choiceCount, bestOf: bestOf)
        container = SageMakerContainer(choiceCount: choiceCount)
    }

    var shape: DocumentShape { SageMakerReader.partShape }
    var usagePart: Int? { openAI.usagePart }
    var takesAnyText: Bool { true }

    mutating func begin(status: Int, headers: any HeaderLookup, facts: inout AnswerFacts) {
        facts.takeAmazonHead(status: status, headers)
    }

    mutating func take(part: Int, value: UnsafeRawBufferPointer, facts: inout AnswerFacts) {
        let index = part - SageMakerReader.openAIParts.count
        if index < 0 {
            openAI.take(part: part, value: value, facts: &facts)
        } else {
            counts.take(part: index, value: value, facts: &facts)
        }
    }

    // MARK: Streams

    mutating func read(_ event: StreamedEvent, facts: inout AnswerFacts) -> StreamEvent {
        guard let frame = frames.next(event.bytes, &facts) else { return facts.hasError ? .error : .other }
        var meaning = StreamEvent.other
        parts.take(event.bytes.part(frame.payload)) { inner, form in
            meaning = meaning.joined(with: container.read(inner, form, facts: &facts))
        }
        facts.unreadCount += parts.takeUnreadCount()
        return meaning
    }

    mutating func finish(facts: inout AnswerFacts) {
        if facts.contentEvents == 0 { openAI.finish(facts: &facts) }
        counts.finish(&facts)
        guard !frames.isBroken else { return }
        parts.finish { inner, form in _ = container.read(inner, form, facts: &facts) }
        facts.unreadCount += parts.takeUnreadCount()
    }
}

extension StreamEvent {
    /// What several events in one frame are together. A frame cannot be taken apart, so no chunk in it can be cut out.
    fileprivate func joined(with next: StreamEvent) -> StreamEvent {
        let order: [StreamEvent] = [.error, .terminator, .content]
        return order.first { $0 == self || $0 == next } ?? .other
    }
}

/// Puts the payloads of frames together and cuts them where the container's own events or lines end.
struct SageMakerParts: Sendable {
    enum Form { case serverSentEvents, lines }

    private var form: Form?
    private var splitter = EventStreamSplitter()
    private var pending: [UInt8] = []
    private var isSkipping = false
    private var unreadCount: Int64 = 0

    /// The longest event or line that is read.
    static let eventBytesMax = 1024 * 1024

    /// Takes the next payload, and shows each event that is whole by now.
    mutating func take(_ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer, Form) -> Void) {
        var start = 0
        if form == nil {
            while start < bytes.count, bytes[start] <= 0x20 { start += 1 }
            guard start < bytes.count else { return }
            let isJSON = bytes[start] == UInt8(ascii: "{") || bytes[start] == UInt8(ascii: "[")
            form = isJSON ? .lines : .serverSentEvents
        }
        guard let form else { return }
        while let end = nextEnd(in: bytes, from: start, form) {
            show(bytes.part(start..<end), form, body)
            start = end
        }
        guard start < bytes.count, !isSkipping else { return }
        guard pending.count + bytes.count - start <= SageMakerParts.eventBytesMax else {
            isSkipping = true
            pending = []
            return
        }
        pending.append(contentsOf: bytes[start...])
    }

    /// Shows what is left without its end.
    mutating func finish(_ body: (UnsafeRawBufferPointer, Form) -> Void) {
        guard let form, isSkipping || !pending.isEmpty else { return }
        show(UnsafeRawBufferPointer(start: nil, count: 0), form, body)
    }

    /// How many events were too long to be read since this was asked last.
    mutating func takeUnreadCount() -> Int64 {
        defer { unreadCount = 0 }
        return unreadCount
    }

    private mutating func nextEnd(in bytes: UnsafeRawBufferPointer, from start: Int, _ form: Form) -> Int? {
        guard form == .lines else { return splitter.nextEventEnd(in: bytes, from: start) }
        let end = bytes[start...].firstIndex(of: 0x0A)
        return end.map { $0 + 1 }
    }

    private mutating func show(
        _ rest: UnsafeRawBufferPointer, _ form: Form, _ body: (UnsafeRawBufferPointer, Form) -> Void
    ) {
        defer {
            pending.removeAll(keepingCapacity: true)
            isSkipping = false
        }
        guard !isSkipping, pending.count + rest.count <= SageMakerParts.eventBytesMax else {
            unreadCount += 1
            return
        }
        if pending.isEmpty {
            body(rest, form)
        } else {
            pending.append(contentsOf: rest)
            pending.withUnsafeBytes { body($0, form) }
        }
    }
}

/// Reads the events of a container's stream, of whichever kind it is.
private struct SageMakerContainer: Sendable {
    private var counts: TGICounts
    private var stream: StreamMeter
    /// Whether an event showed that it speaks OpenAI's dialect.
    private var isOpenAI = false

    init(choiceCount: Int64) {
        counts = TGICounts(choiceCount: choiceCount)
        stream = StreamMeter(choiceCount: choiceCount)
    }

    mutating func read(
        _ bytes: UnsafeRawBufferPointer, _ form: SageMakerParts.Form, facts: inout AnswerFacts
    ) -> StreamEvent {
        switch form {
        case .serverSentEvents:
            return StreamedEvent.withServerSentEvent(bytes) { read($0.data, event: bytes, &facts) } ?? .other
        case .lines:
            guard bytes.contains(where: { $0 > 0x20 }) else { return .other }
            let event = Array("data: ".utf8) + bytes
            return event.withUnsafeBytes { read(bytes, event: $0, &facts) }
        }
    }

    private mutating func read(
        _ data: UnsafeRawBufferPointer, event: UnsafeRawBufferPointer, _ facts: inout AnswerFacts
    ) -> StreamEvent {
        if data.equals("[DONE]", in: 0..<data.count) {
            facts.isTerminated = true
            return .terminator
        }
        do throws(JSONScanError) {
            if !isOpenAI { isOpenAI = try SageMakerContainer.isOpenAI(data) }
            return isOpenAI ? readOpenAI(event, &facts) : try counts.read(data, facts: &facts)
        } catch {
            facts.unreadCount += 1
            return .other
        }
    }

    private mutating func readOpenAI(_ event: UnsafeRawBufferPointer, _ facts: inout AnswerFacts) -> StreamEvent {
        let meaning = stream.read(event: event)
        let before = facts
        facts = stream.facts
        facts.id = facts.id ?? before.id
        facts.serviceTier = facts.serviceTier ?? before.serviceTier
        return meaning
    }

    private static func isOpenAI(_ data: UnsafeRawBufferPointer) throws(JSONScanError) -> Bool {
        var scanner = JSONScanner(data)
        var found = false
        try scanner.eachMember { key, _, _ throws(JSONScanError) in
            if key.equals("choices", in: data) { found = true }
            return false
        }
        return found
    }
}
