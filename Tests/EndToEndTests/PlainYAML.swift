/// Reads the plain part of YAML that plan files are written in (nested keys, lists of mappings, one value a line) into
/// dotted paths. It shares nothing with the program, which uses a real parser.
struct PlainYAML {
    private(set) var values: [String: String] = [:]

    init(_ text: String) {
        var open: [(indent: Int, key: String)] = []
        var items: [String: Int] = [:]
        for line in text.split(separator: "\n") {
            var content = Self.withoutComment(line)
            var indent = content.prefix { $0 == " " }.count
            content = content.dropFirst(indent)
            if content.isEmpty { continue }
            open.removeAll { $0.indent >= indent }
            if content.hasPrefix("- ") {
                let list = open.map(\.key).joined(separator: ".")
                open.append((indent, "\(items[list, default: 0])"))
                items[list, default: 0] += 1
                content = content.dropFirst(2)
                indent += 2
            }
            let path = open.map(\.key)
            if content.hasPrefix("{") {
                for pair in content.dropFirst().dropLast().split(separator: ",") { take(pair, in: path) }
            } else if content.hasSuffix(":") {
                open.append((indent, String(content.dropLast())))
            } else {
                take(content, in: path)
            }
        }
    }

    subscript(path: String...) -> String? { values[path.joined(separator: ".")] }

    /// The distinct keys right below a path.
    func keys(below path: String) -> [String] {
        let prefix = path + "."
        let names = values.keys.filter { $0.hasPrefix(prefix) }.compactMap { key in
            key.dropFirst(prefix.count).split(separator: ".").first.map(String.init)
        }
        return Set(names).sorted()
    }

    private mutating func take(_ pair: Substring, in path: [String]) {
        guard let colon = pair.firstIndex(of: ":") else { return }
        let key = pair[..<colon].filter { $0 != " " }
        let value = pair[pair.index(after: colon)...].drop { $0 == " " }
        values[(path + [key]).joined(separator: ".")] = value.filter { $0 != "\"" }
    }

    private static func withoutComment(_ line: Substring) -> Substring {
        var text = line
        if text.first == "#" { return "" }
        if let hash = text.firstRange(of: " #") { text = text[..<hash.lowerBound] }
        while text.last == " " { text.removeLast() }
        return text
    }
}
