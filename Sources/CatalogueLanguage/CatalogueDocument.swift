public import Engines
import Identity
import StrictYAML

/// One thing that is wrong in a catalogue file: where, and what to do about it.
public struct CatalogueFinding: Hashable, Sendable, CustomStringConvertible {
    /// Such as `models[2].context_tokens`; empty for the file as a whole.
    public let path: String
    /// From 1; nil when the file is no YAML at all.
    public let line: Int?
    public let message: String

    public var description: String {
        (line.map { "line \($0): " } ?? "") + (path.isEmpty ? "" : path + ": ") + message
    }
}

/// A catalogue file that cannot be applied; everything that is wrong with it at once.
public struct CatalogueRejection: Error, Hashable, Sendable, CustomStringConvertible {
    public let findings: [CatalogueFinding]

    public var description: String { findings.map(\.description).joined(separator: "\n") }
}

/// What `tollgate backends apply FILE` reads: all backends, and all models that clients may name.
///
/// Unknown keys, repeated names and models without their backend are refused. `secret` names a stored secret and
/// `api_key_env` an environment variable, so that the file itself need not hold a secret.
public struct CatalogueDocument: Sendable {
    public let backends: [Backend]
    public let models: [CatalogueModel]

    /// Bytes of YAML.
    public static let textBytesMax = 1 << 20
    /// Backends, and models, of one file.
    public static let entriesMax = 10_000

    /// Reads the YAML text; `environment` resolves `api_key_env`.
    /// - Parameter variablesNeedHosts: whether a variable must say where its value may be sent (`…_HOSTS`), because who
    ///   wrote the text is not who set the variables.
    public init(
        yaml: String, environment: [String: String], variablesNeedHosts: Bool = false
    ) throws(CatalogueRejection) {
        guard yaml.utf8.count <= Self.textBytesMax else {
            throw Self.rejection("the file is larger than \(Self.textBytesMax) bytes")
        }
        let node: YAMLNode?
        do throws(YAMLProblem) {
            node = try YAMLNode.parse(yaml)
        } catch {
            throw CatalogueRejection(findings: [CatalogueFinding(path: "", line: error.line, message: error.message)])
        }
        guard let node else { throw Self.rejection("the file is empty; it needs the keys backends and models") }
        var reader = CatalogueReader(environment: environment, variablesNeedHosts: variablesNeedHosts)
        (backends, models) = reader.read(node)
        guard reader.findings.isEmpty else { throw CatalogueRejection(findings: reader.findings) }
    }

    private static func rejection(_ message: String) -> CatalogueRejection {
        CatalogueRejection(findings: [CatalogueFinding(path: "", line: nil, message: message)])
    }
}
