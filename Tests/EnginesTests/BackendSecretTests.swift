import Engines
import Identity
import Testing

struct BackendSecretTests {
    private static let keyText = String(repeating: "07", count: 32)
    private static let nonce: @Sendable () -> [UInt8] = { [UInt8](repeating: 9, count: 12) }

    @Test(arguments: [
        ("api.openai.com", "api.openai.com", 443, true, true),
        ("api.openai.com", "API.OpenAI.com", 443, true, true),
        ("api.openai.com", "api.openai.com.evil.example", 443, true, false),
        ("api.openai.com", "evil-api.openai.com", 443, true, false),
        ("*.openai.azure.com", "res.openai.azure.com", 443, true, true),
        ("*.openai.azure.com", "openai.azure.com", 443, true, false),
        ("*.openai.azure.com", "evilopenai.azure.com", 443, true, false),
        ("10.0.0.20:8000", "10.0.0.20", 8000, false, true),
        ("10.0.0.20:8000", "10.0.0.20", 8001, false, false),
        ("https://gpu.internal", "gpu.internal", 80, false, false),
        ("https://gpu.internal", "gpu.internal", 8443, true, true),
        ("http://gpu.internal:80", "gpu.internal", 80, false, true),
        ("[::1]:8000", "::1", 8000, false, true),
        ("[::1]", "::1", 443, true, true),
        ("127.0.0.1", "127.0.0.10", 80, false, false),
    ])
    func `a host covers what it says`(entry: String, host: String, port: Int, isTLS: Bool, covers: Bool) throws {
        let entry = try #require(SecretHost(entry))
        #expect(entry.covers(host: host, port: port, isTLS: isTLS) == covers)
        #expect(SecretHost(entry.description) == entry)
    }

    @Test(arguments: [
        "", "*", "*.com", "a/b", "a b", "user@host", "host:0", "host:65536", "host:x", "ftp://host", "[::1", "ho*st",
        "host:", "https://", "häuser.de", "a?b", "a#b",
    ])
    func `what is no host is refused`(text: String) {
        #expect(SecretHost(text) == nil)
    }

    private func secret(_ name: String, _ value: String, hosts: [String], version: Int64 = 1) throws -> BackendSecret {
        let keyring = try SecretKeyring(Self.keyText)
        let hosts = hosts.compactMap { SecretHost($0) }
        let now = Timestamp(milliseconds: 0)
        return BackendSecret(
            name: name, version: version, hosts: hosts,
            sealed: keyring.seal(
                value, nonce: Self.nonce(),
                context: BackendSecret.context(name: name, version: version, hosts: hosts)),
            fingerprint: "", createdAt: now, updatedAt: now)
    }

    private func backend(_ url: String, kind: EngineKind = .openAI, _ names: [CredentialSlot: String]) throws -> Backend
    {
        var settings = BackendSettings()
        settings.credentials = names.mapValues { .secret(name: $0) }
        if kind == .bedrock {
            settings.aws = BackendSettings.AWSCredentials(accessKeyID: "", secretAccessKey: "", region: "eu-west-1")
        }
        return try Backend(name: "b", baseURL: url, apiKey: nil, kind: kind, settings: settings)
    }

    @Test func `a backend's secrets open where they may be sent`() throws {
        let keyring = try SecretKeyring(Self.keyText)
        let secrets = [
            "key": try secret("key", "sk-1", hosts: ["api.openai.com"]),
            "id": try secret("id", "AKIA", hosts: ["*.amazonaws.com"]),
            "aws": try secret("aws", "s3cret", hosts: ["*.amazonaws.com"]),
        ]
        let plain = try backend("https://api.openai.com", [.apiKey: "key"]).opened(by: keyring, secrets: secrets)
        #expect(plain.apiKey == "sk-1" && plain.settings.credentials.isEmpty)
        let signed = try backend(
            "https://bedrock-runtime.eu-west-1.amazonaws.com", kind: .bedrock,
            [.accessKeyID: "id", .secretAccessKey: "aws"]
        ).opened(by: keyring, secrets: secrets)
        #expect(signed.settings.aws?.accessKeyID == "AKIA" && signed.settings.aws?.secretAccessKey == "s3cret")
        #expect(signed.settings.aws?.sessionToken == nil && signed.settings.aws?.region == "eu-west-1")
    }

    @Test(arguments: [
        "https://evil.example", "http://api.openai.com:8080", "https://api.openai.com.evil.example", "https://[::1]",
    ])
    func `a secret is not sent elsewhere, whatever the catalogue says`(url: String) throws {
        let secrets = ["key": try secret("key", "sk-1", hosts: ["https://api.openai.com"])]
        let elsewhere = try backend(url, [.apiKey: "key"])
        let problem = #expect(throws: CredentialProblem.self) {
            try elsewhere.opened(by: SecretKeyring(Self.keyText), secrets: secrets)
        }
        #expect(problem?.code == "secret_host_not_allowed" && problem?.description.contains("sk-1") == false)
    }

    @Test func `hosts that were widened beside the program do not open the secret`() throws {
        let narrow = try secret("key", "sk-1", hosts: ["api.openai.com"])
        let wide = BackendSecret(
            name: "key", version: 1, hosts: narrow.hosts + [try #require(SecretHost("evil.example"))],
            sealed: narrow.sealed, fingerprint: "", createdAt: narrow.createdAt, updatedAt: narrow.updatedAt)
        let elsewhere = try backend("https://evil.example", [.apiKey: "key"])
        #expect(throws: CredentialProblem.doesNotOpen(.apiKey)) {
            try elsewhere.opened(by: SecretKeyring(Self.keyText), secrets: ["key": wide])
        }
    }

    @Test func `what is missing is told apart`() throws {
        let backend = try backend("https://api.openai.com", [.apiKey: "key"])
        let secrets = ["key": try secret("key", "sk-1", hosts: ["api.openai.com"])]
        #expect(throws: CredentialProblem.missingSecret(name: "key")) {
            try backend.opened(by: SecretKeyring(Self.keyText), secrets: [:])
        }
        #expect(throws: CredentialProblem.noKey(.apiKey)) { try backend.opened(by: nil, secrets: secrets) }
        let other = try SecretKeyring(String(repeating: "08", count: 32))
        let problem = #expect(throws: CredentialProblem.self) { try backend.opened(by: other, secrets: secrets) }
        #expect(problem?.code == "secret_key_unknown")
    }

    @Test func `a value of the catalogue is kept sealed for its name and address`() throws {
        let keyring = try SecretKeyring(Self.keyText)
        let plain = try Backend(name: "b", baseURL: "https://one.example", apiKey: "sk-1")
        let sealed = plain.sealed(by: keyring, nonce: Self.nonce)
        #expect(sealed.apiKey == nil && sealed.hasAPIKey && sealed != plain)
        #expect(try sealed.opened(by: keyring, secrets: [:]) == plain)
        let moved = try Backend(
            name: "b", baseURL: "https://evil.example", apiKey: nil, settings: sealed.settings)
        #expect(throws: CredentialProblem.doesNotOpen(.apiKey)) { try moved.opened(by: keyring, secrets: [:]) }
        var counter: UInt8 = 0
        let again = plain.sealed(by: keyring) {
            counter += 1
            return [UInt8](repeating: counter, count: 12)
        }
        #expect(again != sealed && again.keepingSeals(of: sealed) == sealed)
        let other = try Backend(name: "b", baseURL: "https://one.example", apiKey: "sk-2")
            .sealed(by: keyring, nonce: Self.nonce)
        #expect(other.keepingSeals(of: sealed) == other)
        #expect(throws: CredentialProblem.withheld(.apiKey)) {
            try plain.withholdingPlainValues().opened(by: keyring, secrets: [:])
        }
    }

    @Test func `the key is not sent in the clear to the metrics of a backend over TLS`() throws {
        var settings = BackendSettings()
        settings.readsMetrics = true
        settings.metricsPath = ":9400/metrics"
        let tls = try Backend(name: "b", baseURL: "https://gpu.internal", apiKey: "k", kind: .vllm, settings: settings)
        let plain = try Backend(name: "b", baseURL: "http://gpu.internal", apiKey: "k", kind: .vllm, settings: settings)
        let hosts = [try #require(SecretHost("gpu.internal:80")), try #require(SecretHost("gpu.internal:443"))]
        #expect(!tls.sendsKeyToMetrics && tls.addressOutside(hosts) == nil)
        #expect(plain.sendsKeyToMetrics && plain.addressOutside(hosts) == "http://gpu.internal:9400")
    }

    @Test(arguments: ["", "-a", ".a", "a b", "a/b", "ä", String(repeating: "a", count: 64), "a\n"])
    func `what is no name of a secret is refused`(name: String) {
        #expect(!BackendSecret.isName(name))
    }

    @Test(arguments: ["", " a", "a ", "a\r\nx-evil: 1", "a\u{0}", "schlüssel", String(repeating: "a", count: 8193)])
    func `what cannot stand in a header is no value`(value: String) {
        #expect(!BackendSecret.isValue(value))
    }
}
