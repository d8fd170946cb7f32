/// A value of a JSON document (RFC 8259) whose strings are their UTF-8 bytes. `String` would take canonically
/// equivalent texts for the same key, and a vocabulary may hold both.
enum JSONNode {
    case object([(name: [UInt8], value: JSONNode)])
    case array([JSONNode])
    case string([UInt8])
    /// Only integers matter here; nil for any other number.
    case number(Int?)
    case bool(Bool)
    case null

    /// How deep values may stand in one another.
    static let depthMax = 64

    /// The first member of that name.
    subscript(name: String) -> JSONNode? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name.elementsEqual(name.utf8) }?.value
    }

    /// Nil where the member is missing or null.
    func present(_ name: String) -> JSONNode? {
        guard let value = self[name] else { return nil }
        if case .null = value { return nil }
        return value
    }

    var bytes: [UInt8]? { if case .string(let bytes) = self { bytes } else { nil } }
    var text: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }
    var integer: Int? { if case .number(let value) = self { value } else { nil } }
    var flag: Bool? { if case .bool(let value) = self { value } else { nil } }
    var elements: [JSONNode]? { if case .array(let elements) = self { elements } else { nil } }

    /// The document in these bytes; nil when it is none.
    init?(document: [UInt8]) {
        let value = document.withUnsafeBufferPointer { bytes -> JSONNode? in
            var reader = JSONReader(bytes: bytes)
            guard let value = reader.value(depth: 0) else { return nil }
            reader.skipSpace()
            return reader.isAtEnd ? value : nil
        }
        guard let value else { return nil }
        self = value
    }
}

private struct JSONReader {
    let bytes: UnsafeBufferPointer<UInt8>
    private var offset = 0

    init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }

    mutating func skipSpace() {
        while offset < bytes.count, bytes[offset] <= 0x20 {
            guard [0x20, 0x0A, 0x0D, 0x09].contains(bytes[offset]) else { return }
            offset += 1
        }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    private mutating func take(word: String) -> Bool {
        let end = offset + word.utf8.count
        guard end <= bytes.count, bytes[offset..<end].elementsEqual(word.utf8) else { return false }
        offset = end
        return true
    }

    mutating func value(depth: Int) -> JSONNode? {
        guard depth < JSONNode.depthMax else { return nil }
        skipSpace()
        guard offset < bytes.count else { return nil }
        switch bytes[offset] {
        case UInt8(ascii: "{"): return object(depth)
        case UInt8(ascii: "["): return array(depth)
        case UInt8(ascii: "\""): return string().map { .string($0) }
        case UInt8(ascii: "t"): return take(word: "true") ? .bool(true) : nil
        case UInt8(ascii: "f"): return take(word: "false") ? .bool(false) : nil
        case UInt8(ascii: "n"): return take(word: "null") ? .null : nil
        default: return number()
        }
    }

    private mutating func object(_ depth: Int) -> JSONNode? {
        offset += 1
        var members: [(name: [UInt8], value: JSONNode)] = []
        skipSpace()
        if take("}") { return .object(members) }
        while true {
            skipSpace()
            guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\""), let name = string() else { return nil }
            skipSpace()
            guard take(":"), let value = value(depth: depth + 1) else { return nil }
            members.append((name, value))
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { return nil }
        }
    }

    private mutating func array(_ depth: Int) -> JSONNode? {
        offset += 1
        var elements: [JSONNode] = []
        skipSpace()
        if take("]") { return .array(elements) }
        while true {
            guard let value = value(depth: depth + 1) else { return nil }
            elements.append(value)
            skipSpace()
            if take("]") { return .array(elements) }
            guard take(",") else { return nil }
        }
    }

    private mutating func number() -> JSONNode? {
        let start = offset
        while offset < bytes.count, Self.isNumeric(bytes[offset]) { offset += 1 }
        guard offset > start else { return nil }
        return .number(Int(String(decoding: bytes[start..<offset], as: UTF8.self)))
    }

    private static func isNumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    private mutating func string() -> [UInt8]? {
        offset += 1
        var text: [UInt8] = []
        while offset < bytes.count {
            let start = offset
            while offset < bytes.count, bytes[offset] != UInt8(ascii: "\""), bytes[offset] != UInt8(ascii: "\\") {
                offset += 1
            }
            text.append(contentsOf: bytes[start..<offset])
            if take("\"") { return text }
            guard take("\\"), offset < bytes.count, escape(into: &text) else { return nil }
        }
        return nil
    }

    private mutating func escape(into text: inout [UInt8]) -> Bool {
        let kind = bytes[offset]
        offset += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(kind)
        case UInt8(ascii: "b"): text.append(8)
        case UInt8(ascii: "f"): text.append(12)
        case UInt8(ascii: "n"): text.append(10)
        case UInt8(ascii: "r"): text.append(13)
        case UInt8(ascii: "t"): text.append(9)
        case UInt8(ascii: "u"):
            guard var code = hexadecimal() else { return false }
            if (0xD800..<0xDC00).contains(code) {
                guard take("\\"), take("u"), let low = hexadecimal(), (0xDC00..<0xE000).contains(low) else {
                    return false
                }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { return false }
            text.append(contentsOf: Array(String(Character(scalar)).utf8))
        default: return false
        }
        return true
    }

    private mutating func hexadecimal() -> UInt32? {
        guard offset + 4 <= bytes.count else { return nil }
        let digits = String(decoding: bytes[offset..<offset + 4], as: UTF8.self)
        offset += 4
        return UInt32(digits, radix: 16)
    }
}
