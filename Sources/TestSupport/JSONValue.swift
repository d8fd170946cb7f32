import Foundation

/// JSON as a test looks into it. Numbers are whole: nothing that tests compare has a fraction outside of a string.
@dynamicMemberLookup
public enum JSONValue: Hashable, Sendable, Decodable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// A number with a fraction; kept apart so that nobody compares one by mistake.
    case fraction(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// Reads JSON text.
    public init(parsing text: some StringProtocol) throws {
        self = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode([String: JSONValue].self) {
            self = .object(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else {
            self = .fraction(try container.decode(Double.self))
        }
    }

    /// A member of an object; null when there is none.
    public subscript(name: String) -> JSONValue {
        if case .object(let members) = self { members[name] ?? .null } else { .null }
    }

    public subscript(dynamicMember name: String) -> JSONValue { self[name] }

    public var string: String? { if case .string(let value) = self { value } else { nil } }
    public var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var isNull: Bool { self == .null }

    /// The elements of an array; empty for anything else.
    public var array: [JSONValue] { if case .array(let elements) = self { elements } else { [] } }

    /// The members of an object; empty for anything else.
    public var object: [String: JSONValue] { if case .object(let members) = self { members } else { [:] } }

    /// A member that must be text.
    public func text(_ name: String) throws -> String {
        guard let value = self[name].string else { throw ProgramFailure("no text '\(name)' in \(self)") }
        return value
    }

    /// A member that must be a whole number.
    public func number(_ name: String) throws -> Int64 {
        guard let value = self[name].integer else { throw ProgramFailure("no number '\(name)' in \(self)") }
        return value
    }
}
