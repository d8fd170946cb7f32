/// Strict plain decimal text, as it stands in plans, in JSON strings and in Postgres `numeric` columns.
///
/// Accepted: an optional `-`, at least one digit, and a dot with at least one digit after it. Refused: `+`, exponents,
/// `.5`, `5.`, spaces, separators, leading zeros (`007`), more fraction digits than the type holds. No digit is ever
/// dropped.
enum DecimalText {
    /// No number that fits into 128 bits is longer; a longer text is refused unread.
    static let lengthMax = 64

    /// The value of `text` × 10^`scale`, exactly.
    static func parse(_ text: String, scale: Int) throws(MonetaryError) -> Int128 {
        guard text.utf8.count <= lengthMax else {
            throw .malformed(text: String(text.prefix(lengthMax)), reason: "it is longer than \(lengthMax) characters")
        }
        let bytes = Array(text.utf8)
        let isNegative = bytes.first == UInt8(ascii: "-")
        let digits = isNegative ? bytes.dropFirst() : bytes[...]
        let dot = digits.firstIndex(of: UInt8(ascii: "."))
        let whole = digits[..<(dot ?? digits.endIndex)]
        let fraction = dot.map { digits[($0 + 1)...] } ?? []
        if let fault = fault(whole: whole, fraction: fraction, hasDot: dot != nil, scale: scale) {
            throw .malformed(text: text, reason: fault)
        }

        var magnitude: UInt128 = 0
        for byte in whole { magnitude = try appending(byte - UInt8(ascii: "0"), to: magnitude) }
        for byte in fraction { magnitude = try appending(byte - UInt8(ascii: "0"), to: magnitude) }
        for _ in fraction.count..<scale { magnitude = try appending(0, to: magnitude) }
        guard let value = Int128(magnitude: magnitude, isNegative: isNegative) else { throw .overflow }
        return value
    }

    /// `value` × 10^-`scale` with at least `minimumFractionDigits` decimals and no trailing zero beyond them.
    static func print(_ value: Int128, scale: Int, minimumFractionDigits: Int) -> String {
        // Digits come from the right: a request's cost is printed with every answer, so without texts in between.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: scale + lengthMax) { buffer in
            var start = buffer.count
            func put(_ byte: UInt8) {
                start -= 1
                buffer[start] = byte
            }
            var rest = value.magnitude
            var fractionDigits = 0
            for place in 0..<scale {
                let digit = takeDigit(&rest)
                let isNeedless = digit == 0 && fractionDigits == 0 && scale - place > minimumFractionDigits
                guard !isNeedless else { continue }
                put(UInt8(ascii: "0") + digit)
                fractionDigits += 1
            }
            if fractionDigits > 0 { put(UInt8(ascii: ".")) }
            repeat { put(UInt8(ascii: "0") + takeDigit(&rest)) } while rest > 0
            if value < 0 { put(UInt8(ascii: "-")) }
            return String(decoding: UnsafeBufferPointer(rebasing: buffer[start...]), as: UTF8.self)
        }
    }

    /// The last digit, which is taken off.
    private static func takeDigit(_ rest: inout UInt128) -> UInt8 {
        if let short = UInt64(exactly: rest) {
            rest = UInt128(short / 10)
            return UInt8(short % 10)
        }
        let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10)
        rest = quotient
        return UInt8(remainder)
    }

    /// 10^`exponent` for 0 … 38, all that 128 bits hold.
    static func powerOfTen(_ exponent: Int) -> Int128 { powersOfTen[exponent] }

    private static let powersOfTen: [Int128] = (1...38).reduce(into: [1]) { powers, _ in
        powers.append(powers[powers.count - 1] * 10)
    }

    private static func fault(
        whole: ArraySlice<UInt8>, fraction: ArraySlice<UInt8>, hasDot: Bool, scale: Int,
    ) -> String? {
        let isDigit = { (byte: UInt8) in byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
        if whole.isEmpty { return "a digit must come first, as in 0.5" }
        if hasDot && fraction.isEmpty { return "a digit must follow the dot, as in 5.0" }
        if !whole.allSatisfy(isDigit) || !fraction.allSatisfy(isDigit) {
            return "only digits, one dot and a leading minus are allowed (no exponent, no separators)"
        }
        if whole.count > 1 && whole.first == UInt8(ascii: "0") { return "leading zeros are not allowed" }
        if fraction.count > scale { return "it has more than \(scale) digits after the dot" }
        return nil
    }

    private static func appending(_ digit: UInt8, to magnitude: UInt128) throws(MonetaryError) -> UInt128 {
        let (shifted, tooLarge) = magnitude.multipliedReportingOverflow(by: 10)
        let (sum, carried) = shifted.addingReportingOverflow(UInt128(digit))
        if tooLarge || carried { throw .overflow }
        return sum
    }
}

extension Int128 {
    /// The signed value of a magnitude; nil where it does not fit.
    init?(magnitude: UInt128, isNegative: Bool) {
        if isNegative {
            guard magnitude <= Int128.min.magnitude else { return nil }
            self = Int128(truncatingIfNeeded: 0 &- magnitude)
        } else {
            self.init(exactly: magnitude)
        }
    }
}
