/// Why bytes are not JSON, and where.
public struct JSONScanError: Error, Hashable, Sendable {
    /// What was wrong.
    public enum Problem: String, Sendable {
        case unexpectedEnd = "the text ends too early"
        case unexpectedByte = "an unexpected character"
        case badString = "a string with a control character or a bad escape"
        case badNumber = "a malformed number"
        case tooDeep = "too many levels of nesting"
        case trailingBytes = "text after the end of the value"
    }

    public let problem: Problem
    /// Bytes from the start.
    public let offset: Int
}

/// What a JSON value is, told from its first byte.
public enum JSONKind: Sendable {
    case object, array, string, number, bool, null
}

/// A string inside scanned bytes: where it stands, without its quotes.
public struct JSONText: Hashable, Sendable {
    public let range: Range<Int>
    /// Whether it holds escapes, so that its bytes are not its value.
    public let isEscaped: Bool
}

/// Reads JSON in place, one value at a time, without copying or building anything.
///
/// Strict as RFC 8259 asks, except that it leaves the encoding of strings to `UTF8Check`. The caller walks: it begins
/// an object or array, asks for the next key or element, and either reads or skips each value.
public struct JSONScanner {
    /// The deepest nesting that is read.
    public static let depthMax = 128

    private let bytes: UnsafeRawBufferPointer
    /// Where the next value or delimiter is looked for.
    public private(set) var offset: Int
    private var depth = 0
    private var isFirst = false

    /// Scans `bytes`, which must stay valid as long as the scanner is used.
    public init(_ bytes: UnsafeRawBufferPointer, offset: Int = 0) {
        self.bytes = bytes
        self.offset = offset
    }

    // MARK: Walking

    /// The kind of the value that comes next; moves over white space only.
    public mutating func kind() throws(JSONScanError) -> JSONKind {
        switch try peek() {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw error(.unexpectedByte)
        }
    }

    /// Enters an object; then ask `nextKey` until it says nil.
    public mutating func beginObject() throws(JSONScanError) { try begin(UInt8(ascii: "{")) }

    /// Enters an array; then ask `nextElement` until it says false.
    public mutating func beginArray() throws(JSONScanError) { try begin(UInt8(ascii: "[")) }

    /// The next key of the object; its value must be read or skipped. Nil at the end, which it moves over.
    public mutating func nextKey() throws(JSONScanError) -> JSONText? {
        guard try nextItem(closing: UInt8(ascii: "}")) else { return nil }
        let key = try string()
        guard try peek() == UInt8(ascii: ":") else { throw error(.unexpectedByte) }
        offset += 1
        return key
    }

    /// Whether the array has another element, which must be read or skipped. Moves over the end.
    public mutating func nextElement() throws(JSONScanError) -> Bool {
        try nextItem(closing: UInt8(ascii: "]"))
    }

    /// Moves over a whole value and returns where it stood.
    @discardableResult
    public mutating func skip() throws(JSONScanError) -> Range<Int> {
        let kind = try kind()
        let start = offset
        switch kind {
        case .object:
            try beginObject()
            while try nextKey() != nil { try skip() }
        case .array:
            try beginArray()
            while try nextElement() { try skip() }
        case .string: _ = try string()
        case .number: _ = try number()
        case .bool: _ = try bool()
        case .null: try null()
        }
        return start..<offset
    }

    /// Moves to the end, over white space only.
    public mutating func end() throws(JSONScanError) {
        skipWhitespace()
        if offset != bytes.count { throw error(.trailingBytes) }
    }

    // MARK: Scalars

    /// Reads a string.
    public mutating func string() throws(JSONScanError) -> JSONText {
        guard try peek() == UInt8(ascii: "\"") else { throw error(.unexpectedByte) }
        offset += 1
        let start = offset
        var isEscaped = false
        while true {
            offset = bytes.firstIndexOfStringDelimiter(from: offset)
            guard offset < bytes.count else { throw error(.unexpectedEnd) }
            switch bytes[offset] {
            case UInt8(ascii: "\""):
                offset += 1
                return JSONText(range: start..<offset - 1, isEscaped: isEscaped)
            case UInt8(ascii: "\\"):
                isEscaped = true
                try skipEscape()
            default:
                throw error(.badString)
            }
        }
    }

    /// Reads `true` or `false`.
    public mutating func bool() throws(JSONScanError) -> Bool {
        if try peek() == UInt8(ascii: "t") {
            try literal("true")
            return true
        }
        try literal("false")
        return false
    }

    /// Reads `null`.
    public mutating func null() throws(JSONScanError) { try literal("null") }

    /// Reads a number: its value where it is an integer of 64 bits, however it is written (`12`, `12.0`, `1.2e1`), else
    /// nil. `takesPowers`: an exponent makes a fraction of it for some readers, where it is false.
    public mutating func number(takesPowers: Bool = true) throws(JSONScanError) -> Int64? {
        _ = try peek()
        let numberStart = offset
        defer { ReadingSteps.add(offset - numberStart) }
        let isNegative = take(UInt8(ascii: "-"))
        let firstDigit = offset
        var value: Int64? = 0
        while offset < bytes.count, let digit = bytes[offset].decimalDigit {
            value = value?.shiftedDecimally(by: digit)
            offset += 1
        }
        let digits = offset - firstDigit
        guard digits > 0, digits == 1 || bytes[firstDigit] != UInt8(ascii: "0") else { throw error(.badNumber) }
        var isPlain = true
        var hasPower = false
        if take(UInt8(ascii: ".")) {
            isPlain = false
            let start = offset
            while offset < bytes.count, bytes[offset].decimalDigit != nil { offset += 1 }
            if offset == start { throw error(.badNumber) }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isPlain = false
            hasPower = true
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            let start = offset
            while offset < bytes.count, bytes[offset].decimalDigit != nil { offset += 1 }
            if offset == start { throw error(.badNumber) }
        }
        if !isPlain { value = hasPower && !takesPowers ? nil : DecimalText.whole(bytes, firstDigit..<offset) }
        return isNegative ? value.map { -$0 } : value
    }

    // MARK: Inside

    private func error(_ problem: JSONScanError.Problem) -> JSONScanError {
        JSONScanError(problem: problem, offset: offset)
    }

    @inline(__always)
    private mutating func skipWhitespace() {
        // Engines rarely write any.
        if offset < bytes.count, bytes[offset] > 0x20 { return }
        skipAnyWhitespace()
    }

    @inline(never)
    private mutating func skipAnyWhitespace() {
        let start = offset
        defer { ReadingSteps.add(offset - start) }
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x0A, 0x0D, 0x09: offset += 1
            default: return
            }
        }
    }

    @inline(__always)
    private mutating func peek() throws(JSONScanError) -> UInt8 {
        ReadingSteps.add(1)
        skipWhitespace()
        guard offset < bytes.count else { throw error(.unexpectedEnd) }
        return bytes[offset]
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard offset < bytes.count, bytes[offset] == byte else { return false }
        offset += 1
        return true
    }

    private mutating func begin(_ opening: UInt8) throws(JSONScanError) {
        guard try peek() == opening else { throw error(.unexpectedByte) }
        guard depth < JSONScanner.depthMax else { throw error(.tooDeep) }
        offset += 1
        depth += 1
        isFirst = true
    }

    private mutating func nextItem(closing: UInt8) throws(JSONScanError) -> Bool {
        let byte = try peek()
        if byte == closing {
            offset += 1
            depth -= 1
            isFirst = false
            return false
        }
        if isFirst {
            isFirst = false
            return true
        }
        guard byte == UInt8(ascii: ",") else { throw error(.unexpectedByte) }
        offset += 1
        return true
    }

    private mutating func literal(_ text: StaticString) throws(JSONScanError) {
        _ = try peek()
        guard bytes.hasBytes(text, at: offset) else { throw error(.unexpectedByte) }
        offset += text.utf8CodeUnitCount
    }

    private mutating func skipEscape() throws(JSONScanError) {
        guard offset + 1 < bytes.count else { throw error(.unexpectedEnd) }
        switch bytes[offset + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            offset += 2
        case UInt8(ascii: "u"):
            guard offset + 6 <= bytes.count else { throw error(.unexpectedEnd) }
            guard bytes[offset + 2..<offset + 6].allSatisfy(\.isHexadecimalDigit) else { throw error(.badString) }
            offset += 6
        default:
            throw error(.badString)
        }
    }
}
