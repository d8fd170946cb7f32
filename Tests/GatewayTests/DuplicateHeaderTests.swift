import Testing

@testable import Gateway

/// What the gateway itself goes by stands once.
@Suite(.timeLimit(.minutes(10))) struct DuplicateHeaderTests {
    @Test(arguments: [
        ("authorization", "Bearer sk-test-other"), ("Authorization", "Bearer \(TestGateway.key)"),
        ("AUTHORIZATION", "Basic eDp5"),
    ]) func `a second authorization is refused, whatever it says`(name: String, value: String) async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat(), headers: "\(name): \(value)\r\n"))
        #expect(answer.status == 400 && answer.text.contains("duplicate_header"))
        #expect(gateway.engine.requests.isEmpty)
        await gateway.stop()
    }

    @Test(arguments: [
        ("idempotency-key", "Idempotency-Key"), ("x-api-key", "X-API-Key"), ("api-key", "api-key"),
        ("x-goog-api-key", "X-Goog-Api-Key"), ("x-tollgate-tags", "X-Tollgate-Tags"),
    ]) func `a header that is read is refused when it is given twice`(first: String, second: String) async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let once = TestGateway.request(TestGateway.chat(), headers: "\(first): a=1\r\n")
        #expect(try gateway.ask(once).status == 200)
        let twice = TestGateway.request(
            TestGateway.chat(), headers: "\(first): a=1\r\nx-other: 1\r\n\(second): a=2\r\n")
        let answer = try gateway.ask(twice)
        #expect(answer.status == 400 && answer.text.contains("duplicate_header") && answer.text.contains(first))
        #expect(gateway.engine.requests.count == 1)
        await gateway.stop()
    }

    @Test func `headers that nobody reads may come as often as they like`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let headers = "x-other: 1\r\nx-other: 2\r\naccept: a\r\naccept: b\r\ncookie: a\r\ncookie: b\r\n"
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat(), headers: headers)).status == 200)
        await gateway.stop()
    }
}
