import TestSupport
import Testing

extension EndToEndTests {
    @Suite struct KeyTests {
        @Test func `a revoked key is refused once the gateway knows, and its successor works`() async throws {
            let installation = try await Installation.make()
            let customer = try await installation.customer("careful")
            let gateway = try await installation.served()
            #expect(try status(installation, customer.secret) == 200)

            let successor = try await installation.created("keys", "rotate", customer.key, "--overlap-hours", "1")
            let secret = try successor.text("secret")
            try await waits(for: 200) { try status(installation, secret) }
            #expect(try status(installation, customer.secret) == 200, "the old key works during the overlap")

            _ = try await installation.tollgate("keys", "revoke", customer.key).successful("keys revoke")
            try await waits(for: 401) { try status(installation, customer.secret) }
            #expect(try status(installation, secret) == 200)

            try await installation.stop(gateway)
            try await installation.remove()
        }

        private func status(_ installation: Installation, _ secret: String) throws -> Int {
            let body = #"{"model":"sim-small","messages":[{"role":"user","content":"Hello"}],"max_tokens":2}"#
            let url = "\(installation.gatewayURL)/v1/chat/completions"
            return try HTTPCall.post(url, key: secret, json: body).send().status
        }

        /// The change reaches the gateway by itself; how fast is not this test's matter.
        private func waits(for expected: Int, of read: () throws -> Int) async throws {
            let deadline = ContinuousClock.now + .seconds(120)
            while true {
                let status = try read()
                if status == expected { return }
                guard ContinuousClock.now < deadline else {
                    throw ProgramFailure("the gateway still answers \(status), not \(expected)")
                }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }
}
