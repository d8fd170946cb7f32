/// A place in a gateway's journal: the end of one record and the start of the next. In the files, in the database and
/// on invoices it is the same.
public struct JournalPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The segment's number, from 1; 0 only in `start`.
    public var segment: Int64
    /// Bytes from the segment file's beginning.
    public var offset: Int64

    public init(segment: Int64, offset: Int64) {
        self.segment = segment
        self.offset = offset
    }

    /// Before everything that the journal ever held.
    public static let start = JournalPosition(segment: 0, offset: 0)

    public var description: String { "\(segment):\(offset)" }

    /// Reads what `description` writes; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let segment = Int64(parts[0]), let offset = Int64(parts[1]), segment >= 0, offset >= 0
        else { return nil }
        self.init(segment: segment, offset: offset)
    }

    public static func < (left: JournalPosition, right: JournalPosition) -> Bool {
        (left.segment, left.offset) < (right.segment, right.offset)
    }
}
