/// A value as it is sent to Postgres.
public enum PostgresParameter: Sendable, Hashable {
    case null
    /// The type's text form, as Postgres reads it.
    case text(String)
    /// Raw bytes, for `bytea`.
    case bytes([UInt8])
}

/// A type whose values may stand in an ``SQL`` literal.
public protocol PostgresBindable {
    var postgresParameter: PostgresParameter { get }
}

extension PostgresParameter: PostgresBindable {
    public var postgresParameter: PostgresParameter { self }
}

extension String: PostgresBindable {
    public var postgresParameter: PostgresParameter { .text(self) }
}

extension Substring: PostgresBindable {
    public var postgresParameter: PostgresParameter { .text(String(self)) }
}

extension Int: PostgresBindable {
    public var postgresParameter: PostgresParameter { .text(String(self)) }
}

extension Int64: PostgresBindable {
    public var postgresParameter: PostgresParameter { .text(String(self)) }
}

extension Int32: PostgresBindable {
    public var postgresParameter: PostgresParameter { .text(String(self)) }
}

extension Int16: PostgresBindable {
    public var postgresParameter: PostgresParameter { .text(String(self)) }
}

/// For `numeric`.
extension Int128: PostgresBindable {
    public var postgresParameter: PostgresParameter { .text(String(self)) }
}

extension Bool: PostgresBindable {
    public var postgresParameter: PostgresParameter { .text(self ? "t" : "f") }
}

extension Optional: PostgresBindable where Wrapped: PostgresBindable {
    public var postgresParameter: PostgresParameter { self?.postgresParameter ?? .null }
}

/// One dimension only. Mostly for `unnest(\(ids)::bigint[], …)`.
extension Array: PostgresBindable where Element: PostgresBindable {
    public var postgresParameter: PostgresParameter {
        var literal = ArrayLiteral()
        for element in self { literal.append(element.postgresParameter) }
        return .text(literal.text)
    }
}

extension PostgresBindable where Self: RawRepresentable, RawValue: PostgresBindable {
    public var postgresParameter: PostgresParameter { rawValue.postgresParameter }
}

/// Bytes of a `bytea`, where a nominal type is needed: elements of `[Bytes]`, optional columns.
public struct Bytes: PostgresBindable, Sendable, Hashable {
    public var array: [UInt8]
    public init(_ array: [UInt8]) { self.array = array }
    public var postgresParameter: PostgresParameter { .bytes(array) }
}

/// A `uuid` as two big-endian halves.
public struct PostgresUUID: PostgresBindable, Sendable, Hashable {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Nil unless there are exactly 16 bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        self.init(
            high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
            low: bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) },
        )
    }

    /// The 16 bytes, most significant first.
    public var bytes: [UInt8] {
        [high, low].flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> (56 - 8 * $0)) } }
    }

    /// 32 lowercase hex digits without dashes, which Postgres reads as a `uuid` too.
    public var text: String { hexText(bytes) }

    public var postgresParameter: PostgresParameter { .text(text) }
}

/// Builds the text form of a one-dimensional Postgres array.
struct ArrayLiteral {
    private var utf8: [UInt8] = [UInt8(ascii: "{")]
    private var isEmpty = true

    /// The finished literal, `{…}`.
    var text: String { String(decoding: utf8, as: UTF8.self) + "}" }
    var byteCount: Int { utf8.count + 1 }

    mutating func append(_ element: PostgresParameter) {
        if !isEmpty { utf8.append(UInt8(ascii: ",")) }
        isEmpty = false
        switch element {
        case .null: utf8 += "NULL".utf8
        case .text(let text): appendQuoted(text.utf8)
        case .bytes(let bytes): appendQuoted(("\\x" + hexText(bytes)).utf8)
        }
    }

    private mutating func appendQuoted(_ text: some Sequence<UInt8>) {
        utf8.append(UInt8(ascii: "\""))
        for byte in text {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { utf8.append(UInt8(ascii: "\\")) }
            utf8.append(byte)
        }
        utf8.append(UInt8(ascii: "\""))
    }
}

/// Lowercase hex digits, two a byte.
func hexText(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}
