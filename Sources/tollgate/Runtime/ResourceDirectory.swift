import Foundation

/// Finds a directory that comes with the program: in the working directory, beside the sources that it was built from,
/// or where the image installs it.
enum ResourceDirectory {
    static func path(_ name: String) throws -> String {
        let executable = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        var candidates = [URL(fileURLWithPath: FileManager.default.currentDirectoryPath)]
        var ancestor = executable.deletingLastPathComponent()
        for _ in 0..<5 {
            candidates.append(ancestor)
            ancestor.deleteLastPathComponent()
        }
        candidates.append(URL(fileURLWithPath: "/usr/share/tollgate"))
        for candidate in candidates {
            var isDirectory: ObjCBool = false
            let path = candidate.appendingPathComponent(name).path
            if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue {
                return path
            }
        }
        throw ConfigurationError(complaints: [
            "the directory '\(name)' of the program was not found; run from the project's directory"
        ])
    }
}
