/// Why an operation on money or prices was refused. Nothing here is ever a trap: amounts come from customers' data.
public enum MonetaryError: Error, Equatable, Sendable {
    /// The exact result does not fit (128 bits for amounts, 64 bits for prices).
    case overflow
    /// Two amounts of different currencies met in one operation.
    case currencyMismatch(Currency, Currency)
    /// A division by zero, or a ratio whose denominator is zero.
    case divisionByZero
    /// An exact result was demanded and the value has more digits than its type holds.
    case inexact(String)
    /// A negative value where only zero and above has a meaning (prices, multipliers, percentages).
    case negative(String)
    /// Text that is not a plain decimal number of the form asked for.
    case malformed(text: String, reason: String)
    /// A currency code that the table of ISO 4217 does not hold.
    case unknownCurrency(String)
}

extension MonetaryError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .overflow:
            "the amount is too large to be held exactly"
        case .currencyMismatch(let left, let right):
            "\(left.code) and \(right.code) cannot be combined: convert one of them first"
        case .divisionByZero:
            "division by zero"
        case .inexact(let what):
            "\(what): the result has more digits than can be kept; shorten it or allow rounding"
        case .negative(let text):
            "\"\(text)\" is negative; use zero or a positive number"
        case .malformed(let text, let reason):
            "\"\(text)\" is not a decimal number: \(reason)"
        case .unknownCurrency(let code):
            "\"\(code)\" is not a known currency; use an ISO 4217 code such as USD or EUR"
        }
    }
}
