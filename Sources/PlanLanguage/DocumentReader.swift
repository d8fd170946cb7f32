import Monetary
import Pricing
import StrictYAML

/// A value of the document and the place where it stands.
struct DocumentField {
    let node: YAMLNode
    let path: String

    var line: Int? { node.line }

    /// Whether the value is this one word.
    func isWord(_ word: String) -> Bool { node.text == word }

    /// The path of something inside this value.
    func path(of key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
}

/// Reads YAML values strictly and collects what is wrong with them, so that one run shows every mistake. Nothing is
/// converted by YAML's own rules: a value is the text that stands there, and decimals must stand in quotes.
struct DocumentReader {
    private(set) var findings: [PlanFinding] = []
    /// Where each path stands, for findings of the later checks.
    private(set) var lines: [String: Int] = [:]

    mutating func report(_ message: String, at field: DocumentField) {
        report(message, path: field.path, line: field.line)
    }

    mutating func report(_ message: String, path: String, line: Int?) {
        guard findings.count < PlanFinding.countMax else { return }
        findings.append(PlanFinding(.error, path: path, line: line, message))
    }

    // MARK: - Mappings and lists

    /// The entries of a mapping in the order of the file. Keys are plain text, each once.
    mutating func entries(_ field: DocumentField) -> [(key: String, field: DocumentField)]? {
        guard let mapping = field.node.mapping else {
            report("expected keys with values, as in \"key: value\"", at: field)
            return nil
        }
        var entries: [(key: String, field: DocumentField)] = []
        var seen: Set<String> = []
        for (keyNode, value) in mapping {
            guard let key = keyNode.text else {
                report("a key must be plain text", path: field.path, line: keyNode.line)
                continue
            }
            let entry = DocumentField(node: value, path: field.path(of: key))
            lines[entry.path] = keyNode.line
            guard seen.insert(key).inserted else {
                report("the key stands here twice; remove one", path: entry.path, line: keyNode.line)
                continue
            }
            entries.append((key, entry))
        }
        return entries
    }

    /// The entries of a mapping that may only have `known` keys.
    mutating func fields(_ field: DocumentField, known: [String]) -> [String: DocumentField]? {
        guard let entries = entries(field) else { return nil }
        var fields: [String: DocumentField] = [:]
        for (key, value) in entries {
            if known.contains(key) {
                fields[key] = value
            } else {
                let hint = nearest(to: key, among: known).map { "did you mean \"\($0)\"?" }
                let message = "unknown key; " + (hint ?? "known here: \(known.joined(separator: ", "))")
                report(message, path: value.path, line: lines[value.path])
            }
        }
        return fields
    }

    /// The elements of a list, their paths numbered from 0.
    mutating func elements(_ field: DocumentField, countMax: Int) -> [DocumentField]? {
        guard let sequence = field.node.sequence else {
            report("expected a list, each element after a dash", at: field)
            return nil
        }
        guard sequence.count <= countMax else {
            report("\(sequence.count) elements are too many; at most \(countMax) are allowed", at: field)
            return nil
        }
        return sequence.enumerated().map { index, node in
            let element = DocumentField(node: node, path: "\(field.path)[\(index)]")
            lines[element.path] = node.line
            return element
        }
    }

    /// The value of a key that must be there.
    mutating func require(
        _ key: String, in fields: [String: DocumentField], of parent: DocumentField, example: String,
    ) -> DocumentField? {
        if let field = fields[key] { return field }
        report("missing; add it, as in \(key): \(example)", path: parent.path(of: key), line: parent.line)
        return nil
    }

    // MARK: - Single values

    /// Text, in quotes or not.
    mutating func text(_ field: DocumentField) -> String? {
        guard let text = field.node.text else {
            report("expected a single value", at: field)
            return nil
        }
        guard !field.node.isNothing else {
            report("the value is empty; write one, or remove the key", at: field)
            return nil
        }
        return text
    }

    /// The text of a number, which stands in quotes.
    mutating func quoted(_ field: DocumentField) -> String? {
        guard let text = text(field) else { return nil }
        if field.node.isQuoted { return text }
        report("write the number in quotes, \"\(text)\": unquoted, YAML makes it a binary fraction", at: field)
        return nil
    }

    /// A decimal number in quotes, read by `parse`.
    mutating func decimal<Value>(
        _ field: DocumentField, _ parse: (String) throws(MonetaryError) -> Value,
    ) -> Value? {
        guard let text = quoted(field) else { return nil }
        do {
            return try parse(text)
        } catch {
            report("\(error)", at: field)
            return nil
        }
    }

    /// A whole number without quotes.
    mutating func integer(_ field: DocumentField, in range: ClosedRange<Int64>) -> Int64? {
        guard let text = text(field) else { return nil }
        let isPlain = !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard isPlain, let value = Int64(text), range.contains(value) else {
            report("\"\(text)\" is not a whole number from \(range.lowerBound) to \(range.upperBound)", at: field)
            return nil
        }
        return value
    }

    /// One of the words of an enumeration.
    mutating func choice<Value>(_ field: DocumentField, of type: Value.Type) -> Value?
    where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
        guard let text = text(field) else { return nil }
        if let value = Value(rawValue: text) { return value }
        let words = Value.allCases.map(\.rawValue).joined(separator: ", ")
        report("\"\(text)\" is not one of: \(words)", at: field)
        return nil
    }

    /// The known key that differs by at most two letters.
    private func nearest(to key: String, among known: [String]) -> String? {
        guard key.count <= 32 else { return nil }
        let candidate = known.map { ($0, editDistance(Array(key), Array($0))) }.min { $0.1 < $1.1 }
        return candidate.flatMap { $0.1 <= 2 ? $0.0 : nil }
    }

    private func editDistance(_ left: [Character], _ right: [Character]) -> Int {
        var previous = Array(0...right.count)
        for (row, character) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                let replaced = previous[column] + (character == other ? 0 : 1)
                current.append(min(replaced, previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return previous[right.count]
    }
}
