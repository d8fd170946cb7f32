public import Identity

/// Reads a journal from a position on, damaged places included.
///
/// Beside a live writer, pass the writer's `durablePosition`: what lies beyond it may not survive a power loss and must
/// not be ingested. Without it the reader goes to the last whole frame.
public struct JournalReader {
    public let journalID: JournalID
    /// Where the next item begins.
    public private(set) var position: JournalPosition
    /// Bytes after the last whole frame of the last segment, found when a read without `upTo` came to the end.
    public private(set) var tornTail: QuarantinedRange?

    /// Whether the last segment read was finished with its end mark.
    private(set) var isAtEndMark = false
    private let directory: JournalDirectory
    private let salt: FrameSalt
    private var window: SegmentWindow?

    /// The most items that one call returns, whatever its limit says.
    public static let itemsMax = 100_000

    /// Begins at `position`, which is `.start` or the `end` of an item read earlier.
    public init(directory path: String, from position: JournalPosition = .start) throws(JournalError) {
        directory = JournalDirectory(path: path)
        guard let id = try directory.readID() else {
            throw .damaged("\(path) holds no journal.id, so it is not a journal's directory")
        }
        journalID = id
        salt = FrameSalt(id)
        self.position = position
    }

    /// The next items, at most `limit`; none when the end, or `upTo`, is reached.
    public mutating func next(
        limit: Int, upTo: JournalPosition? = nil
    ) throws(JournalError) -> [JournalItem] {
        var items: [JournalItem] = []
        let most = min(limit, JournalReader.itemsMax)
        tornTail = nil
        // What was read ahead may have been unwritten then.
        window?.invalidate()
        do throws(JournalError) {
            while items.count < most {
                if let upTo, position >= upTo { break }
                switch try step(upTo: upTo) {
                case .item(let content, let end):
                    position = end
                    items.append(JournalItem(content: content, end: end))
                case .moved(let end): position = end
                case .finished: return items
                }
            }
        } catch {
            // What was read before the error is handed out first; the next call meets the error again.
            guard !items.isEmpty else { throw error }
        }
        return items
    }

    private enum Step {
        case item(JournalItem.Content, end: JournalPosition)
        case moved(JournalPosition)
        case finished
    }

    private mutating func step(upTo: JournalPosition?) throws(JournalError) -> Step {
        guard position.segment > 0, let window, window.number == position.segment, position.offset > 0 else {
            return try enterSegment()
        }
        let size = try window.size()
        let bound = upTo.map { $0.segment == position.segment ? min($0.offset, size) : size } ?? size
        if case .frame(let kind, let version, let payload, let end) =
            try window.parse(at: position.offset, bound: bound, salt: salt)
        {
            return try decode(kind: kind, version: version, payload: payload, end: end)
        }
        return try stepOverDamage(window, bound: bound, upTo: upTo)
    }

    private mutating func decode(
        kind: UInt8, version: UInt8, payload: [UInt8], end: Int64
    ) throws(JournalError) -> Step {
        let after = JournalPosition(segment: position.segment, offset: end)
        let decoded: DecodedFrame
        do throws(DecodingFault) {
            decoded = try DecodedFrame(kind: kind, version: version, payload: payload)
        } catch {
            return .item(
                .quarantined(range(to: end, reason: .unreadableRecord)), end: after)
        }
        switch decoded {
        case .entry(let entry):
            isAtEndMark = false
            return .item(.entry(entry), end: after)
        case .newer(let text):
            throw .unsupportedVersion("\(text), in segment \(position.segment) at offset \(position.offset)")
        case .end:
            isAtEndMark = true
            // Without a next segment the end mark is read again later.
            guard try segmentAfter(position.segment) != nil else { return .finished }
            return .moved(JournalPosition(segment: position.segment + 1, offset: 0))
        }
    }

    /// Opens the segment that `position` names, or says that it is missing.
    private mutating func enterSegment() throws(JournalError) -> Step {
        let wanted = max(position.segment, 1)
        guard let found = try directory.segments().first(where: { $0 >= wanted }) else { return .finished }
        guard found == wanted else {
            var range = QuarantinedRange(segment: wanted, offset: 0, length: 0, reason: .missingSegment)
            range.lastSegment = found - 1
            return .item(.quarantined(range), end: JournalPosition(segment: found, offset: 0))
        }
        let window = try SegmentWindow(directory: directory, number: wanted)
        self.window = window
        isAtEndMark = false
        let size = try window.size()
        guard position.offset <= max(size, Int64(SegmentHeader.bytes)) else {
            throw .damaged("\(window.path) has \(size) bytes, but was read up to offset \(position.offset) before")
        }
        if position.segment == wanted, position.offset > 0 { return .moved(position) }
        let first = JournalPosition(segment: wanted, offset: Int64(SegmentHeader.bytes))
        guard try window.header(of: journalID) == nil else { return .moved(first) }
        let length = min(size, Int64(SegmentHeader.bytes))
        let range = QuarantinedRange(segment: wanted, offset: 0, length: length, reason: .damagedHeader)
        return .item(.quarantined(range), end: first)
    }

    /// No whole frame begins here: it is the end of what was written, or damage.
    private mutating func stepOverDamage(
        _ window: SegmentWindow, bound: Int64, upTo: JournalPosition?
    ) throws(JournalError) -> Step {
        // Asked before the second look: a writer that went on to a next segment had finished this one by then.
        let next = try segmentAfter(position.segment)
        window.invalidate()
        let newBound = upTo == nil ? try window.size() : bound
        if case .frame = try window.parse(at: position.offset, bound: newBound, salt: salt) { return .moved(position) }
        let dataEnd = try window.dataEnd(from: position.offset, to: max(newBound, position.offset))
        if let frame = try window.nextFrame(
            from: position.offset + 1, to: dataEnd, bound: newBound, salt: salt)
        {
            let end = JournalPosition(segment: position.segment, offset: frame)
            return .item(.quarantined(range(to: frame, reason: .damagedFrame)), end: end)
        }
        if let upTo, upTo.segment == position.segment {
            // All before `upTo` was synced: what cannot be read now is damage, however it looks.
            return .item(.quarantined(range(to: upTo.offset, reason: .damagedFrame)), end: upTo)
        }
        if next != nil {
            let end = JournalPosition(segment: position.segment + 1, offset: 0)
            let reason: QuarantinedRange.Reason = dataEnd > position.offset ? .damagedFrame : .missingEnd
            return .item(.quarantined(range(to: dataEnd, reason: reason)), end: end)
        }
        if dataEnd > position.offset { tornTail = range(to: dataEnd, reason: .damagedFrame) }
        return .finished
    }

    private func segmentAfter(_ number: Int64) throws(JournalError) -> Int64? {
        try directory.segments().first { $0 > number }
    }

    private func range(to end: Int64, reason: QuarantinedRange.Reason) -> QuarantinedRange {
        QuarantinedRange(
            segment: position.segment, offset: position.offset, length: end - position.offset, reason: reason)
    }
}
