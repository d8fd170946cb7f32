import Accounts
import Engines
import Glibc
import Identity
import Metering
import Telemetry
import TestSupport
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct TLSTests {
    @Test func `both sides speak TLS when they are told to`() async throws {
        let files = try PEMFiles()
        let inner = try await TestGateway(
            engine: ScriptedEngine { socket, request in
                socket.send(request.text.contains("stream") ? Answers.stream() : Answers.plain())
            },
            configure: { $0.tls = .init(certificateChain: files.certificate, privateKey: files.key) })
        inner.server.update(inner.chained)
        for host in ["localhost", "127.0.0.1"] {
            let outer = try await TestGateway(
                engine: ScriptedEngine(),
                configure: { $0.upstreamTrustRootsFile = files.certificate })
            outer.server.update(
                TestGateway.snapshot(change: 2, port: inner.server.port, isTLS: true, host: host, basePath: ""))
            #expect(try outer.ask(TestGateway.request(TestGateway.chat())).text == Answers.plainBody())
            let stream = try outer.ask(TestGateway.request(TestGateway.streamed))
            #expect(stream.text == Answers.streamEvents(usage: nil).joined())
            #expect(try outer.records(2)[1].attempts[0].buckets.outputTotal == 3)
            await outer.stop()
        }
        await inner.stop()
    }

    @Test func `a certificate that nobody vouches for is refused`() async throws {
        let files = try PEMFiles()
        let inner = try await TestGateway(
            engine: ScriptedEngine(),
            configure: { $0.tls = .init(certificateChain: files.certificate, privateKey: files.key) })
        let outer = try await TestGateway(engine: ScriptedEngine())
        outer.server.update(
            TestGateway.snapshot(change: 2, port: inner.server.port, isTLS: true, host: "localhost", basePath: ""))
        let answer = try outer.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.status == 502)
        #expect(answer.text.contains("upstream_unavailable"))
        await outer.stop()
        await inner.stop()
    }
}

extension TestGateway {
    /// A snapshot for a gateway behind another: it knows the other's key and upstream model name.
    fileprivate var chained: GatewaySnapshot {
        let base = TestGateway.snapshot(change: 2, port: engine.port, key: "engine-key")
        guard let model = base.catalogue.models.last else { return base }
        let behind = CatalogueModel(
            publicName: "engine-small", aliases: [], backend: model.backend, upstreamName: "x", priceKey: "x",
            contextTokensMax: 1, outputTokensMax: 1, tenantsAllowed: nil, createdAtSeconds: 1)
        return GatewaySnapshot(change: 2, keys: base.keys, catalogue: ModelCatalogue(models: [behind]))
    }
}

/// A self-signed certificate for `localhost` and 127.0.0.1, made for these tests and good for nothing else.
private struct PEMFiles {
    let certificate: String
    let key: String
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        certificate = directory.path + "/certificate.pem"
        key = directory.path + "/key.pem"
        for (path, text) in [(certificate, PEMFiles.certificateText), (key, PEMFiles.keyText)] {
            let file = try #require(fopen(path, "w"))
            fputs(text + "\n", file)
            fclose(file)
        }
    }

    private static let certificateText = """
        -----BEGIN CERTIFICATE-----
        MIIBmzCCAUGgAwIBAgIUAiSt8Tr5W541NznA+YkdDV1AUJkwCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzA2NTc0N1oYDzIxMjYxMDMw
        MDY1NzQ3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAASrr132PryBxoWSMtPj/KPe/RVwORiM8zE884IdppToPaUxc1w7O5i5
        7GzT7ol+nGEtcrJtapW0BJnH4mAUiYYQo28wbTAdBgNVHQ4EFgQU3r3UuHM0fkRA
        BMmsw5tJBgrmBMQwHwYDVR0jBBgwFoAU3r3UuHM0fkRABMmsw5tJBgrmBMQwDwYD
        VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
        zj0EAwIDSAAwRQIhAOEucSSaSVhB/+B0srLDVMqaEcS2sRxM3kezdN0BeERsAiAh
        VGHZkfTeP5d0o4+fkM7vjMtdvaA/lIUo57VYrZnu+A==
        -----END CERTIFICATE-----
        """

    private static let keyText = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgOUq6nwSOrWA46bkD
        FGOb6bhVTte3uDOYyUBArqOVWz+hRANCAASrr132PryBxoWSMtPj/KPe/RVwORiM
        8zE884IdppToPaUxc1w7O5i57GzT7ol+nGEtcrJtapW0BJnH4mAUiYYQ
        -----END PRIVATE KEY-----
        """
}
