import Identity

/// What a value looks like: checks what comes in, and describes in the OpenAPI document what comes in and goes out.
struct Schema: Sendable {
    indirect enum Kind: Sendable {
        case string(StringRule)
        case integer(ClosedRange<Int64>)
        case boolean
        case array(Schema, countMax: Int)
        /// An object of exactly these members. A name makes it a component of the document.
        case object(name: String?, [Property])
        /// An object of any members that look alike.
        case map(Schema, countMax: Int)
        /// An object of which nothing more is said.
        case anyObject
    }

    struct Property: Sendable {
        let name: String
        let schema: Schema
        /// Whether an object without it is wrong.
        var isRequired = true
    }

    let kind: Kind
    var description = ""
    var isNullable = false

    /// What is wrong, and where.
    struct Complaint: Hashable, Sendable {
        let parameter: String
        let detail: String
    }

    /// The most complaints that one answer lists.
    static let complaintCountMax = 50
}

// MARK: - Making them

extension Schema {
    /// Text of `lengths` characters.
    static func text(_ description: String = "", lengths: ClosedRange<Int> = 1...255) -> Schema {
        Schema(kind: .string(StringRule(lengths: lengths)), description: description)
    }

    static func formatted(_ format: StringRule.Format, _ description: String = "") -> Schema {
        Schema(kind: .string(StringRule(lengths: 0...255, format: format)), description: description)
    }

    static func id<Kind>(_ type: TypedID<Kind>.Type, _ description: String = "") -> Schema {
        formatted(.id(prefix: Kind.prefix), description)
    }

    static func instant(_ description: String = "") -> Schema { formatted(.instant, description) }

    static func money(_ description: String = "") -> Schema { formatted(.decimal, description) }

    static func choice(_ values: [String], _ description: String = "") -> Schema {
        Schema(kind: .string(StringRule(lengths: 0...255, choices: values)), description: description)
    }

    static func choice<Value: CaseIterable & RawRepresentable<String>>(
        _ type: Value.Type, _ description: String = ""
    ) -> Schema {
        choice(type.allCases.map(\.rawValue), description)
    }

    static func integer(_ description: String = "", in range: ClosedRange<Int64> = 0...Int64.max) -> Schema {
        Schema(kind: .integer(range), description: description)
    }

    static func boolean(_ description: String = "") -> Schema { Schema(kind: .boolean, description: description) }

    static func list(_ element: Schema, _ description: String = "", countMax: Int = 1000) -> Schema {
        Schema(kind: .array(element, countMax: countMax), description: description)
    }

    static func object(_ properties: [Property], named name: String? = nil, _ description: String = "") -> Schema {
        Schema(kind: .object(name: name, properties), description: description)
    }

    static func map(_ value: Schema, _ description: String = "", countMax: Int = 1000) -> Schema {
        Schema(kind: .map(value, countMax: countMax), description: description)
    }

    static func anyObject(_ description: String = "") -> Schema { Schema(kind: .anyObject, description: description) }

    /// The same, or null.
    var nullable: Schema {
        var copy = self
        copy.isNullable = true
        return copy
    }
}

extension Schema.Property {
    static func required(_ name: String, _ schema: Schema) -> Schema.Property {
        Schema.Property(name: name, schema: schema)
    }

    static func optional(_ name: String, _ schema: Schema) -> Schema.Property {
        Schema.Property(name: name, schema: schema, isRequired: false)
    }
}

// MARK: - Checking

extension Schema {
    /// Everything about `value` that this schema forbids; `path` is how a message calls it.
    func complaints(about value: JSONValue, at path: String) -> [Complaint] {
        func complain(_ detail: String) -> [Complaint] { [Complaint(parameter: path, detail: detail)] }
        if value == .null { return isNullable ? [] : complain("must not be null; leave it out instead") }
        switch kind {
        case .string(let rule):
            guard let text = value.text else { return complain("must be a string") }
            return rule.complaint(about: text).map(complain) ?? []
        case .integer(let range):
            guard case .integer(let number) = value else { return complain("must be a whole number") }
            guard let number = Int64(exactly: number), range.contains(number) else {
                return complain("must be \(range.lowerBound) to \(range.upperBound)")
            }
            return []
        case .boolean:
            return value.truth == nil ? complain("must be true or false") : []
        case .array(let element, let countMax):
            guard let elements = value.elements else { return complain("must be an array") }
            guard elements.count <= countMax else { return complain("has more than \(countMax) elements") }
            return elements.enumerated().flatMap { element.complaints(about: $1, at: "\(path)[\($0)]") }
        case .object(_, let properties):
            return complaints(about: value, properties, at: path)
        case .map(let element, let countMax):
            guard case .object(let members) = value else { return complain("must be an object") }
            guard members.count <= countMax else { return complain("has more than \(countMax) members") }
            return members.flatMap { element.complaints(about: $0.value, at: Schema.join(path, $0.name)) }
        case .anyObject:
            guard case .object = value else { return complain("must be an object") }
            return []
        }
    }

    private func complaints(about value: JSONValue, _ properties: [Property], at path: String) -> [Complaint] {
        guard case .object(let members) = value else {
            return [Complaint(parameter: path, detail: "must be an object")]
        }
        let known = properties.map(\.name)
        var found: [Complaint] = []
        for member in members where !known.contains(member.name) {
            found.append(
                Complaint(
                    parameter: Schema.join(path, member.name),
                    detail: "is not known here; known are \(known.joined(separator: ", "))"))
        }
        for property in properties {
            let place = Schema.join(path, property.name)
            if let member = value[property.name] {
                found += property.schema.complaints(about: member, at: place)
            } else if property.isRequired {
                found.append(Complaint(parameter: place, detail: "is missing"))
            }
        }
        return found
    }

    private static func join(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
}
