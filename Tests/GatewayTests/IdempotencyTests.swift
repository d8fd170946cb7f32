import Identity
import Metering
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(2))) struct IdempotencyTests {
    private func request(_ key: String) -> String {
        TestGateway.request(TestGateway.chat(), headers: "Idempotency-Key: \(key)\r\n")
    }

    @Test func `a second run with the same key is refused and told the first one's record`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        #expect(try gateway.ask(request("order-1")).status == 200)
        let first = try gateway.record().request
        #expect(first.idempotencyDigest.count == 16)
        let second = try gateway.ask(request("order-1"))
        #expect(second.status == 409)
        #expect(second.text.contains(first.id.description))
        #expect(second.header("x-tollgate-first-request-id") == first.id.description)
        #expect(try gateway.ask(request("order-2")).status == 200)
        #expect(gateway.engine.requests.count == 2)
        #expect(!gateway.engine.requests.contains { $0.header("idempotency-key") != nil })
        await gateway.stop()
    }

    @Test func `without a key a retry is a new request`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        for _ in 0..<2 { #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200) }
        #expect(try gateway.records(2).map(\.request.idempotencyDigest) == [[], []])
        await gateway.stop()
    }

    @Test func `a key of no length or too much is refused`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        #expect(try gateway.ask(request(String(repeating: "k", count: 256))).status == 400)
        #expect(gateway.engine.requests.isEmpty)
        await gateway.stop()
    }
}
