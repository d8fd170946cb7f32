import ArgumentParser
import Foundation
import StrictYAML

/// What is wrong with the configuration, each with the place it came from.
struct ConfigurationError: Error, CustomStringConvertible {
    let complaints: [String]

    var description: String { complaints.joined(separator: "\n") }
}

/// The values in force and where each came from.
struct Configuration: Sendable {
    enum Source: Sendable, Equatable {
        case fallback
        case file(String)
        case environment(String)
    }

    private var values: [String: (value: String, source: Source)] = [:]

    /// Reads the file, when there is one, and the environment over it. Unknown keys and bad values are all reported
    /// at once.
    static func load(file: String?, environment: [String: String]) throws(ConfigurationError) -> Configuration {
        var configuration = Configuration()
        var complaints: [String] = []
        for setting in Setting.all {
            if let fallback = setting.fallback { configuration.values[setting.key] = (fallback, .fallback) }
        }
        if let file {
            do {
                for (key, value) in try flattened(file: file) {
                    configuration.set(key, to: value, from: .file(file), complaints: &complaints)
                }
            } catch {
                complaints.append(contentsOf: error.complaints)
            }
        }
        for setting in Setting.all {
            if let value = environment[setting.variable] {
                configuration.set(setting.key, to: value, from: .environment(setting.variable), complaints: &complaints)
            }
        }
        for variable in environment.keys.sorted() where !Setting.isKnown(variable: variable) {
            complaints.append(
                "\(variable): there is no such setting; `tollgate config check` lists those there are. Unset it or "
                    + "correct its name")
        }
        guard complaints.isEmpty else { throw ConfigurationError(complaints: complaints) }
        return configuration
    }

    private mutating func set(_ key: String, to value: String, from source: Source, complaints: inout [String]) {
        guard let setting = Setting.byKey[key] else {
            complaints.append("\(source): there is no key '\(key)'; `tollgate config check` lists those there are")
            return
        }
        if let complaint = setting.complaint(about: value) {
            complaints.append("\(source): \(key) \(complaint)")
            return
        }
        values[key] = (value, source)
    }

    /// The value of an optional key.
    func text(_ key: String) -> String? {
        precondition(Setting.byKey[key] != nil, "no such setting: \(key)")
        return values[key]?.value
    }

    /// The value of a key that has a default or that the command cannot do without.
    func required(_ key: String) throws(ConfigurationError) -> String {
        if let value = text(key) { return value }
        let variable = Setting.byKey[key]?.variable ?? ""
        throw ConfigurationError(complaints: [
            "\(key) is not set: put it into the configuration file (--config) or into \(variable)"
        ])
    }

    /// The value of a whole number that has a default.
    func integer(_ key: String) throws(ConfigurationError) -> Int {
        let value = try required(key)
        guard let number = Int(value) else {
            throw ConfigurationError(complaints: ["\(key) is not a whole number: '\(value)'"])
        }
        return number
    }

    /// The directory of the schema's migrations.
    func migrationsDirectory() throws(ConfigurationError) -> String {
        let directory = try required("database.migrations")
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory), isDirectory.boolValue else {
            let path = URL(fileURLWithPath: directory).path
            throw ConfigurationError(complaints: [
                "database.migrations: there is no directory \(path). Run from the directory that has 'migrations', or "
                    + "set database.migrations (TOLLGATE_DATABASE_MIGRATIONS) to it"
            ])
        }
        return directory
    }

    /// Where the value of `key` came from; nil when it has none.
    func source(of key: String) -> Source? { values[key]?.source }

    /// The same with some keys set by the program itself, as `tollgate dev` does.
    func setting(_ overrides: [String: String]) throws(ConfigurationError) -> Configuration {
        var copy = self
        var complaints: [String] = []
        for (key, value) in overrides { copy.set(key, to: value, from: .fallback, complaints: &complaints) }
        guard complaints.isEmpty else { throw ConfigurationError(complaints: complaints) }
        return copy
    }
}

extension Configuration.Source: CustomStringConvertible {
    var description: String {
        switch self {
        case .fallback: "default"
        case .file(let path): path
        case .environment(let variable): variable
        }
    }
}

/// The file's nested mappings as dotted keys.
private func flattened(file: String) throws(ConfigurationError) -> [(key: String, value: String)] {
    let node: YAMLNode?
    do {
        node = try YAMLNode.parse(readText(file))
    } catch let error as ValidationError {
        throw ConfigurationError(complaints: ["\(error)"])
    } catch let error as YAMLProblem {
        throw ConfigurationError(complaints: ["\(file)\(error.line.map { ":\($0)" } ?? ""): \(error.message)"])
    } catch {
        throw ConfigurationError(complaints: ["\(file): \(error)"])
    }
    guard let node, !node.isNothing else { return [] }
    var result: [(key: String, value: String)] = []
    var complaints: [String] = []
    func walk(_ node: YAMLNode, _ path: String) {
        switch node.content {
        case .mapping(let members):
            for (key, value) in members {
                let name = key.text ?? ""
                walk(value, path.isEmpty ? name : "\(path).\(name)")
            }
        case .scalar(let text):
            result.append((key: path, value: text))
        case .sequence:
            complaints.append("\(file): '\(path)' is neither a value nor a group of keys")
        }
    }
    walk(node, "")
    guard complaints.isEmpty else { throw ConfigurationError(complaints: complaints) }
    return result
}

extension Configuration {
    /// Whether the gateway leaves its journal to `tollgate serve ingest`.
    var isIngestApart: Bool { text("gateway.ingest") == "apart" }
}
