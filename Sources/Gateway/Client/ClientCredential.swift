import Accounts
import Glibc
import HTTP1

/// The key that a client shows, wherever its dialect puts it.
enum ClientCredential {
    /// The headers that may hold a key, in the order in which they are looked at. No dialect lets one of them through.
    static let headerNames = ["authorization", "x-api-key", "api-key", "x-goog-api-key"]

    /// The key; nil when the client shows none.
    static func secret(in headers: Headers, query: Substring) -> String? {
        if let header = headers.first("authorization") { return bearerToken(header) }
        for name in headerNames.dropFirst() {
            if let key = headers.first(named: name), !key.isEmpty { return key }
        }
        return query.isEmpty ? nil : parameter("key", of: query)
    }

    /// The token of `Bearer TOKEN`; the scheme is read in any case (RFC 9110, section 11.1).
    static func bearerToken(_ header: String) -> String? {
        guard let space = header.utf8.firstIndex(of: UInt8(ascii: " ")),
            header[..<space].lowercased() == "bearer"
        else { return nil }
        let token = header[header.utf8.index(after: space)...].drop { $0 == " " }
        return token.isEmpty ? nil : String(token)
    }

    private static func parameter(_ name: String, of query: Substring) -> String? {
        for part in query.dropFirst().split(separator: "&") where part.hasPrefix(name + "=") {
            let value = part.dropFirst(name.count + 1)
            return value.isEmpty ? nil : String(value)
        }
        return nil
    }
}

/// An `authorization` header and its grant in one snapshot: a connection's requests mostly show the same one, and need
/// not be digested and looked up again.
struct KnownCredential {
    let snapshotUpdates: Int
    let grant: KeyGrant
    private let header: [UInt8]

    /// Nil when the key stood elsewhere.
    init?(in headers: Headers, snapshotUpdates: Int, grant: KeyGrant) {
        guard let header = headers.withFirst("authorization", { Array($0) }) else { return nil }
        self.header = header
        self.snapshotUpdates = snapshotUpdates
        self.grant = grant
    }

    /// Whether these headers show the same.
    func isShown(in headers: Headers) -> Bool {
        headers.withFirst("authorization") { shown in
            guard shown.count == header.count, let base = shown.baseAddress else { return false }
            return header.withUnsafeBytes { $0.baseAddress.map { memcmp($0, base, shown.count) == 0 } ?? false }
        } ?? false
    }
}
