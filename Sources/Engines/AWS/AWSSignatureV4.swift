public import Identity

/// Signs requests to Amazon's services (AWS Signature Version 4, `AWS4-HMAC-SHA256`, the signature in a header).
///
/// Pure: the time is handed in. What it returns is only good for a request with exactly the host, path, query, headers
/// and body that were signed.
public struct AWSSignatureV4: Sendable {
    /// The name under which a service checks signatures.
    public enum Service: String, Sendable {
        /// Also that of `bedrock-runtime` hosts.
        case bedrock
        /// Also that of `runtime.sagemaker` hosts.
        case sageMaker = "sagemaker"
    }

    private let credentials: BackendSettings.AWSCredentials
    private let service: Service

    /// Signs for one service in the credentials' region.
    public init(credentials: BackendSettings.AWSCredentials, service: Service) {
        self.credentials = credentials
        self.service = service
    }

    /// The fields to add to a request: its time, the session's token where there is one, and the signature.
    ///
    /// - Parameters:
    ///   - host: what the request's `host` field says: without the port where it is the scheme's own.
    ///   - path: as it is sent, so with what must be escaped in it escaped already; from its slash on.
    ///   - query: as it is sent, without the question mark; empty for none.
    ///   - headers: further fields to be signed, such as `content-type`; none of those that this adds, no name twice.
    ///   - body: the digest of the body as it is sent.
    ///   - time: now; the service refuses what is more than some minutes off.
    public func headerFields(
        method: String, host: String, path: String, query: String = "", headers: [HeaderField] = [],
        body: SHA256Digest, at time: Timestamp
    ) -> [HeaderField] {
        let stamp = AWSSignatureV4.stamp(time)
        var added = [HeaderField("x-amz-date", stamp)]
        if let token = credentials.sessionToken {
            added.append(HeaderField("x-amz-security-token", token))
        }
        let signed = (headers + added + [HeaderField("host", host)]).sorted { $0.name < $1.name }
        let names = signed.map(\.name).joined(separator: ";")
        let request = [
            method, AWSSignatureV4.canonicalPath(path), AWSSignatureV4.canonicalQuery(query),
            signed.map { "\($0.name):\(AWSSignatureV4.canonicalValue($0.value))\n" }.joined(), names,
            body.hexadecimal,
        ].joined(separator: "\n")
        let day = String(stamp.prefix(8))
        let scope = "\(day)/\(credentials.region)/\(service.rawValue)/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(stamp)\n\(scope)\n\(SHA256Digest(of: request).hexadecimal)"
        let signature = HMACSHA256.authenticationCode(for: Array(text.utf8), key: signingKey(day: day))
        added.append(
            HeaderField(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(scope), SignedHeaders=\(names), "
                    + "Signature=\(Hexadecimal.text(of: signature))"))
        return added
    }

    /// The key of one day, region and service, from the secret.
    private func signingKey(day: String) -> [UInt8] {
        [day, credentials.region, service.rawValue, "aws4_request"]
            .reduce(Array("AWS4\(credentials.secretAccessKey)".utf8)) { key, part in
                HMACSHA256.authenticationCode(for: Array(part.utf8), key: key)
            }
    }

    /// `20261125T210935Z`.
    private static func stamp(_ time: Timestamp) -> String {
        time.description.prefix { $0 != "." }.filter { $0 != "-" && $0 != ":" } + "Z"
    }

    /// Escapes what is escaped on the wire a second time (all services but S3 want that), and takes out empty segments
    /// and dots.
    private static func canonicalPath(_ path: String) -> String {
        var segments: [Substring] = []
        for segment in path.split(separator: "/") where segment != "." {
            if segment == ".." { _ = segments.popLast() } else { segments.append(segment) }
        }
        let end = path.hasSuffix("/") && !segments.isEmpty ? "/" : ""
        return "/" + segments.map { PercentEncoding.encoded($0) }.joined(separator: "/") + end
    }

    private static func canonicalQuery(_ query: String) -> String {
        query.split(separator: "&")
            .map { item -> (name: Substring, value: Substring) in
                let name = item.prefix { $0 != "=" }
                return (name, item.dropFirst(name.count + 1))
            }
            .sorted { ($0.name, $0.value) < ($1.name, $1.value) }
            .map { "\($0.name)=\($0.value)" }
            .joined(separator: "&")
    }

    /// Without white space at its ends, and one space where there were more.
    private static func canonicalValue(_ value: String) -> String {
        value.split { $0 == " " || $0 == "\t" }.joined(separator: " ")
    }
}
