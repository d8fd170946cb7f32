/// What somebody who looks at a record should know beside its numbers: nothing here stops it from being billed.
///
/// Journals hold the bits and databases the names, so neither may change: a new note takes the next bit.
public struct RecordNotes: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Of the engine's numbers, which do not agree, the reading with fewer tokens was taken.
    public static let usageReading = RecordNotes(rawValue: 1 << 0)
    /// The engine reported usage that cannot be true, and the gateway's own count or estimate stands in its place.
    public static let usageImplausible = RecordNotes(rawValue: 1 << 1)
    /// More output was delivered than the engine reported, and what was delivered is billed.
    public static let outputUnderreported = RecordNotes(rawValue: 1 << 2)
    /// The answer had more choices than the request was admitted with.
    public static let choicesExceeded = RecordNotes(rawValue: 1 << 3)
    /// The plan has no price for the tier that served: the tier asked for is billed.
    public static let tierUnpriced = RecordNotes(rawValue: 1 << 4)
    /// The request had more tags than a record keeps, or longer ones.
    public static let tagsDropped = RecordNotes(rawValue: 1 << 5)
    /// A sound file's header and its bytes do not agree on its length: the longer is billed.
    public static let mediaImplausible = RecordNotes(rawValue: 1 << 6)
    /// The engine waits for servers or addresses that the request names: the time to its first token is the client's.
    public static let clientTime = RecordNotes(rawValue: 1 << 7)

    /// All notes with their names, in the order of their bits.
    public static let named: [(note: RecordNotes, name: String)] = [
        (.usageReading, "usage_reading"), (.usageImplausible, "usage_implausible"),
        (.outputUnderreported, "output_underreported"), (.choicesExceeded, "choices_exceeded"),
        (.tierUnpriced, "tier_unpriced"), (.tagsDropped, "tags_dropped"), (.mediaImplausible, "media_implausible"),
        (.clientTime, "client_time"),
    ]

    /// The names of the notes that are set.
    public var names: [String] { RecordNotes.named.filter { contains($0.note) }.map(\.name) }

    /// The names joined by commas; empty where there is none.
    public var text: String { isEmpty ? "" : names.joined(separator: ",") }

    /// Reads `text`; nil where a name is not known.
    public init?(text: String) {
        self = []
        for name in text.split(separator: ",") {
            guard let known = RecordNotes.named.first(where: { $0.name == name }) else { return nil }
            insert(known.note)
        }
    }
}
