import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEndTests {
    @Suite struct AuditTests {
        @Test func `what someone did at the command line is in the trail, and what someone did to the trail is found`()
            async throws
        {
            let installation = try await Installation.make()
            let customer = try await installation.customer("Research")
            let rotated = try await installation.created(
                "keys", "rotate", customer.key, "--overlap-hours", "1", "--reason", "it leaked")
            let trail = try await installation.created("audit", "list", "--chain", customer.account)
            #expect(
                trail.array.compactMap(\.action.string) == [
                    "account.created", "tenant.created", "project.created", "api_key.created", "subscription.created",
                    "api_key.rotated", "api_key.created",
                ])
            let entry = try #require(trail.array.first { $0.action.string == "api_key.rotated" })
            #expect(entry.actor.kind.string == "operator" && entry.actor.id.string == NSUserName())
            #expect(entry.actor.from.string?.isEmpty == false)
            #expect(entry.reason.string == "it leaked")
            #expect(entry.before.replaced_by.isNull && entry.after.replaced_by.string == rotated.key.string)
            let all = try await installation.tollgate("audit", "list", "--json").successful("audit list").output
            for secret in [customer.secret, try rotated.text("secret")] { #expect(!all.contains(secret)) }

            let whole = try await installation.tollgate("audit", "verify")
            #expect(whole.isSuccess && whole.output.contains("whole"), "\(whole.output)")
            try await installation.database.pool.withTransaction { tx in
                // Triggers refuse this to everyone who does not switch them off.
                try tx.execute("SET LOCAL session_replication_role = replica")
                try tx.execute("UPDATE audit_entries SET reason = 'nothing' WHERE reason = 'it leaked'")
            }
            let found = try await installation.tollgate("audit", "verify")
            #expect(found.end == .exited(1))
            #expect(found.output.contains("\(customer.account): entry 6 was changed"), "\(found.output)")
            try await installation.remove()
        }
    }
}
