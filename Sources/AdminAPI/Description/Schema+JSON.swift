// Schemas as JSON Schema 2020-12, which OpenAPI 3.1 uses.

extension Schema {
    /// The schema where it is used: a named object is a reference to its component.
    var json: JSONValue {
        if case .object(let name?, _) = kind {
            let reference: JSONValue = ["$ref": .string("#/components/schemas/\(name)")]
            return isNullable ? ["anyOf": [reference, ["type": "null"]]] : reference
        }
        return definition
    }

    /// Adds the definition of each named object in here, by name.
    func collectComponents(into found: inout [String: JSONValue]) {
        switch kind {
        case .string, .integer, .boolean, .anyObject: break
        case .array(let element, _), .map(let element, _): element.collectComponents(into: &found)
        case .object(let name, let properties):
            if let name {
                guard found[name] == nil else { return }
                found[name] = definition
            }
            for property in properties { property.schema.collectComponents(into: &found) }
        }
    }

    private var definition: JSONValue {
        var members: [JSONValue.Member] = [.init(name: "type", value: typeName)]
        switch kind {
        case .string(let rule): members += rule.keywords(isNullable: isNullable)
        case .integer(let range):
            members.append(.init(name: "minimum", value: .integer(Int128(range.lowerBound))))
            if range.upperBound != .max {
                members.append(.init(name: "maximum", value: .integer(Int128(range.upperBound))))
            }
        case .boolean, .anyObject: break
        case .array(let element, let countMax):
            members.append(.init(name: "items", value: element.json))
            members.append(.init(name: "maxItems", value: .integer(Int128(countMax))))
        case .object(_, let properties):
            members.append(
                .init(
                    name: "properties",
                    value: .object(properties.map { .init(name: $0.name, value: $0.schema.json) })))
            let required = properties.filter(\.isRequired).map { JSONValue.string($0.name) }
            if !required.isEmpty { members.append(.init(name: "required", value: .array(required))) }
            members.append(.init(name: "additionalProperties", value: false))
        case .map(let value, let countMax):
            members.append(.init(name: "additionalProperties", value: value.json))
            members.append(.init(name: "maxProperties", value: .integer(Int128(countMax))))
        }
        if !description.isEmpty { members.append(.init(name: "description", value: .string(description))) }
        return .object(members)
    }

    private var typeName: JSONValue {
        let name: JSONValue =
            switch kind {
            case .string: "string"
            case .integer: "integer"
            case .boolean: "boolean"
            case .array: "array"
            case .object, .map, .anyObject: "object"
            }
        return isNullable ? [name, "null"] : name
    }
}

extension StringRule {
    func keywords(isNullable: Bool) -> [JSONValue.Member] {
        var members: [JSONValue.Member] = []
        if let choices {
            let values = choices.map { JSONValue.string($0) } + (isNullable ? [.null] : [])
            members.append(.init(name: "enum", value: .array(values)))
        } else if let format {
            members += format.keywords
        } else {
            if lengths.lowerBound > 0 {
                members.append(.init(name: "minLength", value: .integer(Int128(lengths.lowerBound))))
            }
            members.append(.init(name: "maxLength", value: .integer(Int128(lengths.upperBound))))
        }
        return members
    }
}
