import Engines
import StrictYAML

/// Reads the nodes of a catalogue file and gathers what is wrong with them.
struct CatalogueReader {
    let environment: [String: String]
    /// Whether a variable is refused that does not say where its value may be sent.
    let variablesNeedHosts: Bool
    private(set) var findings: [CatalogueFinding] = []

    /// The most findings that one file is told about.
    static let findingsMax = 100

    init(environment: [String: String], variablesNeedHosts: Bool) {
        self.environment = environment
        self.variablesNeedHosts = variablesNeedHosts
    }

    mutating func read(_ root: YAMLNode) -> (backends: [Backend], models: [CatalogueModel]) {
        let members = members(of: root, path: "", known: ["backends", "models"])
        var backends: [String: Backend] = [:]
        for (index, node) in list(members["backends"], path: "backends", parent: root).enumerated() {
            guard let backend = backend(node, path: "backends[\(index)]") else { continue }
            if backends.updateValue(backend, forKey: backend.name) != nil {
                report("backends[\(index)].name", node, "\"\(backend.name)\" stands there twice")
            }
        }
        var models: [CatalogueModel] = []
        var names: Set<String> = []
        for (index, node) in list(members["models"], path: "models", parent: root).enumerated() {
            let path = "models[\(index)]"
            guard let model = model(node, path: path, backends: backends) else { continue }
            for name in [model.publicName] + model.aliases where !names.insert(name).inserted {
                report(path, node, "the name \"\(name)\" stands there twice; names and aliases must all differ")
            }
            models.append(model)
        }
        return (backends.values.sorted { $0.name < $1.name }, models)
    }

    mutating func report(_ path: String, _ node: YAMLNode, _ message: String) {
        guard findings.count < Self.findingsMax else { return }
        findings.append(CatalogueFinding(path: path, line: node.line, message: message))
    }
}
