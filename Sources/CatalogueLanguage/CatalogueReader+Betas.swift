import Engines
import StrictYAML

extension CatalogueReader {
    /// Which values of `anthropic-beta` a backend takes; nil where the file does not say.
    mutating func anthropicBetas(_ members: [String: YAMLNode], kind: EngineKind, _ path: String) -> [String]? {
        guard let node = members["anthropic_betas"] else { return nil }
        let path = "\(path).anthropic_betas"
        guard kind.takesAnthropicBetas else {
            report(path, node, "\(kind.rawValue) takes no anthropic-beta; leave it out")
            return nil
        }
        let names = texts(node, path: path)
        guard names.count <= AnthropicBetas.countMax else {
            report(path, node, "at most \(AnthropicBetas.countMax) names")
            return nil
        }
        for name in names where !AnthropicBetas.isName(name) {
            report(path, node, "\"\(name)\" is no beta; they look like interleaved-thinking-2025-05-14")
        }
        return names
    }

    /// The tiers that a backend serves beside the base one.
    mutating func tiers(_ members: [String: YAMLNode], _ path: String) -> [String] {
        guard let node = members["tiers"] else { return [] }
        let path = "\(path).tiers"
        let names = texts(node, path: path)
        guard names.count <= CatalogueReader.tiersMax else {
            report(path, node, "at most \(CatalogueReader.tiersMax) tiers")
            return []
        }
        for name in names where !isSlug(name) || name == "batch" || name == "standard" {
            report(path, node, "\"\(name)\" is no tier that a backend may have beside the base one")
        }
        return names
    }

    private static let tiersMax = 16
}
