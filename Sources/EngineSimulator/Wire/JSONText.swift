/// Helpers with which the templates write JSON.
enum JSONText {
    /// The text as a JSON string, quotes included.
    static func quoted(_ text: String) -> String {
        "\"\(escaped(text))\""
    }

    /// The text as a JSON string, or `null`.
    static func quoted(_ text: String?) -> String {
        text.map { quoted($0) } ?? "null"
    }

    /// The text with what JSON forbids inside a string escaped.
    static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C }) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// A number, or `null`.
    static func number(_ value: Int?) -> String {
        value.map { String($0) } ?? "null"
    }

    /// A count of thousandths as a number with a fraction.
    static func milliseconds(_ thousandths: Int) -> String { fraction(thousandths, digits: 3) }

    /// A count of millionths as a number with a fraction.
    static func seconds(_ millionths: Int) -> String { fraction(millionths, digits: 6) }

    private static func fraction(_ value: Int, digits: Int) -> String {
        let scale = (0..<digits).reduce(1) { scale, _ in scale * 10 }
        let rest = String(value % scale)
        return "\(value / scale)." + String(repeating: "0", count: digits - rest.count) + rest
    }

    /// A value written again, members in the order of their names.
    static func text(of value: JSONValue) -> String {
        switch value {
        case .null: return "null"
        case .bool(let flag): return String(flag)
        case .number(let text): return text
        case .string(let text): return quoted(text)
        case .array(let values): return "[\(values.map { self.text(of: $0) }.joined(separator: ","))]"
        case .object(let members):
            let sorted = members.sorted { $0.key < $1.key }
            return "{\(sorted.map { "\(quoted($0.key)):\(self.text(of: $0.value))" }.joined(separator: ","))}"
        }
    }

    /// A JSON object of members that are already JSON, in the order given.
    static func object(_ members: KeyValuePairs<String, String>) -> String {
        "{" + members.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}"
    }
}
