/// Decimal text for people: `1234567.5` becomes `1,234,567.5`, a minus becomes `−`. Digits are moved, never computed,
/// so nothing is rounded here. Text that is no plain decimal stays as it is.
enum NumberText {
    /// The typographical minus, as wide as a digit.
    static let minus = "\u{2212}"

    /// With separators between thousands and at least `fractionDigitsMin` decimals.
    static func grouped(_ text: String, fractionDigitsMin: Int = 0) -> String {
        guard let parts = Parts(text) else { return text }
        var whole = ""
        for (offset, digit) in parts.whole.enumerated() {
            if offset > 0, (parts.whole.count - offset).isMultiple(of: 3) { whole.append(",") }
            whole.append(digit)
        }
        let padding = String(repeating: "0", count: max(0, fractionDigitsMin - parts.fraction.count))
        let fraction = parts.fraction + padding
        return (parts.isNegative ? minus : "") + whole + (fraction.isEmpty ? "" : "." + fraction)
    }

    /// True where both are the same number, whatever zeros trail.
    static func areEqual(_ left: String, _ right: String) -> Bool {
        guard let left = Parts(left), let right = Parts(right) else { return left == right }
        return left.trimmed == right.trimmed
    }

    static func isZero(_ text: String) -> Bool { areEqual(text, "0") }

    static func isNegative(_ text: String) -> Bool { text.hasPrefix("-") && !isZero(text) }

    private struct Parts {
        var isNegative: Bool
        var whole: Substring
        var fraction: String

        init?(_ text: String) {
            isNegative = text.hasPrefix("-")
            let pieces = text.dropFirst(isNegative ? 1 : 0).split(
                separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
            let isDigits = { (piece: Substring) in !piece.isEmpty && piece.utf8.allSatisfy { (48...57).contains($0) } }
            guard pieces.allSatisfy(isDigits) else { return nil }
            whole = pieces[0]
            fraction = pieces.count > 1 ? String(pieces[1]) : ""
        }

        /// The one text of this value: no needless zeros, no negative zero.
        var trimmed: String {
            var digits = fraction
            while digits.last == "0" { digits.removeLast() }
            let isZero = digits.isEmpty && whole.allSatisfy { $0 == "0" }
            return (isNegative && !isZero ? "-" : "") + whole + "." + digits
        }
    }
}
