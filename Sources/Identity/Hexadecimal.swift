/// Lowercase hexadecimal text of bytes, and back.
public enum Hexadecimal {
    /// Two digits a byte.
    public static func text(of bytes: some Sequence<UInt8>) -> String {
        var result: [UInt8] = []
        for byte in bytes {
            result.append(digit(of: byte >> 4))
            result.append(digit(of: byte & 15))
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The digit of a value below 16.
    static func digit(of value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value
    }

    /// The value of one digit of either case; nil for any other byte.
    public static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// The bytes of an even number of digits; nil for anything else.
    public static func bytes(of text: some StringProtocol) -> [UInt8]? {
        var result: [UInt8] = []
        var pending: UInt8?
        for byte in text.utf8 {
            guard let value = value(of: byte) else { return nil }
            if let upper = pending {
                result.append(upper << 4 | value)
                pending = nil
            } else {
                pending = value
            }
        }
        return pending == nil ? result : nil
    }
}
