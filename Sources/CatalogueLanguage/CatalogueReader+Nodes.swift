import StrictYAML

// Nodes of the file as texts, numbers and lists, with a finding for each that is something else.

extension CatalogueReader {
    mutating func members(of node: YAMLNode, path: String, known: [String]) -> [String: YAMLNode] {
        guard let mapping = node.mapping else {
            report(path, node, "a mapping with the keys \(known.joined(separator: ", ")) must stand here")
            return [:]
        }
        var members: [String: YAMLNode] = [:]
        for (key, value) in mapping {
            guard let name = key.text, known.contains(name) else {
                report(
                    path, key,
                    "the key \"\(key.text ?? "?")\" is not known; known are \(known.joined(separator: ", "))")
                continue
            }
            if members.updateValue(value, forKey: name) != nil { report(path, key, "the key \"\(name)\" stands twice") }
        }
        return members
    }

    mutating func list(_ node: YAMLNode?, path: String, parent: YAMLNode) -> [YAMLNode] {
        guard let node else {
            report(path, parent, "the key is missing; an empty list is []")
            return []
        }
        guard let sequence = node.sequence else {
            report(path, node, "a list must stand here")
            return []
        }
        guard sequence.count <= CatalogueDocument.entriesMax else {
            report(path, node, "\(sequence.count) entries are too many; at most \(CatalogueDocument.entriesMax)")
            return []
        }
        return Array(sequence)
    }

    /// The text of a key; the default where the key is missing, or a finding where there is none.
    mutating func text(
        _ members: [String: YAMLNode], _ key: String, _ path: String, _ parent: YAMLNode,
        default standard: String? = nil
    ) -> String? {
        guard let node = members[key] else {
            if standard == nil { report("\(path).\(key)", parent, "the key is missing") }
            return standard
        }
        guard let text = node.text, !text.isEmpty || standard == "", text.utf8.count <= 1024,
            !text.utf8.contains(where: { $0 < 0x20 })
        else {
            report("\(path).\(key)", node, "a text of 1 to 1024 bytes must stand here")
            return nil
        }
        return text
    }

    mutating func texts(_ node: YAMLNode, path: String) -> [String] {
        guard let sequence = node.sequence else {
            report(path, node, "a list must stand here")
            return []
        }
        var result: [String] = []
        for (index, item) in sequence.enumerated() {
            if let text = text(["": item], "", "\(path)[\(index)]", item) { result.append(text) }
        }
        return result
    }

    mutating func tokens(
        _ members: [String: YAMLNode], _ key: String, _ path: String, _ parent: YAMLNode
    ) -> Int64? {
        guard members[key] != nil else {
            report("\(path).\(key)", parent, "the key is missing: the model's limit in tokens")
            return nil
        }
        return number(members, key, path, 1...1_000_000_000)
    }

    /// The whole number of a key; nil where the key is missing, or with a finding where it is none.
    mutating func number(
        _ members: [String: YAMLNode], _ key: String, _ path: String, _ range: ClosedRange<Int64>
    ) -> Int64? {
        guard let node = members[key] else { return nil }
        guard let count = node.text.flatMap({ Int64($0) }), range.contains(count) else {
            report(
                "\(path).\(key)", node,
                "a whole number from \(range.lowerBound) to \(range.upperBound) must stand here")
            return nil
        }
        return count
    }

    /// Whether a key says `true`; false where it is missing.
    mutating func truth(_ members: [String: YAMLNode], _ key: String, _ path: String) -> Bool {
        guard let node = members[key] else { return false }
        switch node.text {
        case "true": return true
        case "false": return false
        default:
            report("\(path).\(key)", node, "true or false must stand here")
            return false
        }
    }

    /// The value of a key that has a few; the default where it is missing, or after a finding where it is unknown.
    mutating func choice<Value: RawRepresentable<String> & CaseIterable>(
        _ members: [String: YAMLNode], _ key: String, _ path: String, default standard: Value
    ) -> Value {
        guard let node = members[key] else { return standard }
        guard let value = node.text.flatMap({ Value(rawValue: $0) }) else {
            let known = Value.allCases.map(\.rawValue).joined(separator: ", ")
            report("\(path).\(key)", node, "\"\(node.text ?? "?")\" is not known; known are \(known)")
            return standard
        }
        return value
    }

    func isSlug(_ text: String) -> Bool {
        let isWord = { (byte: UInt8) in (97...122).contains(byte) || (48...57).contains(byte) }
        guard let first = text.utf8.first, isWord(first), text.utf8.count <= 63 else { return false }
        return text.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: "-") }
    }
}
