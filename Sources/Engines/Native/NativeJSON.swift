internal import Metering

/// What the readers of native dialects share: walking JSON strictly, and moving over whatever is not what was expected.
extension JSONScanner {
    /// Walks the object that comes next. `take` gets each key and the kind of its value, and says whether it read it;
    /// what it did not read is moved over, and so is a value that is no object.
    mutating func eachMember(
        _ take: (JSONText, JSONKind, inout JSONScanner) throws(JSONScanError) -> Bool
    ) throws(JSONScanError) {
        guard try kind() == .object else {
            try skip()
            return
        }
        try beginObject()
        while let key = try nextKey() {
            let kind = try kind()
            if try !take(key, kind, &self) { try skip() }
        }
    }

    /// Walks the array that comes next, as `eachMember` walks an object.
    mutating func eachElement(
        _ take: (JSONKind, inout JSONScanner) throws(JSONScanError) -> Bool
    ) throws(JSONScanError) {
        guard try kind() == .array else {
            try skip()
            return
        }
        try beginArray()
        while try nextElement() {
            let kind = try kind()
            if try !take(kind, &self) { try skip() }
        }
    }

    /// A text short enough to be kept, and not empty; nil for anything else, which is moved over.
    mutating func name(_ kind: JSONKind, in bytes: UnsafeRawBufferPointer) throws(JSONScanError) -> String? {
        guard kind == .string else {
            try skip()
            return nil
        }
        let text = try string()
        guard !text.range.isEmpty, text.range.count <= AnswerFacts.nameBytesMax else { return nil }
        return text.value(in: bytes)
    }

    /// Whether the value that comes next is a text with something in it, an array or object with something in it, or a
    /// number; moves over it.
    mutating func isSomething(_ kind: JSONKind) throws(JSONScanError) -> Bool {
        let range = try skip()
        switch kind {
        // Two bytes are the delimiters of something empty.
        case .string, .array, .object: return range.count > 2
        case .number: return true
        case .bool, .null: return false
        }
    }
}

extension EngineUsage {
    /// Reads one count; nil for null, and for what is no integer, which becomes a contradiction.
    mutating func readCount(
        _ name: StaticString, _ kind: JSONKind, _ scanner: inout JSONScanner
    ) throws(JSONScanError) -> Int64? {
        switch kind {
        case .null:
            try scanner.null()
            return nil
        case .number:
            if let value = try scanner.number() { return value }
        default:
            try scanner.skip()
        }
        contradiction = contradiction ?? "\(name) is not an integer"
        return nil
    }

    /// The same of a value that stands alone in its bytes.
    mutating func readCount(_ name: StaticString, _ value: UnsafeRawBufferPointer) -> Int64? {
        var scanner = JSONScanner(value)
        do throws(JSONScanError) {
            let kind = try scanner.kind()
            return try readCount(name, kind, &scanner)
        } catch {
            contradiction = contradiction ?? "\(name) is not an integer"
            return nil
        }
    }

    /// Adds two counts; what does not fit becomes a contradiction.
    mutating func sum(_ name: StaticString, _ left: Int64?, _ right: Int64?) -> Int64? {
        guard let left, let right else { return left ?? right }
        let (sum, overflows) = left.addingReportingOverflow(right)
        if overflows { contradiction = contradiction ?? "\(name) does not fit" }
        return overflows ? nil : sum
    }
}

/// A JSON value that stands alone in its bytes.
enum NativeValue {
    /// The text of a short string; nil for anything else.
    static func name(_ bytes: UnsafeRawBufferPointer) -> String? {
        var scanner = JSONScanner(bytes)
        guard let kind = try? scanner.kind() else { return nil }
        return try? scanner.name(kind, in: bytes)
    }

    /// The value of an integer; nil for anything else.
    static func integer(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        var scanner = JSONScanner(bytes)
        guard (try? scanner.kind()) == .number else { return nil }
        return try? scanner.number()
    }

    /// The bytes of a value, as many as a record may keep; none when there are more.
    static func raw(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> [UInt8] {
        range.count <= AttemptRecord.rawUsageBytesMax ? Array(bytes[range]) : []
    }

    /// A decimal integer as headers carry them.
    static func integer(_ text: String?) -> Int64? {
        guard let text, !text.isEmpty, text.utf8.allSatisfy({ $0.decimalDigit != nil }) else { return nil }
        return Int64(text)
    }
}
