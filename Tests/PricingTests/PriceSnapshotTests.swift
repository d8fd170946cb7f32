import Identity
import Metering
import Pricing
import TestSupport
import Testing

@Suite struct PriceSnapshotTests {
    private func snapshot() throws -> PriceSnapshot {
        let first = try PlanSamples.version()
        let second = try PlanSamples.version(
            ("version: 1", "version: 2"), ("2026-01-01", "2026-06-01"), ("input: \"0.15\"", "input: \"0.30\""),
            ("base_fee: \"49.00\"", "policies: {usage_missing: waive}"))
        return PriceSnapshot(histories: ["sample": try PlanHistory(published: [first, second])])
    }

    private func entry(
        at text: String = "2026-03-01T00:00:00Z", tier: String = "standard",
        _ attempts: [(inout AttemptRecord) -> Void]
    ) throws -> UsageEntry {
        let accepted = try #require(Timestamp(text))
        let id = UUIDv7(milliseconds: accepted.milliseconds, randomness: (3, 4))
        let request = RequestRecord(
            id: RequestID(id), accountID: AccountID(id), tenantID: TenantID(id), projectID: ProjectID(id),
            keyID: KeyID(id), subscriptionID: SubscriptionID(id), surface: .chatCompletions, modelRequested: "small",
            tierRequested: tier)
        return UsageEntry(
            request: request,
            attempts: attempts.enumerated().map { index, change in
                var attempt = AttemptRecord(
                    id: AttemptID(UUIDv7(milliseconds: accepted.milliseconds, randomness: (5, UInt64(index)))),
                    number: Int32(index + 1), backend: "east", upstreamModel: "small", priceKey: "small")
                attempt.buckets = TokenBuckets(inputUncached: 100, outputVisible: 20)
                attempt.usageSource = .engine
                attempt.termination = .complete
                change(&attempt)
                return attempt
            })
    }

    @Test func `a quote is what was billed, by the version in force at acceptance`() throws {
        let before = try snapshot().quote(try entry(at: "2026-05-31T23:59:59.999Z", [{ _ in }]), plan: "sample")
        #expect(before.map { [$0.amount, $0.currency, $0.basis.rawValue] } == ["0.000027", "USD", "final"])
        let after = try snapshot().quote(try entry(at: "2026-06-01T00:00:00Z", [{ _ in }]), plan: "sample")
        #expect(after?.amount == "0.000042")
        let priority = try snapshot().quote(try entry(tier: "priority", [{ _ in }]), plan: "sample")
        #expect(priority?.amount == "0.00004725")
    }

    @Test func `all delivered inferences are in it, and no other try`() throws {
        let entry = try entry([
            { $0.isDelivered = false }, { _ in },
            {
                $0.kind = .advisor
                $0.priceKey = "embed"
                $0.buckets = TokenBuckets(inputUncached: 50)
            },
        ])
        // 0.000027 and 50 × 0.02 per million.
        #expect(try snapshot().quote(entry, plan: "sample")?.amount == "0.000028")
    }

    @Test func `what is waived is quoted at nothing`() throws {
        let lost = try entry([{ $0.termination = .gatewayLost }])
        #expect(try snapshot().quote(lost, plan: "sample")?.amount == "0.00")
        let counted = try entry(at: "2026-07-01T00:00:00Z", [{ $0.usageSource = .counted }])
        #expect(try snapshot().quote(counted, plan: "sample")?.amount == "0.00")
    }

    @Test func `what would wait in suspense has no quote`() throws {
        let snapshot = try snapshot()
        #expect(snapshot.quote(try entry([{ $0.priceKey = "unheard-of" }]), plan: "sample") == nil)
        #expect(snapshot.quote(try entry([{ $0.contradiction = "odd" }]), plan: "sample") == nil)
        #expect(snapshot.quote(try entry(at: "2025-12-31T00:00:00Z", [{ _ in }]), plan: "sample") == nil)
        #expect(snapshot.quote(try entry([{ _ in }]), plan: "another") == nil)
    }

    @Test func `counts that may still come make it provisional`() throws {
        let quote = try snapshot().quote(try entry([{ _ in }]), plan: "sample", isFinal: false)
        #expect(quote?.basis == .provisional && quote?.amount == "0.000027")
    }
}
