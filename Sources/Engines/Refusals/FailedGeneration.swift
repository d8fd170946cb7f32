/// What the model wrote before an engine called its answer a failure, and which comes with the error (Groq's
/// `failed_generation`). Nobody counts it but the gateway.
public enum FailedGeneration {
    /// One such text: the inside of a string, or a whole object or list.
    struct Place {
        let range: Range<Int>
        let isText: Bool

        /// As many bytes that say nothing, and leave the JSON around them whole.
        func blank(in body: UnsafeRawBufferPointer) -> [UInt8] {
            if isText { return [UInt8](repeating: UInt8(ascii: "*"), count: range.count) }
            var bytes = [UInt8](repeating: UInt8(ascii: " "), count: range.count)
            if range.count >= 4 {
                bytes.replaceSubrange(0..<4, with: "null".utf8)
            } else if range.count > 1 {
                bytes[0] = body[range.lowerBound]
                bytes[range.count - 1] = body[range.upperBound - 1]
            }
            return bytes
        }
    }

    /// How many bytes of text the model wrote: escapes are what they stand for.
    public static func bytes(in body: UnsafeRawBufferPointer) -> Int64 {
        places(in: body).reduce(0) { sum, place in
            var range = place.range
            let backslash = UInt8(ascii: "\\")
            // A body that was cut in an escape: what it stands for did not come.
            if range.upperBound == body.count, body[range].last == backslash {
                range = range.lowerBound..<range.upperBound - 1
            }
            let text = JSONText(range: range, isEscaped: body[range].contains(backslash))
            return sum + Int64(text.valueByteCount(in: body))
        }
    }

    static func places(in body: UnsafeRawBufferPointer) -> [Place] {
        var found: [Place] = []
        var start = 0
        while start + name.utf8CodeUnitCount <= body.count {
            guard body.hasBytes(name, at: start) else {
                start += 1
                continue
            }
            start += name.utf8CodeUnitCount
            var index = start
            while index < body.count, isSpace(body[index]) || body[index] == UInt8(ascii: ":") { index += 1 }
            guard index < body.count else { break }
            let first = index
            switch body[first] {
            case UInt8(ascii: "\""):
                start = endOfString(in: body, from: first + 1)
                if start > first + 1 { found.append(Place(range: first + 1..<start, isText: true)) }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                start = endOfBrackets(in: body, from: first)
                found.append(Place(range: first..<start, isText: false))
            default: continue
            }
        }
        return found
    }

    /// Where the string ends, or the body.
    private static func endOfString(in body: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start
        while index < body.count, body[index] != UInt8(ascii: "\"") {
            index += body[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        ReadingSteps.add(index - start)
        return min(index, body.count)
    }

    /// Behind the bracket that closes the one at `start`, or the body's end.
    private static func endOfBrackets(in body: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start
        var depth = 0
        while index < body.count {
            switch body[index] {
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: "\""): index = endOfString(in: body, from: index + 1)
            default: break
            }
            index += 1
            if depth == 0 { break }
        }
        return min(index, body.count)
    }

    private static let name: StaticString = "\"failed_generation\""

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
