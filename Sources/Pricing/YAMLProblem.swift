import Yams

/// What the YAML parser could not read, without the document's text around it.
struct YAMLProblem {
    let message: String
    let line: Int?

    init(_ error: any Error) {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            message = "not valid YAML: \(problem)"
            line = mark.line
        case .duplicatedKeysInMapping(let keys, let context):
            message = "the key \(keys.map { "\"\($0)\"" }.joined(separator: ", ")) stands here twice; remove one"
            line = context.mark.line
        case .reader(let problem, _, _, _):
            message = "not valid YAML: \(problem)"
            line = nil
        default:
            message = "not valid YAML"
            line = nil
        }
    }
}
