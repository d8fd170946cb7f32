import Identity
import NIOHTTP1

/// The signature of a request to Amazon's services (AWS Signature Version 4), looked at from the side that checks it.
struct SignatureV4 {
    private let keyID: Substring
    private let day: Substring
    private let region: Substring
    private let service: Substring
    private let signedHeaders: [String]
    private let signature: String
    private let moment: String

    /// Reads `AWS4-HMAC-SHA256 Credential=ID/DATE/REGION/SERVICE/aws4_request, SignedHeaders=…, Signature=…`; nil
    /// when the header has another form, or does not sign what must be signed.
    init?(_ exchange: Exchange) {
        guard let header = exchange.header("authorization"), header.hasPrefix("AWS4-HMAC-SHA256 "),
            let moment = exchange.header("x-amz-date"), moment.utf8.count == 16, moment.hasSuffix("Z")
        else { return nil }
        var parts: [Substring: Substring] = [:]
        for part in header.dropFirst("AWS4-HMAC-SHA256 ".count).split(separator: ",") {
            let pair = part.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
            if pair.count == 2 { parts[pair[0]] = pair[1] }
        }
        let scope = (parts["Credential"] ?? "").split(separator: "/")
        let signed = (parts["SignedHeaders"] ?? "").split(separator: ";").map(String.init)
        let signature = parts["Signature"] ?? ""
        guard scope.count == 5, scope[4] == "aws4_request", scope[1] == moment.prefix(8), signed == signed.sorted(),
            signed.contains("host"), signed.contains("x-amz-date"), signature.utf8.count == 64
        else { return nil }
        keyID = scope[0]
        day = scope[1]
        region = scope[2]
        service = scope[3]
        signedHeaders = signed
        self.signature = String(signature)
        self.moment = moment
    }

    /// Whether it is for a service and by a key.
    func isFor(service: String, keyID: Substring) -> Bool { self.service == service && self.keyID == keyID }

    /// Whether it is what the key's secret makes of this request.
    func isRight(for exchange: Exchange, secret: Substring) -> Bool {
        let canonical = [
            exchange.head.method.rawValue, Self.path(exchange.path), Self.query(exchange.head.uri),
            signedHeaders.map { "\($0):\(Self.value(exchange.head.headers[$0]))\n" }.joined(),
            signedHeaders.joined(separator: ";"), Self.digest(exchange.body),
        ].joined(separator: "\n")
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(moment)\n\(scope)\n\(Self.digest(Array(canonical.utf8)))"
        var key = Array("AWS4\(secret)".utf8)
        for part in [String(day), String(region), String(service), "aws4_request", text] {
            key = HMACSHA256.authenticationCode(for: Array(part.utf8), key: key)
        }
        return Hexadecimal.text(of: key) == signature
    }

    private static func digest(_ bytes: [UInt8]) -> String {
        bytes.withUnsafeBytes { SHA256Digest(of: $0).hexadecimal }
    }

    /// The path as it came, escaped once more: all of Amazon's services but S3 want that.
    private static func path(_ path: Substring) -> String {
        escaped(path, except: UInt8(ascii: "/"))
    }

    private static func query(_ uri: String) -> String {
        let pairs = uri.drop { $0 != "?" }.dropFirst().split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1)
            return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
        }
        return pairs.sorted { $0 < $1 }.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    private static func value(_ values: [String]) -> String {
        values.map { $0.split(separator: " ").joined(separator: " ") }.joined(separator: ",")
    }

    /// All but the unreserved characters of RFC 3986 as `%XX`.
    private static func escaped(_ text: Substring, except kept: UInt8) -> String {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
        return text.utf8.map { byte in
            guard !plain.contains(byte), byte != kept else { return String(UnicodeScalar(byte)) }
            let digits = String(byte, radix: 16, uppercase: true)
            return "%" + (digits.count < 2 ? "0" : "") + digits
        }.joined()
    }
}
