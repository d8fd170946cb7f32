import CatalogueLanguage
import Engines
import Testing

struct CatalogueDocumentTests {
    private let whole = """
        backends:
          - name: sim
            url: http://127.0.0.1:9000
            api_key_env: TOLLGATE_BACKEND_SIM
            hardware: h100x8
        models:
          - name: sim-small
            aliases: [small]
            backend: sim
            context_tokens: 8192
            output_tokens: 4096
        """

    @Test func `a file becomes backends and models`() throws {
        let document = try CatalogueDocument(yaml: whole, environment: ["TOLLGATE_BACKEND_SIM": "secret"])
        #expect(document.backends.map(\.apiKey) == ["secret"])
        let model = try #require(document.models.first)
        #expect(model.upstreamName == "sim-small" && model.priceKey == "sim-small" && model.tenantsAllowed == nil)
        #expect(model.contextTokensMax == 8192 && model.backend.port == 9000)
    }

    @Test func `everything that is wrong is said at once, with its line`() throws {
        let broken = """
            backends:
              - name: Sim
                url: ftp://x
                colour: red
            models:
              - name: a
                backend: other
                context_tokens: many
                output_tokens: 0
                tenants_allowed: [acc_1]
            """
        let error = #expect(throws: CatalogueRejection.self) { try CatalogueDocument(yaml: broken, environment: [:]) }
        let paths = Set(try #require(error).findings.map(\.path))
        #expect(
            paths.isSuperset(of: [
                "backends[0].name", "backends[0].url", "backends[0]", "models[0].backend", "models[0].context_tokens",
                "models[0].output_tokens", "models[0].tenants_allowed",
            ]))
        #expect(error?.findings.first { $0.path == "models[0].context_tokens" }?.line == 8)
    }

    @Test func `a missing variable and a name used twice are refused`() throws {
        let twice = whole.replacing("aliases: [small]", with: "aliases: [sim-small]")
        let error = #expect(throws: CatalogueRejection.self) { try CatalogueDocument(yaml: twice, environment: [:]) }
        #expect(error?.findings.count == 2)
    }

    @Test(arguments: ["", "[]", "backends: {", "backends: []"])
    func `what is no catalogue is refused`(yaml: String) {
        #expect(throws: CatalogueRejection.self) { try CatalogueDocument(yaml: yaml, environment: [:]) }
    }
}
