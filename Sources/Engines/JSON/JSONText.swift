internal import Identity

extension JSONText {
    /// Whether the string's value is `name`, whatever escapes it is written with. No letter is written with more than
    /// six bytes, so a long key costs no more than a short one.
    @inline(__always)
    func equals(_ name: StaticString, in bytes: UnsafeRawBufferPointer) -> Bool {
        guard isEscaped else { return bytes.equals(name, in: range) }
        guard range.count <= 6 * name.utf8CodeUnitCount else { return false }
        return value(in: bytes) == name.description
    }

    /// The string's value. A lone surrogate becomes U+FFFD.
    public func value(in bytes: UnsafeRawBufferPointer) -> String {
        ReadingSteps.add(range.count)
        guard isEscaped else { return String(decoding: bytes[range], as: UTF8.self) }
        var units: [UInt8] = []
        units.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            if bytes[index] != UInt8(ascii: "\\") {
                units.append(bytes[index])
                index += 1
            } else {
                index = JSONText.appendEscape(at: index, in: bytes, to: &units)
            }
        }
        return String(decoding: units, as: UTF8.self)
    }

    /// How many bytes of UTF-8 the string's value has.
    func valueByteCount(in bytes: UnsafeRawBufferPointer) -> Int {
        guard isEscaped else { return range.count }
        ReadingSteps.add(range.count)
        var count = 0
        var index = range.lowerBound
        while index < range.upperBound {
            guard bytes[index] == UInt8(ascii: "\\") else {
                count += 1
                index += 1
                continue
            }
            let (value, end) = JSONText.escape(at: index, in: bytes)
            count += value < 0x80 ? 1 : value < 0x800 ? 2 : value < 0x10000 ? 3 : 4
            index = end
        }
        return count
    }

    /// Decodes the escape at `index` and returns where the text goes on.
    private static func appendEscape(at index: Int, in bytes: UnsafeRawBufferPointer, to units: inout [UInt8]) -> Int {
        let (value, end) = escape(at: index, in: bytes)
        if bytes[index + 1] != UInt8(ascii: "u") {
            units.append(UInt8(truncatingIfNeeded: value))
        } else {
            append(value, to: &units)
        }
        return end
    }

    /// What the escape at `index` stands for, and where the text goes on. The scanner has checked escapes; those of a
    /// plain answer, which is not scanned, may stop too early, and become U+FFFD, as lone surrogates do.
    private static func escape(at index: Int, in bytes: UnsafeRawBufferPointer) -> (value: UInt32, end: Int) {
        switch bytes[index + 1] {
        case UInt8(ascii: "b"): return (0x08, index + 2)
        case UInt8(ascii: "f"): return (0x0C, index + 2)
        case UInt8(ascii: "n"): return (0x0A, index + 2)
        case UInt8(ascii: "r"): return (0x0D, index + 2)
        case UInt8(ascii: "t"): return (0x09, index + 2)
        case UInt8(ascii: "u"):
            guard index + 6 <= bytes.count else { return (0xFFFD, bytes.count) }
            let first = codeUnit(at: index + 2, in: bytes)
            guard first & 0xF800 == 0xD800 else { return (first, index + 6) }
            if first & 0xFC00 == 0xD800, index + 12 <= bytes.count, bytes.hasBytes("\\u", at: index + 6) {
                let second = codeUnit(at: index + 8, in: bytes)
                if second & 0xFC00 == 0xDC00 {
                    return (0x10000 + (first & 0x3FF) << 10 + second & 0x3FF, index + 12)
                }
            }
            return (0xFFFD, index + 6)
        case let literal: return (UInt32(literal), index + 2)
        }
    }

    private static func codeUnit(at index: Int, in bytes: UnsafeRawBufferPointer) -> UInt32 {
        bytes[index..<index + 4].reduce(0) { $0 << 4 | UInt32(Hexadecimal.value(of: $1) ?? 0) }
    }

    private static func append(_ value: UInt32, to units: inout [UInt8]) {
        units.append(contentsOf: String(Unicode.Scalar(value) ?? "\u{FFFD}").utf8)
    }
}

/// Writes JSON strings.
public enum JSONString {
    /// Appends `text` in quotes, escaped as RFC 8259 asks.
    public static func append(_ text: String, to bytes: inout [UInt8]) {
        let digits: StaticString = "0123456789abcdef"
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x0A: bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "n")])
            case 0..<0x20:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(digits.utf8Start[Int(byte >> 4)])
                bytes.append(digits.utf8Start[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

/// Checks that bytes are UTF-8.
public enum UTF8Check {
    /// Whether `bytes` are valid UTF-8 throughout.
    public static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.withMemoryRebound(to: UInt8.self) { buffer in
            (try? UTF8Span(validating: buffer.span)) != nil
        }
    }
}
