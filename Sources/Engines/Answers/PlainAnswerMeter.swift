/// Reads the usage out of a plain answer while it passes, in whatever pieces it comes, keeping no more than names and
/// the usage object.
public struct PlainAnswerMeter: Sendable {
    /// What the answer has said so far.
    public private(set) var facts = AnswerFacts()
    /// Just inside the closing brace of the answer's usage object, in bytes from its start; nil when none came.
    public private(set) var usageEnd: Int?

    /// Where its model's name stands, with its quotes, in bytes from its start; nil while none came.
    public private(set) var modelRange: Range<Int>?

    private var reader: any AnswerReader
    private var document: DocumentReader

    /// A meter at the start of an answer of the OpenAI family.
    public init() { self.init(reader: OpenAIAnswerReader()) }

    init(reader: any AnswerReader) {
        self.reader = reader
        document = DocumentReader(shape: reader.shape, countsOtherText: reader.takesAnyText)
    }

    init(reader: any AnswerReader, status: Int, headers: some HeaderLookup) {
        self.init(reader: reader)
        self.reader.begin(status: status, headers: headers, facts: &facts)
    }

    init(reader: any AnswerReader, head: AnswerFacts) {
        self.init(reader: reader)
        facts = head
    }

    /// Reads the next piece.
    public mutating func read(_ bytes: UnsafeRawBufferPointer) {
        while true {
            guard let part = document.nextPart(in: bytes) else { break }
            document.withPart { reader.take(part: part, value: $0, facts: &facts) }
            if part == reader.modelPart {
                document.withPart { if $0.first == UInt8(ascii: "\"") { modelRange = document.partRange } }
            }
            if part == reader.usagePart, facts.usage != nil { usageEnd = document.partRange.upperBound - 1 }
        }
        facts.takeWritten(document.written)
        facts.items = document.items
        facts.hasItems = document.hasItems
        facts.unreadCount += document.takeTooLongCount()
    }

    /// The answer is over. One that is no JSON, where some was expected, is text from its first byte to its last:
    /// nobody can tell what else it is, and it has been delivered.
    public mutating func finish() {
        if !document.hasBegun, !reader.shape.parts.isEmpty, document.byteCount > 0 {
            facts.textBytes = Int64(document.byteCount)
            facts.unreadCount += 1
        }
        reader.finish(facts: &facts)
        // Models of any kind stand behind some forms. Where nothing of an answer has a known name, its texts are what
        // the model wrote.
        if reader.takesAnyText, !facts.hasError, !facts.isRanking, !facts.isMeasurable {
            facts.textBytes = document.otherTextBytes
        }
    }
}
