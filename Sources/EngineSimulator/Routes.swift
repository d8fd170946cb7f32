import NIOHTTP1

/// What the engine answers, by method and path. The table is the whole of its surface.
struct Route: Sendable {
    enum Action: Sendable {
        /// An inference with a line in the book.
        case generate(any Dialect)
        /// Something that is there at once.
        case answer(@Sendable (Engine, Exchange) -> PreparedAnswer)
        /// Anything else that ends in an answer or a generation.
        case reply(@Sendable (Engine, Exchange) -> Reply)
    }

    let method: HTTPMethod
    /// Segments of the path; `*` takes any one, `*:verb` any that ends so.
    let pattern: [Substring]
    /// How it wants to know who asks; nil does not ask.
    let credentials: CredentialScheme?
    let action: Action

    /// What stands in the path where the pattern has `*`; nil when the path is another.
    func match(_ segments: [Substring]) -> [String]? {
        guard segments.count == pattern.count else { return nil }
        var found: [String] = []
        for (wanted, segment) in zip(pattern, segments) {
            if wanted.first == "*" {
                let ending = wanted.dropFirst()
                guard segment.hasSuffix(ending), segment.utf8.count > ending.utf8.count else { return nil }
                found.append(PercentEncoding.decode(segment.dropLast(ending.count)))
            } else if wanted != segment {
                return nil
            }
        }
        return found
    }
}

extension Route {
    static func generate(_ dialect: any Dialect, _ paths: String...) -> [Route] {
        paths.map { path in
            Route(
                method: .POST, pattern: path.split(separator: "/", omittingEmptySubsequences: false),
                credentials: dialect.credentials, action: .generate(dialect))
        }
    }

    static func answer(
        _ method: HTTPMethod, _ paths: String..., credentials: CredentialScheme? = nil,
        with answer: @escaping @Sendable (Engine, Exchange) -> PreparedAnswer
    ) -> [Route] {
        paths.map { path in
            Route(
                method: method, pattern: path.split(separator: "/", omittingEmptySubsequences: false),
                credentials: credentials, action: .answer(answer))
        }
    }

    static func reply(
        _ method: HTTPMethod, _ paths: String..., credentials: CredentialScheme? = nil,
        with reply: @escaping @Sendable (Engine, Exchange) -> Reply
    ) -> [Route] {
        paths.map { path in
            Route(
                method: method, pattern: path.split(separator: "/", omittingEmptySubsequences: false),
                credentials: credentials, action: .reply(reply))
        }
    }
}

/// Percent-encoding (RFC 3986, section 2.1).
enum PercentEncoding {
    /// The text that some encoded text stands for; what is no encoding stays as it is.
    static func decode(_ text: Substring) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        let bytes = Array(text.utf8)
        var decoded: [UInt8] = []
        var position = 0
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "%"), position + 2 < bytes.count,
                let byte = UInt8(String(decoding: bytes[position + 1...position + 2], as: UTF8.self), radix: 16)
            {
                decoded.append(byte)
                position += 3
            } else {
                decoded.append(bytes[position])
                position += 1
            }
        }
        return String(decoding: decoded, as: UTF8.self)
    }
}
