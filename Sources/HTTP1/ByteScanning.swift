/// Scanning eight bytes at a time, and the classes of bytes of RFC 9110, section 5.
extension UnsafeRawBufferPointer {
    /// The first line feed at or after `start`; the count when there is none.
    func firstIndexOfLineFeed(from start: Int) -> Int {
        var index = start
        while index + 8 <= count {
            let found = loadUnaligned(fromByteOffset: index, as: UInt64.self).bytesEqual(
                toRepeated: 0x0A0A_0A0A_0A0A_0A0A)
            if found != 0 { return index + found.littleEndian.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < count, self[index] != 0x0A { index += 1 }
        return index
    }

    /// The first control character at or after `start`, a tab not counted; the count when there is none.
    func firstIndexOfControl(from start: Int) -> Int {
        var index = start
        while true {
            while index + 8 <= count, !loadUnaligned(fromByteOffset: index, as: UInt64.self).mayHoldControl {
                index += 8
            }
            let stop = Swift.min(index + 8, count)
            while index < stop {
                let byte = self[index]
                if byte < 0x20 && byte != 0x09 || byte == 0x7F { return index }
                index += 1
            }
            if index >= count { return count }
        }
    }

    /// Whether the bytes of `range` are those of `text`, which is in lower case, whatever their case.
    @inline(__always)
    func equalsIgnoringCase(_ text: StaticString, in range: Range<Int>) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        let expected = text.utf8Start
        for index in 0..<range.count where self[range.lowerBound + index].lowercased != expected[index] { return false }
        return true
    }

    /// Whether the bytes of `range` and those of `other` are the same but for case.
    func equalsIgnoringCase(_ other: Range<Int>, in range: Range<Int>) -> Bool {
        guard range.count == other.count else { return false }
        for index in 0..<range.count
        where self[range.lowerBound + index].lowercased != self[other.lowerBound + index].lowercased { return false }
        return true
    }

    /// `range` without the spaces and tabs at its ends.
    @inline(__always)
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, self[start].isOptionalSpace { start += 1 }
        while end > start, self[end - 1].isOptionalSpace { end -= 1 }
        return start..<end
    }

    /// Calls `body` with each member of a comma-separated list, empty ones left out (RFC 9110, section 5.6.1).
    func forEachListMember(in range: Range<Int>, _ body: (Range<Int>) -> Void) {
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            while end < range.upperBound, self[end] != UInt8(ascii: ",") { end += 1 }
            let member = trimmed(start..<end)
            if !member.isEmpty { body(member) }
            start = end + 1
        }
    }
}

extension UInt64 {
    /// The high bit of the first byte that equals the repeated one is set, and none below it.
    @inline(__always)
    fileprivate func bytesEqual(toRepeated repeated: UInt64) -> UInt64 {
        let folded = self ^ repeated
        return (folded &- 0x0101_0101_0101_0101) & ~folded & 0x8080_8080_8080_8080
    }

    /// False only when no byte is below 0x20 or equals 0x7F.
    @inline(__always)
    fileprivate var mayHoldControl: Bool {
        let isLow = (self &- 0x2020_2020_2020_2020) & ~self & 0x8080_8080_8080_8080
        return isLow | bytesEqual(toRepeated: 0x7F7F_7F7F_7F7F_7F7F) != 0
    }
}

extension UInt8 {
    /// Whether this may stand in a token (RFC 9110, section 5.6.2): a bit for each of the 128 bytes of ASCII.
    @inline(__always)
    var isTokenCharacter: Bool {
        if self < 64 { return 0x03FF_6CFA_0000_0000 as UInt64 &>> UInt64(self) & 1 != 0 }
        return self < 128 && 0x57FF_FFFF_C7FF_FFFE as UInt64 &>> UInt64(self &- 64) & 1 != 0
    }

    /// The same letter in lower case.
    @inline(__always)
    var lowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }

    @inline(__always)
    var isOptionalSpace: Bool { self == 0x20 || self == 0x09 }

    /// The value of a hexadecimal digit; 0xFF for another byte.
    @inline(__always)
    var hexadecimalValue: UInt8 {
        if self &- 0x30 < 10 { return self &- 0x30 }
        let letter = lowercased &- 0x61
        return letter < 6 ? letter &+ 10 : 0xFF
    }
}

extension UnsafeRawBufferPointer {
    /// The decimal number in `range`: digits alone; nil for anything else and for what does not fit.
    func decimal(in range: Range<Int>) -> Int? {
        guard !range.isEmpty, range.count <= 19 else { return nil }
        var value = 0
        for index in range {
            let digit = self[index] &- 0x30
            guard digit < 10 else { return nil }
            let (product, productOverflows) = value.multipliedReportingOverflow(by: 10)
            let (sum, sumOverflows) = product.addingReportingOverflow(Int(digit))
            if productOverflows || sumOverflows { return nil }
            value = sum
        }
        return value
    }

    /// The text of `range`; bytes that are no UTF-8 become U+FFFD.
    func text(_ range: Range<Int>) -> String { String(decoding: self[range], as: UTF8.self) }
}

extension [UInt8] {
    /// `withUnsafeBytes` with the error's type kept.
    @inline(__always)
    func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withUnsafeBufferPointer { buffer throws(Failure) in try body(UnsafeRawBufferPointer(buffer)) }
    }
}
