import Foundation
import Testing

/// A case's folder: `case.txt` and plans are written by hand; everything in `expected` by a run that was accepted.
struct GoldenCase: Sendable, CustomTestStringConvertible {
    let name: String
    var testDescription: String { name }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Cases")

    static let all: [GoldenCase] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []
        return names.filter { FileManager.default.fileExists(atPath: root.appending(path: "\($0)/case.txt").path) }
            .sorted().map(GoldenCase.init)
    }()

    /// `scripts/golden --accept` sets it: what comes out becomes what is expected, for a reviewer to read as a diff.
    static let isAccepting = ProcessInfo.processInfo.environment["TOLLGATE_GOLDEN"] == "accept"

    var directory: URL { GoldenCase.root.appending(path: name) }
    private var expected: URL { directory.appending(path: "expected") }

    func text(_ file: String) throws -> String {
        try String(contentsOf: directory.appending(path: file), encoding: .utf8)
    }

    /// Holds what a run made against the files, to the byte, or writes them.
    func compare(_ files: [String: String]) throws {
        let manager = FileManager.default
        if GoldenCase.isAccepting {
            if manager.fileExists(atPath: expected.path) { try manager.removeItem(at: expected) }
            try manager.createDirectory(at: expected, withIntermediateDirectories: true)
            for (file, text) in files { try Data(text.utf8).write(to: expected.appending(path: file)) }
            return
        }
        let stored = Set((try? manager.contentsOfDirectory(atPath: expected.path)) ?? [])
        #expect(stored == Set(files.keys), "\(name): other files than expected; `scripts/golden --accept` and review")
        for (file, text) in files.sorted(by: { $0.key < $1.key }) where stored.contains(file) {
            let before = try Data(contentsOf: expected.appending(path: file))
            guard before != Data(text.utf8) else { continue }
            let difference = GoldenFiles.firstDifference(String(decoding: before, as: UTF8.self), text)
            Issue.record("\(name)/expected/\(file): \(difference)")
        }
    }
}

enum GoldenFiles {
    /// Lays canonical JSON out one value a line. Only spaces and line ends between values are added, where canonical
    /// JSON has none: texts are equal exactly where their JSON is, to the byte.
    static func laidOut(_ json: String) -> String {
        var text = String.UnicodeScalarView()
        var depth = 0
        var isString = false
        var isEscaped = false
        func newLine() { text.append(contentsOf: ("\n" + String(repeating: " ", count: depth * 2)).unicodeScalars) }
        for character in json.unicodeScalars {
            if isString {
                text.append(character)
                isString = isEscaped || character != "\""
                isEscaped = !isEscaped && character == "\\"
                continue
            }
            let opened = text.last == "{" || text.last == "["
            if character == "}" || character == "]" {
                depth -= 1
                if !opened { newLine() }
            } else if opened {
                newLine()
            }
            text.append(character)
            switch character {
            case "{", "[": depth += 1
            case ",": newLine()
            default: isString = character == "\""
            }
        }
        return String(text) + "\n"
    }

    /// The JSON of a laid out text.
    static func together(_ text: String) -> String {
        text.split(separator: "\n").map { $0.drop { $0 == " " } }.joined()
    }

    /// The page without its style sheet, which is the same on all and is held on its own.
    static func splitStyle(_ html: String) throws -> (page: String, style: String) {
        let start = try #require(html.firstRange(of: "<style>"))
        let end = try #require(html.firstRange(of: "</style>"))
        let style = html[start.upperBound..<end.lowerBound]
        return (html.replacingCharacters(in: start.upperBound..<end.lowerBound, with: "…"), String(style))
    }

    static func firstDifference(_ expected: String, _ found: String) -> String {
        let left = expected.split(separator: "\n", omittingEmptySubsequences: false)
        let right = found.split(separator: "\n", omittingEmptySubsequences: false)
        for index in 0..<max(left.count, right.count) {
            let (one, two) = (index < left.count ? left[index] : "(end)", index < right.count ? right[index] : "(end)")
            if one != two { return "line \(index + 1)\n  expected: \(one)\n  found:    \(two)" }
        }
        return "equal"
    }
}
