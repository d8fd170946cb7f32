import ArgumentParser
import Foundation

/// The text of a file that an argument names, or what is wrong with it.
func readText(_ path: String) throws -> String {
    guard access(path, R_OK) == 0 else { throw ValidationError("\(path): \(String(cString: strerror(errno)))") }
    do {
        return try String(contentsOfFile: path, encoding: .utf8)
    } catch {
        throw ValidationError("\(path): this is not a file of UTF-8 text")
    }
}
