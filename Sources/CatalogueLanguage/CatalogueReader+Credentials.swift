import Engines
import StrictYAML

// Credentials of a backend: written down, in a variable, or the name of a secret.

extension CatalogueReader {
    /// Variables that a catalogue may name begin so: nothing else of the environment reaches an engine.
    static let variablePrefix = "TOLLGATE_BACKEND_"
    /// Behind a variable's name: where its value may be sent, separated by commas.
    static let hostsSuffix = "_HOSTS"

    /// What stands for a credential.
    enum Credential {
        case value(String)
        case variable(name: String, value: String, node: YAMLNode, path: String)
        case secret(name: String)

        /// Nil where it stands in a secret.
        var value: String? {
            switch self {
            case .value(let value), .variable(_, let value, _, _): value
            case .secret: nil
            }
        }
    }

    /// The credential of a slot: as `key`, from the variable that `key_env` names, or by `secretKey`; nil where none of
    /// them stands, or with a finding.
    mutating func credential(
        _ slot: CredentialSlot, _ members: [String: YAMLNode], secretKey: String, _ path: String, _ parent: YAMLNode
    ) -> Credential? {
        let key = slot.rawValue
        let there = [key, "\(key)_env", secretKey].filter { members[$0] != nil }
        guard there.count <= 1 else {
            report(
                "\(path).\(there[0])", members[there[1]] ?? parent, "write either \(there.joined(separator: " or "))")
            return nil
        }
        switch there.first {
        case key:
            return text(members, key, path, parent).flatMap { written($0, "\(path).\(key)", members[key] ?? parent) }
        case secretKey: return named(members, secretKey, path, parent)
        case nil: return nil
        default: return variable(members, "\(key)_env", path, parent)
        }
    }

    private mutating func written(_ value: String, _ path: String, _ node: YAMLNode) -> Credential? {
        guard BackendSecret.isValue(value) else {
            report(path, node, "a credential is visible ASCII characters")
            return nil
        }
        return .value(value)
    }

    private mutating func named(
        _ members: [String: YAMLNode], _ key: String, _ path: String, _ parent: YAMLNode
    ) -> Credential? {
        guard let name = text(members, key, path, parent) else { return nil }
        guard BackendSecret.isName(name) else {
            report(
                "\(path).\(key)", members[key] ?? parent,
                "the name of a secret must stand here, as `tollgate secrets list` shows it")
            return nil
        }
        return .secret(name: name)
    }

    private mutating func variable(
        _ members: [String: YAMLNode], _ key: String, _ path: String, _ parent: YAMLNode
    ) -> Credential? {
        let node = members[key] ?? parent
        guard let name = text(members, key, path, parent) else { return nil }
        guard name.hasPrefix(Self.variablePrefix), name.utf8.count > Self.variablePrefix.utf8.count else {
            report(
                "\(path).\(key)", node,
                "only variables that begin with \(Self.variablePrefix) may be named; rename the variable, or keep the "
                    + "value as a secret (`tollgate secrets set`)")
            return nil
        }
        guard let value = environment[name], !value.isEmpty else {
            report("\(path).\(key)", node, "the environment variable \(name) is not set")
            return nil
        }
        guard BackendSecret.isValue(value) else {
            report("\(path).\(key)", node, "the environment variable \(name) holds more than visible ASCII characters")
            return nil
        }
        return .variable(name: name, value: value, node: node, path: "\(path).\(key)")
    }

    /// Reports variables whose value may not be sent where the backend stands.
    mutating func checkVariables(_ credentials: [Credential?], of backend: Backend) {
        for case .variable(let name, _, let node, let path)? in credentials {
            let key = name + Self.hostsSuffix
            guard let text = environment[key] else {
                guard variablesNeedHosts else { continue }
                report(
                    path, node,
                    "over the API a variable needs its hosts: set \(key) to where \(name) may be sent, or keep the "
                        + "value as a secret")
                continue
            }
            let parts = text.split(separator: ",").map { $0.filter { !$0.isWhitespace } }
            let hosts = parts.compactMap { SecretHost($0) }
            guard hosts.count == parts.count, !hosts.isEmpty else {
                report(path, node, "\(key) must list hosts, such as api.openai.com, with commas between them")
                continue
            }
            if let address = backend.addressOutside(hosts) {
                report(path, node, "\(name) may not be sent to \(address): \(key) does not name it")
            }
        }
    }
}
