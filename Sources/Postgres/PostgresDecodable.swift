/// A type that can be read from a column's text form.
///
/// Optionals conform when what they wrap does; a NULL in a column read as a non-optional type is an error.
public protocol PostgresDecodable {
    /// Nil when the text is no value of this type.
    init?(postgresText text: String)
    /// What a NULL is for this type; nil when it may not be null.
    static var postgresNull: Self? { get }
}

extension PostgresDecodable {
    public static var postgresNull: Self? { nil }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    public init?(postgresText text: String) {
        guard let wrapped = Wrapped(postgresText: text) else { return nil }
        self = .some(wrapped)
    }

    public static var postgresNull: Self? { .some(.none) }
}

extension String: PostgresDecodable {
    public init?(postgresText text: String) { self = text }
}

extension Int: PostgresDecodable {
    public init?(postgresText text: String) { self.init(text) }
}

extension Int64: PostgresDecodable {
    public init?(postgresText text: String) { self.init(text) }
}

extension Int32: PostgresDecodable {
    public init?(postgresText text: String) { self.init(text) }
}

extension Int16: PostgresDecodable {
    public init?(postgresText text: String) { self.init(text) }
}

/// For `numeric` without a fraction.
extension Int128: PostgresDecodable {
    public init?(postgresText text: String) { self.init(text) }
}

extension Bool: PostgresDecodable {
    public init?(postgresText text: String) {
        switch text {
        case "t": self = true
        case "f": self = false
        default: return nil
        }
    }
}

extension PostgresDecodable where Self: RawRepresentable, RawValue: PostgresDecodable {
    public init?(postgresText text: String) {
        guard let rawValue = RawValue(postgresText: text) else { return nil }
        self.init(rawValue: rawValue)
    }
}

extension Bytes: PostgresDecodable {
    public init?(postgresText text: String) {
        guard text.hasPrefix("\\x"), let bytes = hexBytes(text.utf8.dropFirst(2)) else { return nil }
        self.init(bytes)
    }
}

extension PostgresUUID: PostgresDecodable {
    /// Reads 32 hex digits, with or without dashes.
    public init?(postgresText text: String) {
        guard let bytes = hexBytes(text.utf8.filter { $0 != UInt8(ascii: "-") }) else { return nil }
        self.init(bytes: bytes)
    }
}

/// One dimension only.
extension Array: PostgresDecodable where Element: PostgresDecodable {
    public init?(postgresText text: String) {
        guard let elements = parseArrayLiteral(text) else { return nil }
        self = []
        reserveCapacity(elements.count)
        for element in elements {
            guard let value = element.map({ Element(postgresText: $0) }) ?? Element.postgresNull else { return nil }
            append(value)
        }
    }
}

/// Bytes from pairs of hex digits of either case; nil for anything else.
func hexBytes(_ digits: some Collection<UInt8>) -> [UInt8]? {
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    var high: UInt8?
    for digit in digits {
        guard let value = nibble(digit) else { return nil }
        if let first = high {
            bytes.append(first << 4 | value)
            high = nil
        } else {
            high = value
        }
    }
    return bytes
}

private func nibble(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
}

/// Elements of a one-dimensional array's text form; nil when it is malformed or has more dimensions.
/// Grammar: PostgreSQL manual, 8.15.6.
func parseArrayLiteral(_ text: String) -> [String?]? {
    let utf8 = Array(text.utf8)
    guard utf8.count >= 2, utf8.first == UInt8(ascii: "{"), utf8.last == UInt8(ascii: "}") else { return nil }
    if utf8.count == 2 { return [] }
    var elements: [String?] = []
    var current: [UInt8] = []
    var isQuoted = false
    var wasQuoted = false
    var index = 1
    while index < utf8.count {
        let byte = utf8[index]
        switch byte {
        case UInt8(ascii: "\\"):
            index += 1
            guard index < utf8.count - 1 else { return nil }
            current.append(utf8[index])
        case UInt8(ascii: "\""):
            isQuoted.toggle()
            wasQuoted = true
        case UInt8(ascii: "{") where !isQuoted:
            return nil
        case UInt8(ascii: ",") where !isQuoted, UInt8(ascii: "}") where !isQuoted:
            let element = String(decoding: current, as: UTF8.self)
            elements.append(!wasQuoted && element == "NULL" ? nil : element)
            current = []
            wasQuoted = false
            if byte == UInt8(ascii: "}") && index != utf8.count - 1 { return nil }
        default:
            current.append(byte)
        }
        index += 1
    }
    return isQuoted ? nil : elements
}
