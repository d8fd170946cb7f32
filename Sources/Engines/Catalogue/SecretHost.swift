/// Where a secret may be sent: `api.openai.com`, `*.openai.azure.com`, `10.0.0.20:8000`, `https://gpu.internal`. A
/// scheme and a port bind where they stand; without them any will do.
public struct SecretHost: Hashable, Sendable, CustomStringConvertible {
    /// Nil: with and without TLS.
    let isTLS: Bool?
    /// Lowercase, without brackets; behind `*.` any name that ends with it.
    let name: String
    let isSuffix: Bool
    /// Nil: every port.
    let port: Int?

    /// Entries of one secret.
    public static let countMax = 32
    /// Bytes of one entry.
    static let bytesMax = 300

    /// Nil where the text is none of these.
    public init?(_ text: String) {
        guard text.utf8.count <= Self.bytesMax else { return nil }
        var rest = text.lowercased()[...]
        switch true {
        case rest.hasPrefix("https://"): (isTLS, rest) = (true, rest.dropFirst(8))
        case rest.hasPrefix("http://"): (isTLS, rest) = (false, rest.dropFirst(7))
        default: isTLS = nil
        }
        var portText: Substring?
        if rest.hasPrefix("[") {
            guard let close = rest.firstIndex(of: "]") else { return nil }
            let behind = rest[rest.index(after: close)...]
            guard behind.isEmpty || behind.hasPrefix(":") else { return nil }
            if !behind.isEmpty { portText = behind.dropFirst() }
            rest = rest[..<close].dropFirst()
        } else if rest.filter({ $0 == ":" }).count == 1, let colon = rest.firstIndex(of: ":") {
            portText = rest[rest.index(after: colon)...]
            rest = rest[..<colon]
        }
        isSuffix = rest.hasPrefix("*.")
        if isSuffix { rest = rest.dropFirst(2) }
        // A star before a name without a dot (`*.com`) would let a secret go to whoever buys a name there.
        guard Self.isName(rest), !isSuffix || rest.contains(".") && !Self.isAddress(rest) else { return nil }
        name = String(rest)
        guard let portText else {
            port = nil
            return
        }
        guard let number = Int(portText), (1...65_535).contains(number) else { return nil }
        port = number
    }

    /// Whether a text is a host's name or address: labels of 1 to 63 bytes with dots between, 253 in all. A dot at the
    /// end is none of it, for the catalogue's URLs would have to be written with it, too.
    private static func isName(_ text: Substring) -> Bool {
        guard (1...253).contains(text.utf8.count), text.utf8.allSatisfy(isNameByte) else { return false }
        return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy {
            (1...63).contains($0.utf8.count)
        }
    }

    private static func isAddress(_ text: Substring) -> Bool {
        text.contains(":") || text.split(separator: ".").last?.allSatisfy { $0.isNumber } == true
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"):
            true
        default: false
        }
    }

    /// Whether it covers this address.
    public func covers(host: String, port: Int, isTLS: Bool) -> Bool {
        let host = host.lowercased()
        guard self.isTLS.map({ $0 == isTLS }) ?? true, self.port.map({ $0 == port }) ?? true else { return false }
        return isSuffix ? host.hasSuffix("." + name) : host == name
    }

    public var description: String {
        let shown = name.contains(":") ? "[\(name)]" : name
        return (isTLS.map { $0 ? "https://" : "http://" } ?? "") + (isSuffix ? "*." : "") + shown
            + (port.map { ":\($0)" } ?? "")
    }
}
