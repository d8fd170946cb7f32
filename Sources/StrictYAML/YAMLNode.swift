import Yams

/// A value of a YAML text, and where it stands. Nothing is converted by YAML's own rules: a scalar is the text that
/// stands there, so `no` is no truth value and `1e3` no number unless a reader says so.
public struct YAMLNode: Sendable {
    /// What stands there.
    public enum Content: Sendable {
        case scalar(String)
        /// In the order of the text.
        case mapping([(key: YAMLNode, value: YAMLNode)])
        case sequence([YAMLNode])
    }

    public let content: Content
    /// From 1; nil where the parser did not say.
    public let line: Int?
    /// Whether a scalar stands in quotes.
    public let isQuoted: Bool

    /// The most values of a text, references among them: a short text can name the same long one again and again.
    public static let nodesMax = 2_000_000
    /// How deep values may stand in one another.
    public static let depthMax = 64

    /// Reads the only document of a text; nil where there is none.
    public static func parse(_ yaml: String) throws(YAMLProblem) -> YAMLNode? {
        let root: Node?
        do {
            root = try Parser(yaml: yaml, resolver: .basic).singleRoot()
        } catch {
            throw YAMLProblem(error)
        }
        guard let root else { return nil }
        var budget = nodesMax
        return try YAMLNode(root, depth: 0, &budget)
    }

    private init(_ node: Node, depth: Int, _ budget: inout Int) throws(YAMLProblem) {
        line = node.mark?.line
        budget -= 1
        guard budget >= 0 else { throw YAMLProblem("more than \(Self.nodesMax) values", line: line) }
        guard depth <= Self.depthMax else { throw YAMLProblem("values stand deeper than \(Self.depthMax)", line: line) }
        switch node {
        case .scalar(let scalar):
            content = .scalar(scalar.string)
            isQuoted = scalar.style == .doubleQuoted || scalar.style == .singleQuoted
        case .mapping(let mapping):
            var members: [(key: YAMLNode, value: YAMLNode)] = []
            for (key, value) in mapping {
                members.append(
                    (try YAMLNode(key, depth: depth + 1, &budget), try YAMLNode(value, depth: depth + 1, &budget)))
            }
            content = .mapping(members)
            isQuoted = false
        case .sequence(let sequence):
            var elements: [YAMLNode] = []
            for element in sequence { elements.append(try YAMLNode(element, depth: depth + 1, &budget)) }
            content = .sequence(elements)
            isQuoted = false
        case .alias:
            throw YAMLProblem("references (*name) are not read here: write the value out", line: line)
        }
    }
}

extension YAMLNode {
    /// The text of a scalar; nil for what is none.
    public var text: String? { if case .scalar(let text) = content { text } else { nil } }

    /// The members of a mapping; nil for what is none.
    public var mapping: [(key: YAMLNode, value: YAMLNode)]? {
        if case .mapping(let members) = content { members } else { nil }
    }

    /// The elements of a sequence; nil for what is none.
    public var sequence: [YAMLNode]? { if case .sequence(let elements) = content { elements } else { nil } }

    /// Whether a scalar says that there is nothing: an unquoted `~`, `null` or empty text.
    public var isNothing: Bool { !isQuoted && text.map { ["", "~", "null"].contains($0) } == true }
}
