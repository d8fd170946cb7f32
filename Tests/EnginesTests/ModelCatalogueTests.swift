import Engines
import Foundation
import Testing

struct ModelCatalogueTests {
    private func backend(_ name: String) -> Backend {
        Backend(name: name, isTLS: false, host: "h", port: 1, basePath: "", apiKey: nil)
    }

    private func model(_ name: String, aliases: [String] = [], _ routes: [(String, String)]) -> CatalogueModel {
        CatalogueModel(
            publicName: name, aliases: aliases,
            routes: routes.map { ModelRoute(backend: backend($0.0), upstreamName: $0.1) }, priceKey: name,
            contextTokensMax: 10, outputTokensMax: 10, tenantsAllowed: nil, createdAtSeconds: 0)
    }

    @Test func `a backend's model is found by public name, alias and upstream name`() {
        let catalogue = ModelCatalogue(models: [
            model("a", aliases: ["first"], [("one", "vendor/a"), ("two", "a-v2")]), model("b", [("one", "a")]),
        ])
        #expect(catalogue.model(on: "one", named: "a")?.0.publicName == "a")
        #expect(catalogue.model(on: "one", named: "first")?.1.upstreamName == "vendor/a")
        #expect(catalogue.model(on: "two", named: "a-v2")?.1.upstreamName == "a-v2")
        #expect(catalogue.model(on: "two", named: "vendor/a") == nil)
        #expect(catalogue.model(on: "three", named: "a") == nil && catalogue.backend(named: "three") == nil)
        #expect(catalogue.backend(named: "two")?.name == "two")
    }

    @Test func `a request that names no model runs the only one of its backend`() {
        let catalogue = ModelCatalogue(models: [
            model("a", [("one", "vendor/a"), ("two", "a-v2")]), model("b", [("one", "b")]),
        ])
        #expect(catalogue.model(on: "two", named: nil)?.0.publicName == "a")
        #expect(catalogue.model(on: "one", named: nil) == nil)
    }

    @Test func `settings read back as they were written, and rows without any are the usual ones`() throws {
        var settings = BackendSettings()
        settings.region = "eu"
        settings.apiVersion = "v1"
        settings.aws = BackendSettings.AWSCredentials(
            accessKeyID: "id", secretAccessKey: "secret", sessionToken: "token", region: "r")
        settings.counting = .continuous
        settings.tokenizerPath = "/t.json"
        settings.auditsUsage = true
        settings.asksForCounts = true
        settings.concurrentRequestsMax = 3
        settings.contextTokensMax = 8192
        settings.readsMetrics = true
        settings.metricsPath = "/m"
        let data = try JSONEncoder().encode(settings)
        #expect(try JSONDecoder().decode(BackendSettings.self, from: data) == settings)
        #expect(try JSONDecoder().decode(BackendSettings.self, from: Data("{}".utf8)) == BackendSettings())
        #expect(try JSONEncoder().encode(BackendSettings()) == Data("{}".utf8))
    }
}
