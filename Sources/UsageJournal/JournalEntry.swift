public import Identity
public import Metering

/// What a running request has received so far; written every few seconds and not synced.
public struct UsageProgress: Hashable, Sendable {
    public var requestID: RequestID
    /// Events with content that the gateway received from the engine so far.
    public var contentEvents: Int64
    /// The buckets as far as they are known, of the last attempt.
    public var buckets: TokenBuckets
    /// The units as far as they are known, of the last attempt.
    public var units: UsageUnits
    /// All attempts so far, written once when another one begins, so that a lost request says who was tried; else none.
    public var attempts: [AttemptRecord]

    public init(
        requestID: RequestID, contentEvents: Int64, buckets: TokenBuckets, units: UsageUnits = UsageUnits(),
        attempts: [AttemptRecord] = []
    ) {
        self.requestID = requestID
        self.contentEvents = contentEvents
        self.buckets = buckets
        self.units = units
        self.attempts = attempts
    }
}

/// A sign of life: a period closes only when every journal was read past its end.
public struct JournalHeartbeat: Hashable, Sendable {
    /// Real time, not billing time.
    public var realTime: Timestamp
    /// The number of the last snapshot change that the gateway had applied.
    public var snapshotChange: Int64

    public init(realTime: Timestamp, snapshotChange: Int64) {
        self.realTime = realTime
        self.snapshotChange = snapshotChange
    }
}

/// The beginning of an epoch: one opening of the journal by one process. Whatever an earlier epoch held is fenced.
public struct EpochStart: Hashable, Sendable {
    public var epoch: Int64
    /// Real time, not billing time.
    public var realTime: Timestamp

    public init(epoch: Int64, realTime: Timestamp) {
        self.epoch = epoch
        self.realTime = realTime
    }
}

/// One record of the journal.
public enum JournalEntry: Hashable, Sendable {
    /// A request was accepted: written before its first byte goes upstream.
    case open(UsageEntry)
    /// What a running request received so far.
    case progress(UsageProgress)
    /// A request ended: the record that is ingested.
    case close(UsageEntry)
    case heartbeat(JournalHeartbeat)
    case refusals([RefusalCount])
    case epochStart(EpochStart)

    /// The most refusal counts in one record; more are split over several.
    public static let refusalsMax = 1024
}

/// Bytes of the journal that cannot be read: kept, copied aside and shown, never skipped silently.
public struct QuarantinedRange: Hashable, Sendable, CustomStringConvertible {
    /// Why the bytes cannot be read.
    public enum Reason: String, Hashable, Sendable {
        /// No whole frame with a right checksum begins here.
        case damagedFrame = "damaged_frame"
        /// The checksum is right and the content still does not read as its kind.
        case unreadableRecord = "unreadable_record"
        /// The segment's header is damaged; its records were read nevertheless.
        case damagedHeader = "damaged_header"
        /// The segment stops without its end mark though a later one exists: records may be missing (length 0).
        case missingEnd = "missing_end"
        /// The segment's file is gone (offset and length 0).
        case missingSegment = "missing_segment"
    }

    public var segment: Int64
    /// Bytes from the segment file's beginning.
    public var offset: Int64
    /// Bytes; 0 where something is missing rather than damaged.
    public var length: Int64
    public var reason: Reason
    /// With `missingSegment`, the last of a run of missing segments; else the segment itself.
    public var lastSegment: Int64

    public init(segment: Int64, offset: Int64, length: Int64, reason: Reason) {
        self.segment = segment
        self.offset = offset
        self.length = length
        self.reason = reason
        self.lastSegment = segment
    }

    public var description: String {
        guard reason != .missingSegment else { return "segments \(segment) to \(lastSegment): missing_segment" }
        return "segment \(segment), offset \(offset), \(length) bytes: \(reason.rawValue)"
    }
}

/// What a reader finds at one place.
public struct JournalItem: Hashable, Sendable {
    public enum Content: Hashable, Sendable {
        case entry(JournalEntry)
        case quarantined(QuarantinedRange)
    }

    public var content: Content
    /// Where the next item begins: the position to store once this one is ingested.
    public var end: JournalPosition

    public init(content: Content, end: JournalPosition) {
        self.content = content
        self.end = end
    }
}
