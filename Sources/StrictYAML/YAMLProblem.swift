import Yams

/// What could not be read, without the text around it.
public struct YAMLProblem: Error, Hashable, Sendable, CustomStringConvertible {
    public let message: String
    /// From 1; nil where the text is none at all.
    public let line: Int?

    public var description: String { message }

    init(_ problem: String, line: Int?) {
        self.init(message: "not valid YAML: \(problem)", line: line)
    }

    private init(message: String, line: Int?) {
        self.message = message
        self.line = line
    }

    init(_ error: any Error) {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            self.init(problem, line: mark.line)
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.map { "\"\($0)\"" }.joined(separator: ", ")
            self.init(message: "the key \(names) stands here twice; remove one", line: context.mark.line)
        case .reader(let problem, _, _, _):
            self.init(problem, line: nil)
        default:
            self.init(message: "not valid YAML", line: nil)
        }
    }
}
