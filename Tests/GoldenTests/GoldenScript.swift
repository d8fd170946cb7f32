import Foundation

/// One line of a case: what happens, to what, and how. `Cases/README.md` lists the words.
struct GoldenStep: Sendable {
    let verb: String
    /// The words without a name, in order.
    let subjects: [String]
    private let values: [String: String]
    let line: Int

    /// Reads a case. A line is words parted by spaces; `"` holds a value with spaces together, `#` begins a comment.
    static func read(_ text: String) throws -> [GoldenStep] {
        try text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap { index, line in
            try GoldenStep(String(line), number: index + 1)
        }
    }

    private init?(_ text: String, number: Int) throws {
        let words = try GoldenStep.words(of: text, line: number)
        guard let verb = words.first else { return nil }
        self.verb = verb
        line = number
        var subjects: [String] = []
        var values: [String: String] = [:]
        for word in words.dropFirst() {
            guard let equals = word.firstIndex(of: "=") else {
                subjects.append(word)
                continue
            }
            let name = String(word[..<equals])
            guard values.updateValue(String(word[word.index(after: equals)...]), forKey: name) == nil else {
                throw GoldenError(line: number, "\(name) stands twice")
            }
        }
        self.subjects = subjects
        self.values = values
    }

    private static func words(of text: String, line: Int) throws -> [String] {
        var words: [String] = []
        var word = ""
        var isQuoted = false
        for character in text {
            switch character {
            case "\"": isQuoted.toggle()
            case "#" where !isQuoted && word.isEmpty: return words
            case " " where !isQuoted:
                if !word.isEmpty { words.append(word) }
                word = ""
            default: word.append(character)
            }
        }
        guard !isQuoted else { throw GoldenError(line: line, "a quote is not closed") }
        return word.isEmpty ? words : words + [word]
    }

    subscript(name: String) -> String? { values[name] }

    func subject(_ index: Int) throws -> String {
        guard subjects.indices.contains(index) else { throw GoldenError(line: line, "a word is missing") }
        return subjects[index]
    }

    func required(_ name: String) throws -> String {
        guard let value = values[name] else { throw GoldenError(line: line, "\(name)=… is missing") }
        return value
    }

    func integer(_ name: String) throws -> Int64? {
        guard let text = values[name] else { return nil }
        guard let value = Int64(text.replacing("_", with: "")) else {
            throw GoldenError(line: line, "\(name): \"\(text)\" is no whole number")
        }
        return value
    }

    /// Refuses names that nothing reads: a misspelt one would make a case that says less than it shows.
    func allow(_ names: Set<String>) throws {
        if let unknown = values.keys.filter({ !names.contains($0) }).min() {
            throw GoldenError(line: line, "\(verb) knows no \(unknown)")
        }
    }
}

/// A case that cannot be played.
struct GoldenError: Error, CustomStringConvertible {
    let description: String

    init(line: Int, _ text: String) { description = "line \(line): \(text)" }
}
