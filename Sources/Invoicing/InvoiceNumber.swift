public import Accounts
public import Identity

/// A number of a series without gaps, such as `INV-2026-000001`. The series changes with the year of the document's
/// date; credit notes have one of their own.
public struct InvoiceNumber: Hashable, Sendable, CustomStringConvertible {
    public let series: String
    /// 1 for the first.
    public let value: Int64

    /// The digits that a number is filled up to; a larger one has more.
    public static let digits = 6

    /// The series of credit notes dated in the year of `date`: `CN-2026`; `CN-TEST-2026` for those of test accounts.
    public static func creditNoteSeries(of mode: AccountMode, on date: CivilDate) -> String {
        switch mode {
        case .live: "CN-\(date.year)"
        case .test: "CN-TEST-\(date.year)"
        }
    }

    public init(series: String, value: Int64) {
        self.series = series
        self.value = value
    }

    /// Reads what `description` writes; nil for anything else.
    public init?(_ text: String) {
        guard let dash = text.lastIndex(of: "-"), let value = Int64(text[text.index(after: dash)...]), value > 0 else {
            return nil
        }
        self.init(series: String(text[..<dash]), value: value)
        guard description == text else { return nil }
    }

    /// The series of invoices dated in the year of `date`: `INV-2026`; `INV-TEST-2026` for those of test accounts.
    public static func series(of mode: AccountMode, on date: CivilDate) -> String {
        switch mode {
        case .live: "INV-\(date.year)"
        case .test: "INV-TEST-\(date.year)"
        }
    }

    public var description: String {
        let text = "\(value)"
        return series + "-" + String(repeating: "0", count: max(0, InvoiceNumber.digits - text.utf8.count)) + text
    }
}
