import Accounts
import Foundation
import Identity
import Storage
import Synchronization
import TestSupport
import Testing

@testable import Billing

/// docs/events.md says what is written.
@Suite(.database, .timeLimit(.minutes(2)))
struct EventDocumentTests {
    @Test func `every event has its name, series and members in the document`() async throws {
        let fixture = try BillingFixture()
        let found = Mutex<[String: Set<[String]>]>([:])
        let deeds = Deeds(fixture: fixture) { kind, chain in
            let series = chain == .seller ? "seller" : "account"
            for event in try await fixture.events(of: chain) where event.name == kind.rawValue {
                let members = try EventDocumentTests.members(of: event.payload)
                found.withLock { _ = $0[event.name, default: []].insert([series, members.joined(separator: ", ")]) }
            }
        }
        try await deeds.all()
        let page = try String(
            contentsOf: URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent().appending(path: "docs/events.md"),
            encoding: .utf8)
        let payloads = Dictionary(
            uniqueKeysWithValues: EventDocumentTests.rows(after: "event-payloads", in: page).map { ($0[0], $0[1]) })
        let documented = EventDocumentTests.rows(after: "events", in: page)
        #expect(documented.map { $0[0] } == ChangeKind.allCases.map(\.rawValue))
        for row in documented {
            #expect(found.withLock { $0[row[0]] } == [[row[1], payloads[row[2]] ?? "no such payload"]], "\(row[0])")
        }
    }

    /// The names of the top members, in their order.
    private static func members(of json: String) throws -> [String] {
        let object = try #require(JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        return object.keys.sorted { left, right in
            guard let left = json.range(of: "\"\(left)\":"), let right = json.range(of: "\"\(right)\":") else {
                return false
            }
            return left.lowerBound < right.lowerBound
        }
    }

    private static func rows(after name: String, in page: String) -> [[String]] {
        page.split(separator: "\n", omittingEmptySubsequences: false).drop { $0 != "<!-- \(name) -->" }.dropFirst()
            .prefix { $0.hasPrefix("|") }.dropFirst(2).map { line in
                line.dropFirst().dropLast().split(separator: "|").map {
                    $0.trimmingCharacters(in: .whitespaces)
                }
            }
    }
}
