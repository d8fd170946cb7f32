import Foundation
import Glibc
import Postgres
import Synchronization
import TestSupport
import Testing

extension EndToEndTests {
    /// Limits that two gateways share through one Postgres.
    @Suite struct LimitTests {
        @Test func `of 64 requests to two gateways exactly as many pass as there is room for`() async throws {
            let made = try await TwoGateways.make()
            // Slow enough that the first answer is not there before the last request.
            try made.installation.engine.configure(#"{"prefill_ms": 8000}"#)
            let running = made.storm(64)
            #expect(running.count { $0 == 200 } == TwoGateways.room)
            #expect(running.count { $0 == 429 } == 64 - TwoGateways.room)

            // Two a minute: the third would have to wait for half a minute.
            _ = try await made.installation.tollgate(
                "limits", "set", made.customer.project, "requests_per_minute", "2"
            ).successful("limits set")
            try made.installation.engine.configure(#"{"prefill_ms": 0}"#)
            try await Task.sleep(for: .seconds(2))
            let passed = made.storm(64)
            #expect(passed.count { $0 == 200 } == 2)
            try await made.stop()
        }

        @Test func `a killed gateway's slices are free within 15 seconds`() async throws {
            let made = try await TwoGateways.make()
            try made.installation.engine.configure(#"{"prefill_ms": 60000}"#)
            for _ in 0..<TwoGateways.room {
                Thread.detachNewThread { _ = try? made.call(0).send() }
            }
            try await made.waitForRunning(TwoGateways.room)
            try made.installation.engine.configure(#"{"prefill_ms": 0}"#)
            #expect(try made.call(1).send().status == 429)
            made.gateways[0].send(SIGKILL)
            _ = try await made.gateways[0].ended()
            try await Task.sleep(for: .milliseconds(14_500))
            try made.installation.engine.configure(#"{"prefill_ms": 3000}"#)
            let answers = made.storm(TwoGateways.room, to: [1])
            #expect(answers.count { $0 == 200 } == TwoGateways.room)
            try await made.stop(from: 1)
        }
    }
}

/// An installation with two gateways, and a key that may have so many requests running at one time.
private final class TwoGateways: Sendable {
    static let room = 11

    let installation: Installation
    let customer: Customer
    let gateways: [RunningProgram]
    private let ports: [Int]

    private init(installation: Installation, customer: Customer, gateways: [RunningProgram], ports: [Int]) {
        self.installation = installation
        self.customer = customer
        self.gateways = gateways
        self.ports = ports
    }

    static func make() async throws -> TwoGateways {
        // A busy machine takes longer for a transaction than a request should wait.
        let installation = try await Installation.make(
            settings: ["TOLLGATE_GATEWAY_LIMIT_WAIT_MILLISECONDS_MAX": "1000"])
        let customer = try await installation.customer("bounded")
        _ = try await installation.tollgate("limits", "set", customer.key, "concurrent_requests", "\(room)")
            .successful("limits set")
        let port = try freePort()
        let second = try await installation.served(environment: [
            "TOLLGATE_GATEWAY_PORT": "\(port)", "TOLLGATE_GATEWAY_NAME": "second",
            "TOLLGATE_JOURNAL_DIRECTORY": "\(installation.files.path)/journal-2",
        ])
        let first = try await installation.served()
        return TwoGateways(
            installation: installation, customer: customer, gateways: [first, second],
            ports: [installation.gatewayPort, port])
    }

    func call(_ gateway: Int) -> HTTPCall {
        let body = #"{"model":"sim-small","messages":[{"role":"user","content":"Hello"}],"max_tokens":2}"#
        var call = HTTPCall.post(
            "http://127.0.0.1:\(ports[gateway])/v1/chat/completions", key: customer.secret, json: body)
        call.timeoutSeconds = 90
        return call
    }

    /// Sends requests at once, each from a thread of its own, to these gateways in turn; the statuses.
    func storm(_ count: Int, to gateways: [Int] = [0, 1]) -> [Int] {
        let statuses = Mutex<[Int]>([])
        let group = DispatchGroup()
        for index in 0..<count {
            group.enter()
            Thread.detachNewThread {
                let status = (try? self.call(gateways[index % gateways.count]).send().status) ?? 0
                statuses.withLock { $0.append(status) }
                group.leave()
            }
        }
        _ = group.wait(timeout: .now() + 100)
        return statuses.withLock { $0 }
    }

    /// Waits until so many requests run at the first gateway and Postgres knows of them.
    func waitForRunning(_ count: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while true {
            let reserved = try await installation.query("SELECT coalesce(sum(reserved), 0)::bigint FROM limit_slices")
                .onlyValue(as: Int64.self)
            if reserved == Int64(count) { return }
            guard ContinuousClock.now < deadline else {
                throw ProgramFailure("\(reserved) of \(count) requests run")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    func stop(from first: Int = 0) async throws {
        for gateway in gateways[first...] { try await installation.stop(gateway) }
        try await installation.remove()
    }
}
