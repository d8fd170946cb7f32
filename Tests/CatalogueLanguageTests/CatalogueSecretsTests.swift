import CatalogueLanguage
import Engines
import Testing

struct CatalogueSecretsTests {
    private func document(
        _ backend: String, _ environment: [String: String] = [:], api: Bool = false
    ) throws(CatalogueRejection) -> Backend? {
        try CatalogueDocument(
            yaml: "backends:\n  - {name: a, \(backend)}\nmodels: []\n", environment: environment,
            variablesNeedHosts: api
        ).backends.first
    }

    private func refusal(
        _ backend: String, _ environment: [String: String] = [:], api: Bool = false
    ) -> [CatalogueFinding] {
        do throws(CatalogueRejection) {
            _ = try document(backend, environment, api: api)
            return []
        } catch {
            return error.findings
        }
    }

    @Test(arguments: [
        "TOLLGATE_DATABASE_URL", "HOME", "AWS_SECRET_ACCESS_KEY", "TOLLGATE_SECRET_KEY", "TOLLGATE_BACKEND_",
        "tollgate_backend_x", "XTOLLGATE_BACKEND_A", "TOLLGATE_BACKENDS",
    ])
    func `a variable that is not a backend's is never read`(name: String) {
        let bedrock = "url: \"https://b.amazonaws.com\", kind: bedrock, aws: {region: r, access_key_id: a, "
        for line in [
            "url: \"https://x.example\", api_key_env: \(name)", bedrock + "secret_access_key_env: \(name)}",
            bedrock + "secret_access_key_secret: s, session_token_env: \(name)}",
            bedrock.replacing("access_key_id: a, ", with: "")
                + "access_key_id_env: \(name), secret_access_key_secret: s}",
        ] {
            let findings = refusal(line, [name: "sesame"])
            #expect(findings.contains { $0.message.contains("TOLLGATE_BACKEND_") }, "\(line)")
            #expect(!findings.contains { $0.message.contains("sesame") })
        }
    }

    @Test func `a backend's own variable is read`() throws {
        let backend = try document(
            "url: \"https://x.example\", api_key_env: TOLLGATE_BACKEND_X", ["TOLLGATE_BACKEND_X": "k"])
        #expect(backend?.apiKey == "k")
    }

    @Test(arguments: [
        (nil, "TOLLGATE_BACKEND_X_HOSTS"), ("api.openai.com", "may not be sent"), ("", "must list hosts"),
        ("x.example.org", "may not be sent"), ("https://x.example:8443", "may not be sent"), ("a/b", "must list hosts"),
    ])
    func `over the API a variable goes only where its hosts say`(hosts: String?, message: String) {
        var environment = ["TOLLGATE_BACKEND_X": "k"]
        environment["TOLLGATE_BACKEND_X_HOSTS"] = hosts
        let findings = refusal("url: \"https://x.example\", api_key_env: TOLLGATE_BACKEND_X", environment, api: true)
        #expect(findings.count == 1 && findings.first?.message.contains(message) == true, "\(findings)")
        #expect(findings.first?.path == "backends[0].api_key_env" && findings.first?.line == 2)
    }

    @Test(arguments: ["x.example", "other.example, x.example:443", "*.example.org,https://x.example"])
    func `over the API a variable goes where its hosts say`(hosts: String) throws {
        let backend = try document(
            "url: \"https://x.example\", api_key_env: TOLLGATE_BACKEND_X",
            ["TOLLGATE_BACKEND_X": "k", "TOLLGATE_BACKEND_X_HOSTS": hosts], api: true)
        #expect(backend?.apiKey == "k")
    }

    @Test func `secrets are named, for a key and for signed requests`() throws {
        let plain = try document("url: \"https://x.example\", secret: openai")
        #expect(plain?.secretNames == [.apiKey: "openai"] && plain?.apiKey == nil && plain?.hasAPIKey == true)
        let signed = try document(
            "url: \"https://b.amazonaws.com\", kind: bedrock, aws: {region: r, access_key_id_secret: id, "
                + "secret_access_key_secret: key, session_token_secret: token}")
        #expect(
            signed?.secretNames == [.accessKeyID: "id", .secretAccessKey: "key", .sessionToken: "token"])
        #expect(signed?.settings.aws?.region == "r")
        #expect(try document("url: \"https://b.amazonaws.com\", kind: bedrock, secret: s")?.settings.aws == nil)
    }

    @Test(arguments: [
        ("kind: vllm", "[standard]"), ("kind: anthropic", "standard"), ("kind: anthropic", "[\"a b\"]"),
        ("kind: vertex", "[Standard]"), ("kind: anthropic", "[\"\"]"),
    ])
    func `betas that nobody can send are refused`(kind: String, list: String) {
        #expect(!refusal("url: \"https://x.example\", \(kind), anthropic_betas: \(list)").isEmpty)
    }

    @Test func `a backend has a list of betas of its own`() throws {
        let text = "url: \"https://x.example\", kind: anthropic, anthropic_betas: "
        #expect(try document(text + "[standard, new-beta-2026-12-01]")?.settings.anthropicBetas?.count == 2)
        #expect(try document(text + "[]")?.settings.anthropicBetas == [])
    }

    @Test(arguments: [
        "api_key: k, secret: s", "api_key: k, api_key_env: TOLLGATE_BACKEND_X",
        "secret: s, api_key_env: TOLLGATE_BACKEND_X",
        "secret: 'a b'", "secret: ''", "api_key: \"a\\r\\nx-evil: 1\"", "api_key: schlüssel",
        "api_key_env: TOLLGATE_BACKEND_NONE",
    ])
    func `what is no credential, or two of them, is refused`(members: String) {
        #expect(!refusal("url: \"https://x.example\", \(members)", ["TOLLGATE_BACKEND_X": "k"]).isEmpty)
    }
}
