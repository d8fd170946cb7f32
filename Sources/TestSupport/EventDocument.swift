import Foundation

/// docs/events.md as tests read it: each event's series and the members of its payload.
public struct EventDocument {
    /// In the order of the page.
    public let events: [(name: String, series: String, members: String)]

    public init() throws {
        let root = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appending(path: "docs/events.md"), encoding: .utf8)
        let payloads = Dictionary(
            uniqueKeysWithValues: EventDocument.rows(after: "event-payloads", in: page).map { ($0[0], $0[1]) })
        events = EventDocument.rows(after: "events", in: page).map {
            ($0[0], $0[1], payloads[$0[2]] ?? "no such payload: \($0[2])")
        }
    }

    /// The names of the top members of a payload, in their order.
    public static func members(of json: String) throws -> String {
        let object = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any] ?? [:]
        func place(_ name: String) -> String.Index { json.range(of: "\"\(name)\":")?.lowerBound ?? json.endIndex }
        return object.keys.sorted { place($0) < place($1) }.joined(separator: ", ")
    }

    private static func rows(after name: String, in page: String) -> [[String]] {
        page.split(separator: "\n", omittingEmptySubsequences: false).drop { $0 != "<!-- \(name) -->" }.dropFirst()
            .prefix { $0.hasPrefix("|") }.dropFirst(2).map { line in
                line.dropFirst().dropLast().split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            }
    }
}
