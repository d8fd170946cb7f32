/// Reads decimal numbers as text, exactly: never by way of a binary fraction.
enum DecimalText {
    /// The number in `range` times 10 to the power of `exponent`, its fraction cut off; nil when it is negative, no
    /// number, or does not fit.
    static func scaled(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, exponent: Int) -> Int64? {
        guard let number = parse(bytes, range), !number.isNegative else { return nil }
        let shift = number.exponent + exponent
        var value = number.digits
        guard value != 0 else { return 0 }
        if shift >= 0 {
            guard shift <= 18 else { return nil }
            for _ in 0..<shift {
                guard let next = value.shiftedDecimally(by: 0) else { return nil }
                value = next
            }
        } else {
            for _ in 0..<min(-shift, 19) { value /= 10 }
        }
        return value
    }

    /// The same of a text by itself.
    static func scaled(_ text: String, exponent: Int) -> Int64? {
        var text = text
        return text.withUTF8 { scaled(UnsafeRawBufferPointer($0), 0..<$0.count, exponent: exponent) }
    }

    /// The whole number that a number without a sign is, whatever its fraction and exponent; nil when it is none, or
    /// does not fit.
    static func whole(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int64? {
        var value: Int64 = 0
        // Zeros behind the last other digit, and digits behind the point.
        var zeros = 0
        var places = 0
        var isFraction = false
        var power: Int? = 0
        for index in range {
            guard let digit = bytes[index].decimalDigit else {
                if bytes[index] == UInt8(ascii: ".") {
                    isFraction = true
                    continue
                }
                power = self.power(bytes, index + 1..<range.upperBound)
                break
            }
            if isFraction { places += 1 }
            guard digit != 0 else {
                zeros += 1
                continue
            }
            guard let next = shifted(value, by: zeros)?.shiftedDecimally(by: digit) else { return nil }
            value = next
            zeros = 0
        }
        if value == 0 { return 0 }
        guard let power, zeros + power >= places else { return nil }
        return shifted(value, by: zeros + power - places)
    }

    private static func shifted(_ value: Int64, by places: Int) -> Int64? {
        guard value != 0 else { return 0 }
        guard places <= 18 else { return nil }
        var value = value
        for _ in 0..<places {
            guard let next = value.shiftedDecimally(by: 0) else { return nil }
            value = next
        }
        return value
    }

    /// The number as plain decimal text without an exponent (`1.2e-05` is `0.000012`); nil when it is no number or
    /// has more than 18 digits that count.
    static func plain(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> String? {
        guard let number = parse(bytes, range), abs(number.exponent) <= 30 else { return nil }
        return text(digits: number.digits, exponent: number.exponent, isNegative: number.isNegative)
    }

    /// The sum of two numbers in plain decimal text; nil when one is none, or their digits lie too far apart.
    static func sum(_ left: String, _ right: String) -> String? {
        var (left, right) = (left, right)
        guard let one = left.withUTF8({ parse(UnsafeRawBufferPointer($0), 0..<$0.count) }),
            let other = right.withUTF8({ parse(UnsafeRawBufferPointer($0), 0..<$0.count) })
        else { return nil }
        let exponent = min(one.exponent, other.exponent)
        func aligned(_ number: Number) -> Int64? {
            var digits = number.isNegative ? -number.digits : number.digits
            guard digits != 0 else { return 0 }
            guard number.exponent - exponent <= 18 else { return nil }
            for _ in 0..<(number.exponent - exponent) {
                let (next, overflows) = digits.multipliedReportingOverflow(by: 10)
                guard !overflows else { return nil }
                digits = next
            }
            return digits
        }
        guard let first = aligned(one), let second = aligned(other) else { return nil }
        let (sum, overflows) = first.addingReportingOverflow(second)
        guard !overflows, sum != .min, abs(exponent) <= 30 else { return nil }
        return text(digits: abs(sum), exponent: exponent, isNegative: sum < 0)
    }

    /// `digits` times 10 to the power of `exponent` as plain decimal text.
    static func text(digits: Int64, exponent: Int, isNegative: Bool = false) -> String {
        var digits = digits
        var exponent = exponent
        while exponent < 0, digits % 10 == 0, digits != 0 {
            digits /= 10
            exponent += 1
        }
        guard digits != 0 else { return "0" }
        var text = String(digits)
        if exponent >= 0 {
            text += String(repeating: "0", count: exponent)
        } else {
            if text.utf8.count <= -exponent {
                text = String(repeating: "0", count: -exponent - text.utf8.count + 1) + text
            }
            text.insert(".", at: text.index(text.endIndex, offsetBy: exponent))
        }
        return isNegative ? "-" + text : text
    }

    private struct Number {
        var digits: Int64 = 0
        var exponent = 0
        var isNegative = false
    }

    /// Digits beyond the eighteenth are below any unit that is read here, and are dropped.
    private static func parse(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Number? {
        var number = Number()
        var index = range.lowerBound
        var significant = 0
        var hasDigits = false
        var isFraction = false
        if index < range.upperBound, bytes[index] == UInt8(ascii: "-") {
            number.isNegative = true
            index += 1
        }
        while index < range.upperBound {
            let byte = bytes[index]
            if let digit = byte.decimalDigit {
                hasDigits = true
                if significant < 18 {
                    number.digits = number.digits * 10 + digit
                    if number.digits != 0 { significant += 1 }
                    if isFraction { number.exponent -= 1 }
                } else if !isFraction {
                    number.exponent += 1
                }
            } else if byte == UInt8(ascii: "."), !isFraction {
                isFraction = true
            } else if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E"), hasDigits {
                guard let power = power(bytes, index + 1..<range.upperBound) else { return nil }
                number.exponent += power
                return number
            } else {
                return nil
            }
            index += 1
        }
        return hasDigits ? number : nil
    }

    private static func power(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int? {
        var index = range.lowerBound
        var isNegative = false
        if index < range.upperBound, bytes[index] == UInt8(ascii: "-") || bytes[index] == UInt8(ascii: "+") {
            isNegative = bytes[index] == UInt8(ascii: "-")
            index += 1
        }
        guard index < range.upperBound else { return nil }
        var value = 0
        while index < range.upperBound {
            guard let digit = bytes[index].decimalDigit, value < 10_000 else { return nil }
            value = value * 10 + Int(digit)
            index += 1
        }
        return isNegative ? -value : value
    }
}
