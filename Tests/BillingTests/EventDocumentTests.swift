import Accounts
import Identity
import Storage
import Synchronization
import TestSupport
import Testing

@testable import Billing

/// docs/events.md says what is written.
@Suite(.database, .timeLimit(.minutes(10)))
struct EventDocumentTests {
    @Test func `the document has every event, in the order of the code`() throws {
        #expect(try EventDocument().events.map(\.name) == ChangeKind.allCases.map(\.rawValue))
    }

    @Test func `every event has the series and the members that the document gives it`() async throws {
        let fixture = try BillingFixture()
        let found = Mutex<[String: Set<[String]>]>([:])
        let deeds = Deeds(fixture: fixture) { kind, chain in
            let series = chain == .seller ? "seller" : "account"
            for event in try await fixture.events(of: chain) where event.name == kind.rawValue {
                let members = try EventDocument.members(of: event.payload)
                found.withLock { _ = $0[event.name, default: []].insert([series, members]) }
            }
        }
        try await deeds.all()
        for event in try EventDocument().events where !Deeds.kindsOfJobs.map(\.rawValue).contains(event.name) {
            #expect(found.withLock { $0[event.name] } == [[event.series, event.members]], "\(event.name)")
        }
    }
}
