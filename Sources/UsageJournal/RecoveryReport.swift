public import Identity
public import Metering

/// What opening a journal found and mended.
public struct RecoveryReport: Hashable, Sendable {
    /// A request that ran when the gateway died, now closed as `gateway_lost`.
    public struct LostRequest: Hashable, Sendable {
        public var id: RequestID
        /// Billing time.
        public var acceptedAt: Timestamp
        /// Events with content that the gateway had counted when it last wrote them down.
        public var contentEvents: Int64
    }

    /// Work that goes on at its engine although the gateway died: it is still open, and to be asked after.
    public struct RunningWork: Hashable, Sendable {
        /// As it was when its id became known; the last attempt has that id.
        public var entry: UsageEntry
        public var reservation: CloseReservation
    }

    public var journalID: JournalID
    public var epoch: Int64
    /// The segments that were read.
    public var segmentsRead: Int = 0
    /// Whole records that were read.
    public var recordsRead: Int = 0
    /// In the order of their open records.
    public var lostRequests: [LostRequest] = []
    /// In the order of their open records.
    public var runningWork: [RunningWork] = []
    /// The half-written end of the last segment, cut off and kept in `quarantine/`.
    public var tornTail: QuarantinedRange?
    /// Damaged places among those that were read; the bytes stay where they are and a copy is in `quarantine/`.
    public var quarantined: [QuarantinedRange] = []
    /// How many of them earlier openings had not seen.
    public var quarantinedNew: Int = 0

    /// Whether there is nothing to tell.
    public var isClean: Bool { lostRequests.isEmpty && tornTail == nil && quarantined.isEmpty }

    /// The most requests and places that the text lists.
    public static let listedMax = 20
}

extension RecoveryReport: CustomStringConvertible {
    public var description: String {
        var lines = [
            "journal \(journalID), epoch \(epoch): read \(recordsRead) records in \(segmentsRead) segments, "
                + "closed \(lostRequests.count) requests as gateway_lost"
        ]
        if let tornTail {
            lines.append(
                "cut off a half-written end: \(tornTail.length) bytes at offset \(tornTail.offset) of "
                    + JournalDirectory.segmentName(tornTail.segment))
        }
        for range in quarantined.prefix(RecoveryReport.listedMax) { lines.append("quarantined: \(range)") }
        for request in lostRequests.prefix(RecoveryReport.listedMax) {
            lines.append(
                "gateway_lost: \(request.id), accepted \(request.acceptedAt), \(request.contentEvents) content events")
        }
        let unlisted =
            max(0, quarantined.count - RecoveryReport.listedMax) + max(0, lostRequests.count - RecoveryReport.listedMax)
        if unlisted > 0 { lines.append("and \(unlisted) more") }
        return lines.joined(separator: "\n")
    }
}
