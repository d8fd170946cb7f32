import Accounts
import Identity

/// What a string may be.
struct StringRule: Sendable {
    enum Format: Sendable {
        /// `prefix_` and 32 hexadecimal digits.
        case id(prefix: String)
        /// RFC 3339 with an offset.
        case instant
        /// `2026-11`
        case month
        /// `2026-11-30`
        case day
        /// A decimal number of any sign.
        case decimal
    }

    /// In characters.
    var lengths: ClosedRange<Int>
    var format: Format?
    var choices: [String]?

    /// What is wrong with `text`; nil when nothing is.
    func complaint(about text: String) -> String? {
        if let choices, !choices.contains(text) { return "must be one of \(choices.joined(separator: ", "))" }
        if text.utf8.contains(0) { return "must not hold a NUL character" }
        guard lengths.contains(text.count) else {
            return text.isEmpty
                ? "must not be empty" : "must have \(lengths.lowerBound) to \(lengths.upperBound) characters"
        }
        guard let format, !format.accepts(text) else { return nil }
        return "must be \(format.explanation)"
    }
}

extension StringRule.Format {
    func accepts(_ text: String) -> Bool {
        switch self {
        case .id(let prefix):
            return text.hasPrefix(prefix + "_") && text.utf8.count == prefix.utf8.count + 33
                && UUIDv7(text.dropFirst(prefix.count + 1)) != nil
        case .instant: return Timestamp(text).map { Self.instants.contains($0) } ?? false
        case .month: return CivilMonth(text) != nil
        case .day: return CivilDate(text) != nil
        case .decimal:
            let parts = text.drop { $0 == "-" }.split(separator: ".", omittingEmptySubsequences: false)
            return (1...2).contains(parts.count)
                && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy { $0.isASCII && $0.isNumber } }
        }
    }

    /// What is billed lies in these, and so does every month that they are in.
    private static let instants =
        Timestamp(
            milliseconds: 0)..<Timestamp(
            milliseconds: (CivilDate(year: CivilMonth.years.upperBound + 1, month: 1, day: 1)?.daysSince1970 ?? 0)
                * 86_400_000)

    var explanation: String {
        switch self {
        case .id(let prefix): "an id: \(prefix)_ and 32 hexadecimal digits"
        case .instant:
            "an RFC 3339 time from 1970 on such as 2026-12-01T00:00:00Z (write + as %2B in a query)"
        case .month: "a month such as 2026-11, from 1970 on"
        case .day: "a day such as 2026-11-30"
        case .decimal: "a decimal number such as 12.50"
        }
    }

    /// Keywords of JSON Schema.
    var keywords: [JSONValue.Member] {
        switch self {
        case .id(let prefix): [.init(name: "pattern", value: "^\(prefix)_[0-9a-f]{32}$")]
        case .instant: [.init(name: "format", value: "date-time")]
        case .month: [.init(name: "pattern", value: "^[0-9]{4}-(0[1-9]|1[0-2])$")]
        case .day: [.init(name: "format", value: "date")]
        case .decimal: [.init(name: "pattern", value: "^-?[0-9]+(\\.[0-9]+)?$")]
        }
    }
}
