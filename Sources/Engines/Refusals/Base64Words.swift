internal import Identity

/// Words of a text that may be something else in Base64, or in hexadecimal digits.
enum Base64Words {
    /// Nothing that is hidden is shorter.
    private static let wordBytesMin = 6

    /// Shows each run of Base64's letters, of either alphabet, and what it stands for, read from each of the four
    /// places that a group can begin at. `isHidden` says whether that must not be seen.
    static func hidden(in text: [UInt8], _ isHidden: ([UInt8]) -> Bool) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var index = 0
        while index < text.count {
            guard value(of: text[index]) != nil else {
                index += 1
                continue
            }
            let start = index
            while index < text.count, value(of: text[index]) != nil { index += 1 }
            var end = index
            while end < text.count, text[end] == UInt8(ascii: "=") { end += 1 }
            let word = text[start..<index]
            if word.count >= wordBytesMin,
                (0..<4).contains(where: { isHidden(decoded(word.dropFirst($0))) })
                    || digits(in: word).contains(where: isHidden)
            {
                found.append(start..<end)
            }
            index = end
        }
        return found
    }

    /// What the hexadecimal digits in a word stand for, read from each of the two places that a pair can begin at.
    private static func digits(in word: ArraySlice<UInt8>) -> [[UInt8]] {
        word.split { Hexadecimal.value(of: $0) == nil }.filter { $0.count >= 2 * wordBytesMin }.flatMap { run in
            (0..<2).map { first in
                let values = run.dropFirst(first).compactMap { Hexadecimal.value(of: $0) }
                return stride(from: 0, to: values.count - 1, by: 2).map { values[$0] << 4 | values[$0 + 1] }
            }
        }
    }

    private static func decoded(_ letters: ArraySlice<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(letters.count * 3 / 4)
        ReadingSteps.add(letters.count)
        var bits: UInt32 = 0
        var count = 0
        for letter in letters {
            bits = bits << 6 | (value(of: letter) ?? 0)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }

    private static func value(of letter: UInt8) -> UInt32? {
        switch letter {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(letter - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(letter - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(letter - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
