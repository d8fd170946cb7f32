import Glibc
import Postgres
import TestSupport
import Testing

extension EndToEndTests {
    @Suite struct KilledInvoiceRunTests {
        /// Accounts to invoice: enough for a run to be caught at work.
        static let accounts = 8
        /// Runs killed, each a little later in its life than the one before.
        static let kills = 12

        @Test func `an invoice run killed at any moment leaves no gap and nothing twice`() async throws {
            let plan = "\(repositoryRoot)/pricing-plans/team-priority.yaml"
            let installation = try await Installation.make(plans: [plan])
            let month = MainJob.Month.present.next
            for number in 1...Self.accounts {
                let customer = try await installation.customer(
                    "customer \(number)", plan: "team-priority", from: month.day(1), mode: "test")
                _ = try await installation.tollgate(
                    "accounts", "clock", customer.account, "--to", month.next.day(2)
                ).successful("accounts clock")
            }

            let started = ContinuousClock.now
            _ = try await installation.tollgate(
                "invoices", "run", "--mode", "test", "--period", month.text, "--dry-run"
            )
            .successful("invoices run --dry-run")
            let whole = ContinuousClock.now - started
            var killed = 0
            for share in 1...Self.kills {
                let run = try RunningProgram.start(
                    [ProgramFiles.tollgate, "invoices", "run", "--mode", "test", "--period", month.text],
                    environment: installation.environment, directory: installation.files.path, name: "killed-run")
                try await Task.sleep(for: whole * share / Self.kills)
                run.send(SIGKILL)
                if try await run.ended() == .killed(signal: SIGKILL) { killed += 1 }
            }
            #expect(killed > 0, "some runs were caught at work")
            _ = try await installation.tollgate("invoices", "run", "--mode", "test", "--period", month.text).successful(
                "invoices run")

            let numbers = try await installation.query(
                "SELECT number FROM invoices WHERE state = 'finalized' ORDER BY number"
            ).decodeAll(as: String.self)
            #expect(numbers.count == Self.accounts)
            #expect(try numbers.map { try lastNumber($0) } == Array(1...Self.accounts), "\(numbers)")
            let invoiced = try await installation.query("SELECT count(DISTINCT account_id) FROM invoices")
            #expect(try invoiced.onlyValue(as: Int.self) == Self.accounts)
            let reconcile = try await installation.reconcile()
            #expect(reconcile.isSuccess, "\(reconcile.output) \(reconcile.errors)")
            try await installation.remove()
        }

        /// The counter at the end of `INV-TEST-2026-000001`.
        private func lastNumber(_ text: String) throws -> Int {
            guard let digits = text.split(separator: "-").last, let number = Int(digits) else {
                throw ProgramFailure("no invoice number: \(text)")
            }
            return number
        }
    }
}
