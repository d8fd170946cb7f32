internal import Identity

/// Finds delimiters eight bytes at a time: prompts and answers are mostly plain text between them.
extension UnsafeRawBufferPointer {
    /// The first byte at or after `start` that ends plain text inside a JSON string: a quote, a backslash or a control
    /// character; the count when there is none.
    func firstIndexOfStringDelimiter(from start: Int) -> Int {
        var index = start
        defer { ReadingSteps.add(index - start + 1) }
        while index + 8 <= count {
            let word = UInt64(littleEndian: loadUnaligned(fromByteOffset: index, as: UInt64.self))
            let found =
                word.matches(of: UInt8(ascii: "\"")) | word.matches(of: UInt8(ascii: "\\"))
                | word.matches(below: 0x20)
            if found != 0 {
                index += found.trailingZeroBitCount / 8
                return index
            }
            index += 8
        }
        while index < count {
            let byte = self[index]
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 { return index }
            index += 1
        }
        return count
    }

    /// The first line feed or carriage return at or after `start`; the count when there is none.
    func firstIndexOfLineEnd(from start: Int) -> Int {
        var index = start
        defer { ReadingSteps.add(index - start + 1) }
        while index + 8 <= count {
            let word = UInt64(littleEndian: loadUnaligned(fromByteOffset: index, as: UInt64.self))
            let found = word.matches(of: 0x0A) | word.matches(of: 0x0D)
            if found != 0 {
                index += found.trailingZeroBitCount / 8
                return index
            }
            index += 8
        }
        while index < count {
            if self[index] == 0x0A || self[index] == 0x0D { return index }
            index += 1
        }
        return count
    }

    /// Whether all bytes are visible characters of ASCII (or delete).
    var isVisibleASCII: Bool {
        var index = 0
        defer { ReadingSteps.add(index) }
        while index + 8 <= count {
            let word = UInt64(littleEndian: loadUnaligned(fromByteOffset: index, as: UInt64.self))
            if word.matches(below: 0x21) | word & 0x8080_8080_8080_8080 != 0 { return false }
            index += 8
        }
        while index < count {
            if !(0x21...0x7F).contains(self[index]) { return false }
            index += 1
        }
        return true
    }

    /// Whether `text` stands at `offset`.
    func hasBytes(_ text: StaticString, at offset: Int) -> Bool {
        guard offset + text.utf8CodeUnitCount <= count else { return false }
        ReadingSteps.add(1)
        for index in 0..<text.utf8CodeUnitCount where self[offset + index] != text.utf8Start[index] { return false }
        return true
    }

    /// Whether the bytes of `range` are those of `text`.
    @inline(__always)
    func equals(_ text: StaticString, in range: Range<Int>) -> Bool {
        range.count == text.utf8CodeUnitCount && hasBytes(text, at: range.lowerBound)
    }

    /// The bytes of `range` on their own, counted from zero.
    func part(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self[range]) }
}

extension UInt64 {
    /// The high bit of each byte that equals `byte`. Only the lowest is certain: above it a neighbour may show too.
    @inline(__always)
    fileprivate func matches(of byte: UInt8) -> UInt64 {
        let folded = self ^ (0x0101_0101_0101_0101 &* UInt64(byte))
        return (folded &- 0x0101_0101_0101_0101) & ~folded & 0x8080_8080_8080_8080
    }

    /// The high bit of each byte below `limit`, which is at most 128. Only the lowest is certain.
    @inline(__always)
    fileprivate func matches(below limit: UInt8) -> UInt64 {
        (self &- 0x0101_0101_0101_0101 &* UInt64(limit)) & ~self & 0x8080_8080_8080_8080
    }
}

extension UInt8 {
    /// The value of a decimal digit.
    var decimalDigit: Int64? {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) ? Int64(self - UInt8(ascii: "0")) : nil
    }

    /// Whether this is a hexadecimal digit of either case.
    var isHexadecimalDigit: Bool { Hexadecimal.value(of: self) != nil }
}

extension Int64 {
    /// Ten times this and `digit` more; nil when that does not fit.
    func shiftedDecimally(by digit: Int64) -> Int64? {
        let (product, productOverflows) = multipliedReportingOverflow(by: 10)
        let (sum, sumOverflows) = product.addingReportingOverflow(digit)
        return productOverflows || sumOverflows ? nil : sum
    }
}
