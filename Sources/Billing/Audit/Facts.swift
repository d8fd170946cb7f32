import Engines
import FoundationEssentials

/// What is known of a thing, as audit entries and events say it. Never a secret, and nothing that one could be made of.
public struct Facts: Hashable, Sendable {
    public indirect enum Value: Hashable, Sendable {
        case null
        case text(String)
        case number(Int64)
        case truth(Bool)
        case list([Value])
        case facts(Facts)
    }

    struct Member: Hashable, Sendable {
        let name: String
        let value: Value
    }

    private(set) var members: [Member] = []

    /// These, and then those.
    func adding(_ others: Facts) -> Facts {
        var sum = self
        sum.members += others.members
        return sum
    }

    /// Byte by byte: texts that only look the same are not.
    static func areSame(_ one: Facts?, _ other: Facts?) -> Bool {
        guard let one, let other else { return one == nil && other == nil }
        return one.json.utf8.elementsEqual(other.json.utf8)
    }

    /// The members of which a JSON object, as `json` wrote it once, says something else. Only those that it has: later
    /// versions of the program may know more of a thing.
    public func differences(from json: String, except names: Set<String> = []) throws -> [String] {
        let told = try JSONDecoder().decode([String: Told].self, from: Data(json.utf8))
        return members.compactMap { member in
            guard !names.contains(member.name), let before = told[member.name], before != Told(member.value) else {
                return nil
            }
            return member.name
        }
    }

    /// A member of JSON that is a text or nothing; of everything else only that it is something else.
    private enum Told: Hashable, Decodable {
        case null
        case text([UInt8])
        case other

        init(_ value: Value) {
            switch value {
            case .null: self = .null
            case .text(let text): self = .text(Array(text.utf8))
            default: self = .other
            }
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let text = try? container.decode(String.self) {
                self = .text(Array(text.utf8))
            } else {
                self = .other
            }
        }
    }

    /// JSON in the order of the members.
    var json: String {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    fileprivate func write(to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "{"))
        for (index, member) in members.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            JSONString.append(member.name, to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            member.value.write(to: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
    }
}

extension Facts: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, Value)...) {
        members = elements.map { Member(name: $0.0, value: $0.1) }
    }
}

extension Facts.Value: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral {
    public init(stringLiteral value: String) { self = .text(value) }
    public init(integerLiteral value: Int64) { self = .number(value) }

    public static func optional(_ value: (some CustomStringConvertible)?) -> Self {
        value.map { .text($0.description) } ?? .null
    }

    public static func texts(_ values: [some CustomStringConvertible]) -> Self {
        .list(values.map { .text($0.description) })
    }

    fileprivate func write(to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .text(let text): JSONString.append(text, to: &bytes)
        case .number(let number): bytes.append(contentsOf: "\(number)".utf8)
        case .truth(let truth): bytes.append(contentsOf: "\(truth)".utf8)
        case .facts(let facts): facts.write(to: &bytes)
        case .list(let values):
            bytes.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                value.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        }
    }
}
