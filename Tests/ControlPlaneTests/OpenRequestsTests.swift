import Identity
import Metering
import Storage
import Testing

@testable import Ingest

/// What holds whose month.
@Suite struct OpenRequestsTests {
    private func account(_ number: UInt64) -> AccountID { AccountID(UUIDv7(high: 1, low: number)) }

    private func mark(_ offset: Int64) -> JournalPosition { JournalPosition(segment: 1, offset: offset) }

    /// A request of this account, accepted so many milliseconds after the epoch.
    private func request(_ number: UInt64, of account: UInt64, at milliseconds: Int64) -> RequestRecord {
        RequestRecord(
            id: RequestID(UUIDv7(milliseconds: milliseconds, randomness: (number, number))),
            accountID: self.account(account), tenantID: TenantID(UUIDv7(high: 2, low: account)),
            projectID: ProjectID(UUIDv7(high: 3, low: account)), keyID: KeyID(UUIDv7(high: 4, low: account)),
            subscriptionID: SubscriptionID(UUIDv7(high: 5, low: account)), surface: .chatCompletions,
            modelRequested: "m", tierRequested: "standard", isStream: false, tags: [], clockOffsetMilliseconds: 0)
    }

    private func fresh() -> OpenRequests {
        OpenRequests(inherited: .init(until: JournalPosition(segment: 0, offset: 0)))
    }

    @Test func `each account has the minute of its own oldest request, and only changes are stored`() {
        var open = fresh()
        let first = request(1, of: 1, at: 200_000)
        open.open(first)
        open.open(request(2, of: 1, at: 230_000))
        open.open(request(3, of: 2, at: 999_999))
        let before = open.standing(at: mark(1))
        #expect(before.oldest == Timestamp(milliseconds: 200_000))
        #expect(before.changes[account(1)] == .some(Timestamp(milliseconds: 180_000)))
        #expect(before.changes[account(2)] == .some(Timestamp(milliseconds: 960_000)))
        #expect(before.isByAccount)
        // The second of the same minute takes the first one's place: nothing changes for the database.
        open.close(first.id)
        #expect(open.standing(at: mark(2)).changes.isEmpty)
    }

    @Test func `an account with nothing open any more is taken out, and others stay`() {
        var open = fresh()
        let short = request(1, of: 1, at: 60_000)
        open.open(short)
        open.open(request(2, of: 2, at: 60_000))
        _ = open.standing(at: mark(1))
        open.close(short.id)
        let after = open.standing(at: mark(2))
        #expect(after.changes == [account(1): nil])
        #expect(after.oldest == Timestamp(milliseconds: 60_000))
        // What begins and ends within one batch is never stored.
        let passing = request(3, of: 3, at: 60_000)
        open.open(passing)
        open.close(passing.id)
        #expect(open.standing(at: mark(3)).changes.isEmpty)
    }

    @Test func `what another process left open counts until the journal was read past its closing`() {
        var open = OpenRequests(
            inherited: .init(byAccount: [account(1): Timestamp(milliseconds: 60_000)], until: mark(10)))
        open.open(request(2, of: 2, at: 600_000))
        let before = open.standing(at: mark(9))
        #expect(before.changes == [account(2): Timestamp(milliseconds: 600_000)])
        #expect(before.oldest == Timestamp(milliseconds: 60_000))
        let after = open.standing(at: mark(10))
        #expect(after.changes == [account(1): nil])
    }

    @Test func `what an earlier release did not tell apart is anybody's until then`() {
        var open = OpenRequests(inherited: .init(ofAnybody: Timestamp(milliseconds: 60_000), until: mark(10)))
        let before = open.standing(at: mark(9))
        #expect(!before.isByAccount && before.oldest == Timestamp(milliseconds: 60_000))
        let after = open.standing(at: mark(10))
        #expect(after.isByAccount && after.oldest == nil)
    }
}
