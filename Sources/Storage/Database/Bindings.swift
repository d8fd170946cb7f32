public import Identity
public import Monetary
public import Postgres

extension UUIDv7: PostgresBindable, PostgresDecodable {
    public var postgresParameter: PostgresParameter { .text(hexadecimal) }

    public init?(postgresText text: String) {
        self.init(text)
    }
}

extension TypedID: PostgresBindable, PostgresDecodable {
    public var postgresParameter: PostgresParameter { uuid.postgresParameter }

    public init?(postgresText text: String) {
        guard let uuid = UUIDv7(text) else { return nil }
        self.init(uuid)
    }
}

extension Timestamp: PostgresBindable, PostgresDecodable {
    public var postgresParameter: PostgresParameter { TimestampMilliseconds(milliseconds).postgresParameter }

    public init?(postgresText text: String) {
        guard let value = TimestampMilliseconds(postgresText: text) else { return nil }
        self.init(milliseconds: value.milliseconds)
    }
}

extension CivilDate: PostgresBindable, PostgresDecodable {
    public var postgresParameter: PostgresParameter { .text(description) }

    public init?(postgresText text: String) {
        self.init(text)
    }
}

extension SHA256Digest: PostgresBindable, PostgresDecodable {
    public var postgresParameter: PostgresParameter { .bytes(bytes) }

    public init?(postgresText text: String) {
        guard let bytes = Bytes(postgresText: text) else { return nil }
        self.init(bytes: bytes.array)
    }
}

/// All 12 decimals; the currency travels in a column of its own.
extension Money: PostgresBindable {
    public var postgresParameter: PostgresParameter { .text(decimalText) }
}

extension Currency: PostgresBindable, PostgresDecodable {
    public var postgresParameter: PostgresParameter { .text(code) }

    public init?(postgresText text: String) {
        guard let currency = try? Currency(code: text) else { return nil }
        self = currency
    }
}

extension Row {
    /// A `numeric(38,12)` column as an amount of `currency`.
    func money(_ column: String, _ currency: Currency) throws -> Money {
        let text = try decode(column, as: String.self)
        guard let money = Money(decimalText: text, currency: currency) else {
            throw StorageError.corrupt("column \(column) holds \"\(text)\", which is no amount")
        }
        return money
    }

    /// A text column that holds the raw value of an enumeration.
    func value<Value: RawRepresentable<String>>(_ column: String, as type: Value.Type = Value.self) throws -> Value {
        let text = try decode(column, as: String.self)
        guard let value = Value(rawValue: text) else {
            throw StorageError.corrupt("column \(column) holds \"\(text)\", which is no \(Value.self)")
        }
        return value
    }
}
