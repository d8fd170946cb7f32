/// A header's value with its parameters (RFC 9110, section 5.6.6), where every reader takes it for the same: names are
/// tokens, none stands twice, and none is of RFC 2231's kinds (`name*`, `name*0`), which some readers decode and join
/// and others take for names of their own.
struct HeaderParameters {
    /// In front of the parameters, in lower case.
    let type: String
    private(set) var values: [String: String] = [:]

    /// Parameters that a header may have.
    private static let countMax = 16

    /// Nil where two readers could take it for different things.
    init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        var index = 0
        func skipSpace() { while index < bytes.count, bytes[index] == 0x20 || bytes[index] == 0x09 { index += 1 } }
        skipSpace()
        let start = index
        while index < bytes.count, bytes[index] != UInt8(ascii: ";") { index += 1 }
        var type = bytes[start..<index]
        while let last = type.last, last == 0x20 || last == 0x09 { type.removeLast() }
        self.type = String(decoding: type, as: UTF8.self).lowercased()
        while index < bytes.count {
            index += 1
            skipSpace()
            let nameStart = index
            while index < bytes.count, HeaderParameters.isToken(bytes[index]) { index += 1 }
            let name = bytes[nameStart..<index]
            guard !name.isEmpty, !name.contains(UInt8(ascii: "*")), index < bytes.count,
                bytes[index] == UInt8(ascii: "=")
            else { return nil }
            index += 1
            guard let value = HeaderParameters.value(bytes, &index) else { return nil }
            skipSpace()
            guard index == bytes.count || bytes[index] == UInt8(ascii: ";"),
                values.count < HeaderParameters.countMax,
                values.updateValue(value, forKey: String(decoding: name, as: UTF8.self).lowercased()) == nil
            else { return nil }
        }
        ReadingSteps.add(bytes.count)
    }

    /// A token, or what stands between quotes. Readers do not agree on what a backslash means in front of a quote or of
    /// another; alone it is one to all but a few, as in a path of Windows.
    private static func value(_ bytes: [UInt8], _ index: inout Int) -> String? {
        guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else {
            let start = index
            while index < bytes.count, isToken(bytes[index]) { index += 1 }
            return index == start ? nil : String(decoding: bytes[start..<index], as: UTF8.self)
        }
        index += 1
        let start = index
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
            if bytes[index] < 0x20 || bytes[index] == 0x7F { return nil }
            if bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.count,
                bytes[index + 1] == UInt8(ascii: "\"") || bytes[index + 1] == UInt8(ascii: "\\")
            {
                return nil
            }
            index += 1
        }
        guard index < bytes.count else { return nil }
        index += 1
        return String(decoding: bytes[start..<index - 1], as: UTF8.self)
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
