/// Reads the fields of a head that is there as a whole, and what they say about the message's framing.
struct FieldReader {
    private(set) var fields: [Headers.Field] = []
    private(set) var contentLength: Int?
    private(set) var isChunked = false
    private(set) var hostCount = 0
    private(set) var contentTypeCount = 0
    private(set) var expectsContinue = false
    private(set) var asksToClose = false
    private(set) var asksToKeep = false
    /// Whether a `connection` field names others.
    private(set) var namesFields = false

    /// Reads the fields of `head` from the line that begins at `start`. The head ends with its empty line, and each
    /// line feed in it has its carriage return.
    init(
        _ head: UnsafeRawBufferPointer, from start: Int, limits: HeadLimits
    ) throws(MessageError) {
        guard head.count - start <= limits.listBytes + 2 else { throw .headTooLarge }
        fields.reserveCapacity(16)
        var index = start
        while head[index] != 0x0D {
            guard fields.count < limits.fieldCount else { throw .headTooLarge }
            let field = try FieldReader.field(in: head, at: index)
            guard Int(field.lineEnd) - 2 - index <= limits.fieldBytes else { throw .headTooLarge }
            fields.append(field)
            try note(field, in: head)
            index = Int(field.lineEnd)
        }
        guard index + 2 == head.count else { throw .lineEnd }
        if isChunked, contentLength != nil { throw .lengthAndCoding }
    }

    private static func field(
        in head: UnsafeRawBufferPointer, at start: Int
    ) throws(MessageError) -> Headers.Field {
        var index = start
        if head[index].isOptionalSpace { throw .foldedField }
        while head[index].isTokenCharacter { index += 1 }
        guard index > start, head[index] == UInt8(ascii: ":") else { throw .fieldName }
        let name = start..<index
        index += 1
        let end = head.firstIndexOfControl(from: index)
        guard end + 1 < head.count, head[end] == 0x0D else { throw .fieldValue }
        guard head[end + 1] == 0x0A else { throw .lineEnd }
        return Headers.Field(name: name, value: head.trimmed(index..<end), lineEnd: end + 2)
    }

    private mutating func note(_ field: Headers.Field, in head: UnsafeRawBufferPointer) throws(MessageError) {
        let name = field.name
        switch name.count {
        case 4: if head.equalsIgnoringCase("host", in: name) { hostCount += 1 }
        case 6:
            if head.equalsIgnoringCase("expect", in: name),
                head.equalsIgnoringCase("100-continue", in: field.value)
            {
                expectsContinue = true
            }
        case 10: if head.equalsIgnoringCase("connection", in: name) { noteConnection(field.value, in: head) }
        case 12: if head.equalsIgnoringCase("content-type", in: name) { contentTypeCount += 1 }
        case 14:
            guard head.equalsIgnoringCase("content-length", in: name) else { return }
            guard let length = head.decimal(in: field.value), contentLength == nil || contentLength == length else {
                throw .contentLength
            }
            contentLength = length
        case 17:
            guard head.equalsIgnoringCase("transfer-encoding", in: name) else { return }
            guard !isChunked, head.equalsIgnoringCase("chunked", in: field.value) else { throw .transferCoding }
            isChunked = true
        default: break
        }
    }

    private mutating func noteConnection(_ value: Range<Int>, in head: UnsafeRawBufferPointer) {
        head.forEachListMember(in: value) { member in
            if head.equalsIgnoringCase("close", in: member) {
                asksToClose = true
            } else if head.equalsIgnoringCase("keep-alive", in: member) {
                asksToKeep = true
            } else {
                namesFields = true
            }
        }
    }

    /// Whether the connection outlives the message (RFC 9112, section 9.3).
    func keepsAlive(minorVersion: Int) -> Bool {
        if asksToClose { return false }
        return minorVersion >= 1 || asksToKeep
    }
}
