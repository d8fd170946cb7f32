/// An integer of any size, done as one does it on paper: decimal digits, carry, long division. Slow and plain on
/// purpose: tests hold the program's arithmetic against it, and it shares no code with the program.
public struct NaiveInteger: Equatable, Sendable {
    /// Decimal digits, the lowest first, without leading zeros; empty for zero.
    private var digits: [Int]
    public private(set) var isNegative: Bool

    private init(digits: [Int], isNegative: Bool) {
        var digits = digits
        while digits.last == 0 { digits.removeLast() }
        self.digits = digits
        self.isNegative = isNegative && !digits.isEmpty
    }

    public init(_ value: some BinaryInteger) { self.init("\(value)") }

    /// Reads digits with an optional minus sign; tests hand in nothing else.
    public init(_ text: String) {
        let unsigned = text.hasPrefix("-") ? text.dropFirst() : Substring(text)
        self.init(digits: unsigned.reversed().map { Int(String($0))! }, isNegative: text.hasPrefix("-"))
    }

    public static func powerOfTen(_ exponent: Int) -> NaiveInteger {
        NaiveInteger(digits: Array(repeating: 0, count: exponent) + [1], isNegative: false)
    }

    public var isZero: Bool { digits.isEmpty }
    public var isOdd: Bool { (digits.first ?? 0) % 2 == 1 }
    public var magnitude: NaiveInteger { NaiveInteger(digits: digits, isNegative: false) }

    public static prefix func - (value: NaiveInteger) -> NaiveInteger {
        NaiveInteger(digits: value.digits, isNegative: !value.isNegative)
    }

    public static func + (left: NaiveInteger, right: NaiveInteger) -> NaiveInteger {
        if left.isNegative == right.isNegative {
            return NaiveInteger(digits: add(left.digits, right.digits), isNegative: left.isNegative)
        }
        if isLess(left.digits, right.digits) {
            return NaiveInteger(digits: subtract(right.digits, left.digits), isNegative: right.isNegative)
        }
        return NaiveInteger(digits: subtract(left.digits, right.digits), isNegative: left.isNegative)
    }

    public static func - (left: NaiveInteger, right: NaiveInteger) -> NaiveInteger { left + -right }

    public static func * (left: NaiveInteger, right: NaiveInteger) -> NaiveInteger {
        var product = Array(repeating: 0, count: left.digits.count + right.digits.count + 1)
        for (i, a) in left.digits.enumerated() {
            for (j, b) in right.digits.enumerated() { product[i + j] += a * b }
        }
        for i in 0..<(product.count - 1) {
            product[i + 1] += product[i] / 10
            product[i] %= 10
        }
        return NaiveInteger(digits: product, isNegative: left.isNegative != right.isNegative)
    }

    /// Quotient towards zero, and the remainder's magnitude.
    public func divided(by divisor: NaiveInteger) -> (quotient: NaiveInteger, remainder: NaiveInteger) {
        var quotient: [Int] = []
        var remainder: [Int] = []
        for digit in digits.reversed() {
            remainder.insert(digit, at: 0)
            while remainder.last == 0 { remainder.removeLast() }
            var times = 0
            while !NaiveInteger.isLess(remainder, divisor.digits) {
                remainder = NaiveInteger.subtract(remainder, divisor.digits)
                times += 1
            }
            quotient.insert(times, at: 0)
        }
        return (
            NaiveInteger(digits: quotient, isNegative: isNegative != divisor.isNegative),
            NaiveInteger(digits: remainder, isNegative: false)
        )
    }

    private static func add(_ left: [Int], _ right: [Int]) -> [Int] {
        var sum: [Int] = []
        var carry = 0
        for i in 0..<max(left.count, right.count) {
            let total = carry + (i < left.count ? left[i] : 0) + (i < right.count ? right[i] : 0)
            sum.append(total % 10)
            carry = total / 10
        }
        return carry > 0 ? sum + [carry] : sum
    }

    /// `left` must not be the smaller one.
    private static func subtract(_ left: [Int], _ right: [Int]) -> [Int] {
        var difference: [Int] = []
        var borrow = 0
        for i in 0..<left.count {
            var digit = left[i] - borrow - (i < right.count ? right[i] : 0)
            borrow = digit < 0 ? 1 : 0
            if digit < 0 { digit += 10 }
            difference.append(digit)
        }
        while difference.last == 0 { difference.removeLast() }
        return difference
    }

    private static func isLess(_ left: [Int], _ right: [Int]) -> Bool {
        if left.count != right.count { return left.count < right.count }
        for (a, b) in zip(left.reversed(), right.reversed()) where a != b { return a < b }
        return false
    }
}

extension NaiveInteger: Comparable {
    public static func < (left: NaiveInteger, right: NaiveInteger) -> Bool { (left - right).isNegative }
}

extension NaiveInteger: CustomStringConvertible {
    public var description: String {
        digits.isEmpty ? "0" : (isNegative ? "-" : "") + digits.reversed().map(String.init).joined()
    }
}
