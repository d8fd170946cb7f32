/// Why the URL of a backend cannot be used.
public struct BackendURLError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String
}

extension Backend {
    /// A backend at a URL such as `https://engine.example:8443/base`.
    public convenience init(
        name: String, baseURL: String, apiKey: String?, hardware: String = "", quantisation: String = "",
        kind: EngineKind = .openAICompatible, settings: BackendSettings = BackendSettings()
    ) throws(BackendURLError) {
        let (isTLS, rest) = try Self.scheme(of: baseURL)
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let (host, port) = try Self.hostAndPort(of: rest[..<slash], in: baseURL)
        var path = rest[slash...]
        while path.hasSuffix("/") { path = path.dropLast() }
        guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !path.contains(where: { $0 == "?" || $0 == "#" }) else {
            throw BackendURLError(description: "\"\(baseURL)\" must not hold a query, a fragment or spaces")
        }
        self.init(
            name: name, isTLS: isTLS, host: host, port: port ?? (isTLS ? 443 : 80), basePath: String(path),
            apiKey: apiKey, hardware: hardware, quantisation: quantisation, kind: kind, settings: settings)
    }

    /// The URL that the address parts make, the port always named.
    public var baseURL: String {
        let shown = host.contains(":") ? "[\(host)]" : host
        return "\(isTLS ? "https" : "http")://\(shown):\(port)\(basePath)"
    }

    private static func scheme(of url: String) throws(BackendURLError) -> (isTLS: Bool, rest: Substring) {
        if url.hasPrefix("https://") { return (true, url.dropFirst(8)) }
        if url.hasPrefix("http://") { return (false, url.dropFirst(7)) }
        throw BackendURLError(description: "\"\(url)\" must begin with http:// or https://")
    }

    private static func hostAndPort(
        of authority: Substring, in url: String
    ) throws(BackendURLError) -> (host: String, port: Int?) {
        guard !authority.contains("@") else {
            throw BackendURLError(description: "the URL must not hold a user or password; use api_key")
        }
        var host = authority
        var portText: Substring?
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else {
                throw BackendURLError(description: "\"\(url)\" has an address without its closing bracket")
            }
            host = authority[authority.index(after: authority.startIndex)..<close]
            let rest = authority[authority.index(after: close)...]
            guard rest.isEmpty || rest.hasPrefix(":") else {
                throw BackendURLError(description: "\"\(url)\" has something other than a port after its address")
            }
            portText = rest.isEmpty ? nil : rest.dropFirst()
        } else if let colon = authority.lastIndex(of: ":") {
            host = authority[..<colon]
            portText = authority[authority.index(after: colon)...]
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw BackendURLError(description: "\"\(url)\" has no host name in ASCII")
        }
        guard let portText else { return (String(host), nil) }
        guard let port = Int(portText), (1...65535).contains(port) else {
            throw BackendURLError(description: "\"\(url)\" has a port that is not a number from 1 to 65535")
        }
        return (String(host), port)
    }
}
