internal import Metering

/// Tools that an engine runs itself and sells by the call, as items of an answer name them.
enum ToolCalls {
    /// How many searches an item of that type stands for.
    static func searches(itemType name: JSONText, in bytes: UnsafeRawBufferPointer) -> Int64 {
        searchItems.contains { name.equals($0, in: bytes) } ? 1 : 0
    }

    /// Whether an item of that type is a picture that a tool made.
    static func isPicture(itemType name: JSONText, in bytes: UnsafeRawBufferPointer) -> Bool {
        name.equals("image_generation_call", in: bytes)
    }

    /// The work that an item or block of that type stands for, of which an answer may show no more than a part.
    static func hiddenWork(type name: JSONText, in bytes: UnsafeRawBufferPointer) -> HiddenWork {
        hiddenWorks.meaning(of: name, in: bytes) ?? []
    }

    private static let hiddenWorks = NamedMeanings([
        ["reasoning", "thinking", "redacted_thinking", "thought"]: HiddenWork.reasoning,
        ["compaction"]: .summary,
    ])

    /// Whether a search's action is none that is sold: a page found before is opened or looked through.
    static func isFree(action name: JSONText, in bytes: UnsafeRawBufferPointer) -> Bool {
        freeActions.contains { name.equals($0, in: bytes) }
    }

    /// Whether a tool that Groq's compound systems ran is a search.
    static func isSearch(executed name: String) -> Bool { executedSearches.contains(name) }

    private static let searchItems: [StaticString] = ["web_search_call", "x_search_call", "web_search_preview_call"]
    private static let freeActions: [StaticString] = ["open_page", "find_in_page", "open", "find"]
    private static let executedSearches: Set<String> = ["search", "web_search", "browser_search"]
    /// The most bytes of a list of queries that are looked through.
    static let queriesBytesMax = 32 * 1024
}

/// What a model does out of sight while it answers.
public struct HiddenWork: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// It reasons.
    public static let reasoning = HiddenWork(rawValue: 1)
    /// It shortens what it was sent.
    public static let summary = HiddenWork(rawValue: 2)
}

/// The queries by which an engine grounded its answer, each counted once: not empty, and different from the others
/// (Google's terms). Later chunks of a stream repeat what earlier ones said.
struct GroundingQueries: Sendable {
    private var seen: Set<Int> = []
    private static let countMax = 1024

    var count: Int64 { Int64(seen.count) }

    /// Takes a list of texts; the scanner stands before its bracket.
    mutating func read(_ scanner: inout JSONScanner, _ bytes: UnsafeRawBufferPointer) throws(JSONScanError) {
        try scanner.eachElement { kind, scanner throws(JSONScanError) in
            guard kind == .string else { return false }
            let text = try scanner.string()
            guard !text.range.isEmpty, seen.count < GroundingQueries.countMax else { return true }
            var hasher = Hasher()
            hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: bytes[text.range]))
            seen.insert(hasher.finalize())
            return true
        }
    }
}
