import Foundation

/// The tree that these tests read: found from this file's own place, so that it is the one being built.
enum Repository {
    static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// Paths, relative to the root and sorted, of the files below a directory whose names end in one of `extensions`.
    static func files(under directory: String, extensions: Set<String>) throws -> [String] {
        let start = root.appending(path: directory)
        guard FileManager.default.fileExists(atPath: start.path) else { return [] }
        return try FileManager.default.subpathsOfDirectory(atPath: start.path)
            .map { "\(directory)/\($0)" }
            .filter { extensions.contains(URL(filePath: $0).pathExtension) && !$0.contains("/.build") }
            .sorted()
    }

    /// Names of the directories directly below a directory.
    static func directories(under directory: String) throws -> Set<String> {
        let start = root.appending(path: directory)
        let names = try FileManager.default.contentsOfDirectory(atPath: start.path)
        return Set(
            names.filter { name in
                var isDirectory: ObjCBool = false
                let path = start.appending(path: name).resolvingSymlinksInPath().path
                return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
            })
    }

    /// The sources of each target under Sources, parsed once a call.
    static func swiftSources(under directory: String = "Sources") throws -> [SwiftSource] {
        try files(under: directory, extensions: ["swift"]).map { SwiftSource(path: $0, text: try text($0)) }
    }
}

/// A place that breaks a rule.
struct Violation: CustomStringConvertible, Equatable {
    var path: String
    var line: Int
    var message: String

    var description: String { "\(path):\(line): \(message)" }
}

extension [Violation] {
    /// One line a violation, for a failed expectation.
    var report: String { "\n" + map(\.description).joined(separator: "\n") }
}
