/// The escapes of URLs (RFC 3986, section 2.1).
public enum PercentEncoding {
    /// The decoded text; nil where an escape is broken or the bytes are no UTF-8. Queries write a space as a plus.
    public static func decoded(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let upper = rest.popFirst().flatMap(Hexadecimal.value(of:)),
                    let lower = rest.popFirst().flatMap(Hexadecimal.value(of:))
                else { return nil }
                bytes.append(upper << 4 | lower)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension PercentEncoding {
    /// The UTF-8 bytes of `text` with all but the unreserved characters (letters, digits, `-`, `.`, `_`, `~`) escaped
    /// in uppercase: fit for one segment of a path, or one name or value of a query. What `kept` names stays, too.
    public static func encoded(_ text: some StringProtocol, leaving kept: String = "") -> String {
        let digits: StaticString = "0123456789ABCDEF"
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            case let byte where kept.utf8.contains(byte): bytes.append(byte)
            default:
                bytes.append(UInt8(ascii: "%"))
                bytes.append(digits.utf8Start[Int(byte >> 4)])
                bytes.append(digits.utf8Start[Int(byte & 15)])
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
