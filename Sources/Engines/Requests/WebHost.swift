/// The host of an address, as far as it shows whether it is one of the public web: engines fetch from within the
/// operator's own network, where other hosts answer that are none of a client's business.
///
/// What is written in any other way than hosts on the web are (numbers in hexadecimal, full-width letters, percent
/// signs, user names) is none of it, and so is a name that ends in no top-level domain. A public name that leads to a
/// private address is not seen here, nor is a namespace of a cluster that is called as a top-level domain is: keep
/// engines that fetch from reaching what they must not.
struct WebHost {
    let isPublic: Bool

    /// No host is longer.
    private static let bytesMax = 255

    /// `start` is where the text goes on behind the scheme's colon.
    init(_ text: JSONText, in body: UnsafeRawBufferPointer, from start: Int) {
        let end = min(text.range.upperBound, start + 2 * WebHost.bytesMax * (text.isEscaped ? 6 : 1))
        let value = JSONText(range: start..<max(start, end), isEscaped: text.isEscaped).value(in: body)
        let bytes = Array(value.utf8.filter { $0 != 0x09 && $0 != 0x0A && $0 != 0x0D })
        guard bytes.starts(with: "//".utf8) else {
            isPublic = false
            return
        }
        let authority = bytes.dropFirst(2).prefix {
            $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#")
        }
        isPublic = WebHost.isPublic(authority: Array(authority))
    }

    private static func isPublic(authority: [UInt8]) -> Bool {
        guard (1...bytesMax).contains(authority.count) else { return false }
        if authority[0] == UInt8(ascii: "[") { return isPublic(addressOfSix: authority) }
        var host = authority[...]
        if let colon = authority.firstIndex(of: UInt8(ascii: ":")) {
            guard authority[(colon + 1)...].allSatisfy({ $0.decimalDigit != nil }) else { return false }
            host = authority[..<colon]
        }
        while host.last == UInt8(ascii: ".") { host = host.dropLast() }
        guard !host.isEmpty, host.allSatisfy(isOfName) else { return false }
        let labels = host.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard labels.allSatisfy({ !$0.isEmpty }), let last = labels.last else { return false }
        // Readers take a host whose last label is a number for an address, in whatever form.
        if last.first?.decimalDigit != nil { return isPublic(addressOfFour: labels) }
        guard labels.count > 1 else { return false }
        let name = String(decoding: host, as: UTF8.self).lowercased()
        guard let domain = name.split(separator: ".").last, TopLevelDomains.contains(domain) else { return false }
        return !privateNames.contains { name == $0 || name.hasSuffix("." + $0) }
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte | 0x20 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): true
        default: byte.decimalDigit != nil || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == 0x5F
        }
    }

    /// Names under public domains that are known to lead to machines of one's own: services that tell a machine about
    /// itself, and names made of addresses.
    private static let privateNames = [
        "metadata.goog", "metadata.tencentyun.com", "nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me", "vcap.me",
        "traefik.me", "local-ip.co", "localh.st", "local-ip.sh", "backname.io", "lacolhost.com", "yoogle.com",
    ]

    /// Four numbers from 0 to 255 without zeros in front, outside of what is kept for networks of one's own.
    private static func isPublic(addressOfFour labels: [ArraySlice<UInt8>]) -> Bool {
        let numbers = labels.compactMap { label -> UInt8? in
            guard label.count == 1 || label.first != UInt8(ascii: "0") else { return nil }
            return UInt8(String(decoding: label, as: UTF8.self))
        }
        guard labels.count == 4, numbers.count == 4 else { return false }
        switch (numbers[0], numbers[1]) {
        case (0, _), (10, _), (127, _), (169, 254), (172, 16...31), (192, 168), (100, 64...127), (198, 18...19),
            (224..., _):
            return false
        // What protocols and documents keep for themselves, and nothing around it.
        case (192, 0): return numbers[2] != 0 && numbers[2] != 2
        case (198, 51): return numbers[2] != 100
        case (203, 0): return numbers[2] != 113
        default: return true
        }
    }

    /// Only what is given out for the whole web (2000::/3), and of that nothing that holds an address of four.
    private static func isPublic(addressOfSix authority: [UInt8]) -> Bool {
        guard let end = authority.firstIndex(of: UInt8(ascii: "]")),
            authority[(end + 1)...].allSatisfy({ $0 == UInt8(ascii: ":") || $0.decimalDigit != nil })
        else { return false }
        let groups = String(decoding: authority[1..<end], as: UTF8.self).lowercased().split(
            separator: ":", omittingEmptySubsequences: false)
        guard groups.allSatisfy({ group in group.utf8.count <= 4 && group.utf8.allSatisfy { isHexadecimal($0) } }),
            let first = groups.first.flatMap({ UInt16($0, radix: 16) }), (0x2000...0x3FFF).contains(first)
        else { return false }
        // An empty group stands for zeros.
        let second = groups.dropFirst().first.flatMap { UInt16($0, radix: 16) } ?? 0
        return first != 0x2002 && !(first == 0x2001 && (second == 0 || second == 0xDB8))
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        byte.decimalDigit != nil || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}
