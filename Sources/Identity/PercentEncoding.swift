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
