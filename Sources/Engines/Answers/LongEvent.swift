/// An event of a stream that is too long to be kept, such as one with a picture in it: read while it passes, as plain
/// answers are.
struct LongEvent: Sendable {
    private var document: DocumentReader
    private var hasBegun = false
    /// Whether a count of usage was in it.
    private(set) var hasUsage = false

    /// An event of which those parts are wanted that a plain answer is asked for.
    init(shape: DocumentShape) { document = DocumentReader(shape: shape) }

    /// Reads the next piece. What stands before the first brace is the framing's.
    mutating func read(
        _ bytes: UnsafeRawBufferPointer, with reader: inout some AnswerReader, facts: inout AnswerFacts
    ) {
        var bytes = bytes
        if !hasBegun {
            guard let start = bytes.firstIndex(of: UInt8(ascii: "{")) else { return }
            bytes = bytes.part(start..<bytes.count)
            hasBegun = true
        }
        while let part = document.nextPart(in: bytes) {
            document.withPart { reader.take(part: part, value: $0, facts: &facts) }
            if part == reader.usagePart || part == reader.innerUsagePart { hasUsage = true }
        }
        facts.unreadCount += document.takeTooLongCount()
    }

    /// What the model wrote in it.
    var written: WrittenContent { document.written }

    /// The event is over: nothing but what the model made is as long as this.
    func finish(facts: inout AnswerFacts) {
        facts.noteContent(document.written)
        facts.uncountedEvents = hasUsage ? 0 : facts.uncountedEvents + 1
    }
}
