import Foundation
import Metering

/// Tags as a JSON object of strings, sorted by name.
enum TagText {
    static func json(of tags: [Tag]) -> String {
        let pairs = Dictionary(
            tags.map { ($0.name.storable, $0.value.storable) }, uniquingKeysWith: { _, last in last })
        let members = pairs.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
        return "{" + members.joined(separator: ",") + "}"
    }

    static func tags(fromJSON text: String) throws -> [Tag] {
        guard let pairs = try? JSONDecoder().decode([String: String].self, from: Data(text.utf8)) else {
            throw StorageError.corrupt("tags are no JSON object of strings")
        }
        return pairs.sorted { $0.key < $1.key }.map { Tag(name: $0.key, value: $0.value) }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\u{0}"..."\u{1F}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
