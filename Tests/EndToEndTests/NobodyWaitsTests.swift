import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

extension EndToEndTests {
    /// What one customer does, or where Postgres stands, is no reason to refuse or to hold up another.
    @Suite struct NobodyWaitsTests {
        @Test func `with Postgres 20 ms away no request is refused while its limits are unused`() async throws {
            let installation = try await Installation.make()
            var customers: [Customer] = []
            for number in 1...4 {
                let customer = try await installation.customer("far \(number)")
                customers.append(customer)
                for (kind, value) in [
                    ("requests_per_minute", 600), ("tokens_per_minute", 1_000_000), ("concurrent_requests", 64),
                ] {
                    let scope = kind == "concurrent_requests" ? customer.account : customer.key
                    _ = try await installation.tollgate("limits", "set", scope, kind, "\(value)")
                        .successful("limits set")
                }
            }
            let proxy = try DelayingProxy(to: installation.database, roundTripMilliseconds: 20)
            let gateway = try await installation.served(environment: ["TOLLGATE_DATABASE_URL": proxy.url])
            // First one request of each key, then bursts of them; after the pause all slices have lapsed.
            #expect(statuses(installation, customers, each: 1) == Array(repeating: 200, count: 4))
            #expect(statuses(installation, customers, each: 8) == Array(repeating: 200, count: 32))
            try await Task.sleep(for: .seconds(13))
            #expect(statuses(installation, customers, each: 8) == Array(repeating: 200, count: 32))
            try await installation.stop(gateway)
            proxy.stop()
            try await installation.remove()
        }

        @Test func `one customer's long request holds its own month and no other's`() async throws {
            let installation = try await Installation.make()
            let month = MainJob.Month.present.next
            let slow = try await installation.customer("slow", from: month.day(1), mode: "test")
            let others = [
                try await installation.customer("quick", from: month.day(1), mode: "test"),
                try await installation.customer("quiet", from: month.day(1), mode: "test"),
            ]
            let gateway = try await installation.served()
            try await move([slow] + others, to: month.day(9), installation)
            try installation.engine.configure(#"{"prefill_ms": 30000}"#)
            let ended = Mutex<Int?>(nil)
            Thread.detachNewThread {
                let status = (try? call(installation, slow).send().status) ?? 0
                ended.withLock { $0 = status }
            }
            try await waitForOpen(slow, installation)
            try installation.engine.configure(#"{"prefill_ms": 0}"#)
            #expect(try call(installation, others[0]).send().status == 200)
            try await move([slow] + others, to: month.next.day(2), installation)

            var words = try await invoiced(month, until: others.map(\.account), installation)
            #expect(ended.withLock { $0 } == nil, "the long request still runs")
            #expect(words[slow.account] == "waiting", "\(words)")
            for other in others { #expect(words[other.account].map { $0 != "waiting" } == true, "\(words)") }

            while ended.withLock({ $0 }) == nil { try await Task.sleep(for: .milliseconds(100)) }
            #expect(ended.withLock { $0 } == 200)
            words = try await invoiced(month, until: [slow.account], installation)
            #expect(words[slow.account] != "waiting", "\(words)")
            try await installation.stop(gateway)
            try await installation.remove()
        }

        // MARK: requests

        /// So many requests of each customer, all at once.
        private func statuses(_ installation: Installation, _ customers: [Customer], each count: Int) -> [Int] {
            let statuses = Mutex<[Int]>([])
            let group = DispatchGroup()
            for customer in customers {
                for _ in 0..<count {
                    group.enter()
                    Thread.detachNewThread {
                        let status = (try? call(installation, customer).send().status) ?? 0
                        statuses.withLock { $0.append(status) }
                        group.leave()
                    }
                }
            }
            _ = group.wait(timeout: .now() + 100)
            return statuses.withLock { $0 }
        }

        // MARK: months

        private func move(_ customers: [Customer], to instant: String, _ installation: Installation) async throws {
            for customer in customers {
                _ = try await installation.tollgate("accounts", "clock", customer.account, "--to", instant)
                    .successful("accounts clock")
            }
            try await eventually("the gateway did not learn of \(instant)") {
                try await installation.query(
                    "SELECT 1 FROM journals, accounts WHERE retired_at IS NULL AND snapshot_change < clock_change"
                ).isEmpty
            }
        }

        private func waitForOpen(_ customer: Customer, _ installation: Installation) async throws {
            // Opens are not synced by themselves; heartbeats bring them to the database.
            try await eventually("the database does not know the open request") {
                try await !installation.query("SELECT 1 FROM journal_open_requests").isEmpty
            }
        }

        /// Runs the month's invoices until these accounts no longer wait; what became of each account.
        private func invoiced(
            _ month: MainJob.Month, until accounts: [String], _ installation: Installation
        ) async throws -> [String: String] {
            var words: [String: String] = [:]
            try await eventually("\(accounts) wait") {
                let run = try await installation.tollgate(
                    "invoices", "run", "--mode", "test", "--period", month.text, "--json")
                words = [:]
                for row in try run.json().array {
                    words[try row.text("account")] = try row.text("result")
                }
                return accounts.allSatisfy { words[$0] != "waiting" }
            }
            return words
        }

        private func eventually(_ failure: String, _ isSo: () async throws -> Bool) async throws {
            let deadline = ContinuousClock.now + .seconds(60)
            while try await !isSo() {
                guard ContinuousClock.now < deadline else { throw ProgramFailure(failure) }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }
}

private func call(_ installation: Installation, _ customer: Customer) -> HTTPCall {
    let body = #"{"model":"sim-small","messages":[{"role":"user","content":"Hello"}]}"#
    var call = HTTPCall.post("\(installation.gatewayURL)/v1/chat/completions", key: customer.secret, json: body)
    call.timeoutSeconds = 90
    return call
}
