/// A piece of HTML. Text and attribute values are escaped when it is written, so no name can become markup; only the
/// module's own style sheet is written as it stands.
indirect enum HTMLNode {
    case text(String)
    case element(String, [(name: String, value: String)], [HTMLNode])
    /// The content of `<style>`: raw text, where HTML has no escapes.
    case style(StaticString)

    /// An element without attributes or with a class.
    static func make(_ name: String, class style: String? = nil, _ children: [HTMLNode]) -> HTMLNode {
        .element(name, style.map { [("class", $0)] } ?? [], children)
    }

    /// An element that holds words of ours.
    static func make(_ name: String, class style: String? = nil, _ words: String) -> HTMLNode {
        make(name, class: style, [.text(words)])
    }

    /// An element that holds a name, which may run from right to left whatever surrounds it.
    static func name(_ name: String, class style: String? = nil, _ words: String) -> HTMLNode {
        .element(name, (style.map { [("class", $0)] } ?? []) + [("dir", "auto")], [.text(words)])
    }

    /// The text of a whole document.
    static func document(_ root: HTMLNode) -> String {
        var text = "<!DOCTYPE html>\n"
        root.write(to: &text)
        return text + "\n"
    }

    private static let voidElements: Set<String> = ["meta", "br", "hr"]
    /// Begin a line of their own, so that a person can read the source and `diff` two of them.
    private static let blockElements: Set<String> = [
        "head", "body", "meta", "title", "style", "main", "header", "section", "footer", "table", "thead", "tbody",
        "tr", "dl", "h1", "h2", "h3", "p",
    ]

    private func write(to text: inout String) {
        switch self {
        case .text(let words):
            HTMLNode.escape(words, into: &text)
        case .style(let sheet):
            text += "\n<style>\n\(sheet)</style>"
        case .element(let name, let attributes, let children):
            if HTMLNode.blockElements.contains(name) { text += "\n" }
            text += "<\(name)"
            for attribute in attributes {
                text += " \(attribute.name)=\""
                HTMLNode.escape(attribute.value, into: &text)
                text += "\""
            }
            text += ">"
            if HTMLNode.voidElements.contains(name) { return }
            for child in children { child.write(to: &text) }
            text += "</\(name)>"
        }
    }

    private static func escape(_ words: String, into text: inout String) {
        for scalar in words.unicodeScalars {
            switch scalar {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&quot;"
            case "'": text += "&#39;"
            // HTML has no way to write control characters.
            case _ where scalar.properties.generalCategory == .control: text += " "
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}
