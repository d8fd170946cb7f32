import Engines
import Identity
import Yams

/// Reads the nodes of a catalogue file and gathers what is wrong with them.
struct CatalogueReader {
    let environment: [String: String]
    private(set) var findings: [CatalogueFinding] = []

    /// The most findings that one file is told about.
    static let findingsMax = 100

    init(environment: [String: String]) {
        self.environment = environment
    }

    mutating func read(_ root: Node) -> (backends: [Backend], models: [CatalogueModel]) {
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

    private mutating func backend(_ node: Node, path: String) -> Backend? {
        let known = ["name", "url", "api_key", "api_key_env", "hardware", "quantisation"]
        let members = members(of: node, path: path, known: known)
        let name = text(members, "name", path, node)
        let url = text(members, "url", path, node)
        if let name, !isSlug(name) {
            report("\(path).name", node, "\"\(name)\" must be lowercase letters, digits and dashes, at most 63")
        }
        let key = apiKey(members, path: path, node)
        let hardware = text(members, "hardware", path, node, default: "")
        let quantisation = text(members, "quantisation", path, node, default: "")
        guard let name, let url, let hardware, let quantisation else { return nil }
        do throws(BackendURLError) {
            return try Backend(
                name: name, baseURL: url, apiKey: key, hardware: hardware, quantisation: quantisation)
        } catch {
            report("\(path).url", members["url"] ?? node, error.description)
            return nil
        }
    }

    private mutating func apiKey(_ members: [String: Node], path: String, _ node: Node) -> String? {
        guard let variable = members["api_key_env"] else {
            return members["api_key"] == nil ? nil : text(members, "api_key", path, node)
        }
        guard members["api_key"] == nil else {
            report("\(path).api_key", variable, "write either api_key or api_key_env")
            return nil
        }
        guard let name = text(members, "api_key_env", path, node) else { return nil }
        guard let value = environment[name], !value.isEmpty else {
            report("\(path).api_key_env", variable, "the environment variable \(name) is not set")
            return nil
        }
        return value
    }

    private mutating func model(_ node: Node, path: String, backends: [String: Backend]) -> CatalogueModel? {
        let known = [
            "name", "aliases", "backend", "upstream_name", "price_key", "context_tokens", "output_tokens",
            "tenants_allowed",
        ]
        let members = members(of: node, path: path, known: known)
        let name = text(members, "name", path, node)
        let backendName = text(members, "backend", path, node)
        if let backendName, backends[backendName] == nil {
            report("\(path).backend", members["backend"] ?? node, "there is no backend \"\(backendName)\" in this file")
        }
        let upstreamName = text(members, "upstream_name", path, node, default: name)
        let priceKey = text(members, "price_key", path, node, default: name)
        let context = tokens(members, "context_tokens", path, node)
        let output = tokens(members, "output_tokens", path, node)
        let aliases = members["aliases"].map { texts($0, path: "\(path).aliases") } ?? []
        let allowed = members["tenants_allowed"].map { tenants($0, path: "\(path).tenants_allowed") }
        guard let name, let backend = backendName.flatMap({ backends[$0] }), let upstreamName, let priceKey,
            let context, let output
        else { return nil }
        return CatalogueModel(
            publicName: name, aliases: aliases, backend: backend, upstreamName: upstreamName, priceKey: priceKey,
            contextTokensMax: context, outputTokensMax: output, tenantsAllowed: allowed, createdAtSeconds: 0)
    }

    private mutating func tenants(_ node: Node, path: String) -> Set<TenantID> {
        var tenants: Set<TenantID> = []
        for text in texts(node, path: path) {
            if let id = TenantID(text) {
                tenants.insert(id)
            } else {
                report(path, node, "\"\(text)\" is no tenant id; they look like ten_0192…")
            }
        }
        return tenants
    }
}

// MARK: - Nodes

extension CatalogueReader {
    private mutating func report(_ path: String, _ node: Node, _ message: String) {
        guard findings.count < Self.findingsMax else { return }
        findings.append(CatalogueFinding(path: path, line: node.mark?.line, message: message))
    }

    private mutating func members(of node: Node, path: String, known: [String]) -> [String: Node] {
        guard let mapping = node.mapping else {
            report(path, node, "a mapping with the keys \(known.joined(separator: ", ")) must stand here")
            return [:]
        }
        var members: [String: Node] = [:]
        for (key, value) in mapping {
            guard let name = key.string, known.contains(name) else {
                report(
                    path, key,
                    "the key \"\(key.string ?? "?")\" is not known; known are \(known.joined(separator: ", "))")
                continue
            }
            if members.updateValue(value, forKey: name) != nil { report(path, key, "the key \"\(name)\" stands twice") }
        }
        return members
    }

    private mutating func list(_ node: Node?, path: String, parent: Node) -> [Node] {
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
    private mutating func text(
        _ members: [String: Node], _ key: String, _ path: String, _ parent: Node, default standard: String? = nil
    ) -> String? {
        guard let node = members[key] else {
            if standard == nil { report("\(path).\(key)", parent, "the key is missing") }
            return standard
        }
        guard let text = node.scalar?.string, !text.isEmpty || standard == "", text.utf8.count <= 1024,
            !text.utf8.contains(where: { $0 < 0x20 })
        else {
            report("\(path).\(key)", node, "a text of 1 to 1024 bytes must stand here")
            return nil
        }
        return text
    }

    private mutating func texts(_ node: Node, path: String) -> [String] {
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

    private mutating func tokens(
        _ members: [String: Node], _ key: String, _ path: String, _ parent: Node
    ) -> Int64? {
        guard let node = members[key] else {
            report("\(path).\(key)", parent, "the key is missing: the model's limit in tokens")
            return nil
        }
        guard let count = node.scalar.flatMap({ Int64($0.string) }), (1...1_000_000_000).contains(count) else {
            report("\(path).\(key)", node, "a whole number from 1 to 1000000000 must stand here")
            return nil
        }
        return count
    }

    private func isSlug(_ text: String) -> Bool {
        let isWord = { (byte: UInt8) in (97...122).contains(byte) || (48...57).contains(byte) }
        guard let first = text.utf8.first, isWord(first), text.utf8.count <= 63 else { return false }
        return text.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: "-") }
    }
}
