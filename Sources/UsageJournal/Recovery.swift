import Glibc
import Identity
import Metering

/// Reads what the last process left, cuts off a torn end, and finds the requests that it did not close.
struct Recovery {
    private let directory: JournalDirectory
    private let salt: FrameSalt
    private(set) var report: RecoveryReport
    /// The oldest segment that had to be read.
    private(set) var recoverFrom: Int64 = 1
    /// The newest segment; 0 in a new directory.
    private(set) var lastNumber: Int64 = 0

    private struct Running {
        var entry: UsageEntry
        var progress: UsageProgress?
        let order: Int

        /// Whether it goes on at its engine, and can be asked after.
        var isWork: Bool {
            switch entry.request.surface {
            case .responses, .replicatePredictions: entry.attempts.last?.upstreamID != nil
            default: false
            }
        }
    }

    private var running: [RequestID: Running] = [:]
    private var end = JournalPosition.start
    private var isFinished = false
    private var isLastHeaderDamaged = false

    private static let batch = 1000

    init(directory: JournalDirectory, id: JournalID, epoch: Int64) throws(JournalError) {
        self.directory = directory
        salt = FrameSalt(id)
        report = RecoveryReport(journalID: id, epoch: epoch)
        let segments = try directory.segments()
        guard let first = segments.first, let last = segments.last else { return }
        lastNumber = last
        let header = try SegmentWindow(directory: directory, number: last).header(of: id)
        isLastHeaderDamaged = header == nil
        recoverFrom = max(first, min(header?.recoverFrom ?? first, last))
        report.segmentsRead = segments.filter { $0 >= recoverFrom }.count
    }

    /// Reads from the oldest segment that matters to the end.
    mutating func read() throws(JournalError) {
        guard lastNumber > 0 else { return }
        var reader = try JournalReader(
            directory: directory.path, from: JournalPosition(segment: recoverFrom, offset: 0))
        while true {
            let items = try reader.next(limit: Recovery.batch)
            guard !items.isEmpty else { break }
            for item in items { try take(item) }
        }
        end = reader.position
        isFinished = reader.isAtEndMark && end.segment == lastNumber
        report.tornTail = reader.tornTail
    }

    private mutating func take(_ item: JournalItem) throws(JournalError) {
        switch item.content {
        case .quarantined(let range):
            report.quarantined.append(range)
            if range.length == 0 {
                report.quarantinedNew += 1
            } else if try directory.quarantine(range, suffix: "bin") {
                report.quarantinedNew += 1
            }
        case .entry(let entry):
            report.recordsRead += 1
            take(entry)
        }
    }

    private mutating func take(_ entry: JournalEntry) {
        switch entry {
        case .open(let entry):
            running[entry.request.id] = Running(entry: entry, progress: nil, order: report.recordsRead)
        case .progress(let progress):
            if !progress.attempts.isEmpty { running[progress.requestID]?.entry.attempts = progress.attempts }
            running[progress.requestID]?.progress = progress
        case .close(let entry): running[entry.request.id] = nil
        case .heartbeat, .refusals, .epochStart: break
        }
    }
}

extension Recovery {
    /// Cuts off a torn end and writes the end mark, before anything new is begun.
    mutating func finishLastSegment(now: Timestamp) throws(JournalError) {
        report.lostRequests = lostEntries().map { entry in
            RecoveryReport.LostRequest(
                id: entry.request.id, acceptedAt: entry.request.acceptedAt,
                contentEvents: entry.attempts.last?.contentEvents ?? 0)
        }
        guard lastNumber > 0, !isFinished else { return }
        if let tail = report.tornTail { _ = try directory.quarantine(tail, suffix: "torn") }
        let path = directory.segmentPath(lastNumber)
        let descriptor = Glibc.open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(call: "open", path: path, code: errno) }
        let file = SystemFile(descriptor: descriptor, path: path)
        defer { file.close() }
        // A position inside the header, or a segment never entered, means that no record was found.
        let offset =
            end.segment == lastNumber ? max(end.offset, Int64(SegmentHeader.bytes)) : Int64(SegmentHeader.bytes)
        do throws(FileFault) {
            try file.truncate(to: offset)
            if isLastHeaderDamaged, offset == Int64(SegmentHeader.bytes) {
                let header = SegmentHeader(
                    journalID: report.journalID, epoch: report.epoch, number: lastNumber, recoverFrom: recoverFrom,
                    createdMilliseconds: now.milliseconds)
                try file.write(header.encoded, at: 0)
            }
            try file.write(salt.end(ofSegment: lastNumber), at: offset)
            try file.synchronize()
        } catch {
            throw JournalError(error)
        }
    }

    /// Syncs every segment: a killed process may have written, and finished, some that it never synced.
    func synchronizeSegments() throws(JournalError) {
        for number in try directory.segments() {
            let path = directory.segmentPath(number)
            let descriptor = Glibc.open(path, O_RDWR | O_CLOEXEC)
            // One that an ingester beside the gateway removed meanwhile needs no sync.
            if descriptor < 0, errno == ENOENT { continue }
            guard descriptor >= 0 else { throw .system(call: "open", path: path, code: errno) }
            defer { Glibc.close(descriptor) }
            guard fdatasync(descriptor) == 0 else { throw .system(call: "fdatasync", path: path, code: errno) }
        }
    }

    /// Requests that go on at their engines, in the order of their open records. The engine's id of one was written
    /// before a client knew it, and no other request has one before it is closed.
    func workEntries() -> [UsageEntry] {
        running.values.filter(\.isWork).sorted { $0.order < $1.order }.map(\.entry)
    }

    mutating func note(_ work: [RecoveryReport.RunningWork]) { report.runningWork = work }

    /// The close records of the requests that nobody closed, in the order of their open records.
    func lostEntries() -> [UsageEntry] {
        running.values.filter { !$0.isWork }.sorted { $0.order < $1.order }.map { running in
            var entry = running.entry
            entry.request.outcome = .gatewayLost
            entry.request.reason = "gateway_lost"
            // Attempts before the last one had ended, and say how.
            guard let last = entry.attempts.indices.last else { return entry }
            entry.attempts[last].termination = .gatewayLost
            entry.attempts[last].usageComplete = false
            if let progress = running.progress {
                entry.attempts[last].contentEvents = progress.contentEvents
                entry.attempts[last].buckets = progress.buckets
                entry.attempts[last].units = progress.units
            }
            if entry.attempts[last].contentEvents > 0 { entry.attempts[last].usageSource = .estimated }
            return entry
        }
    }
}

extension SegmentWindow {
    /// The header of this segment of this journal; nil when it is damaged or another's.
    func header(of id: JournalID) throws(JournalError) -> SegmentHeader? {
        guard try load(at: 0, count: SegmentHeader.bytes) else { return nil }
        let header = try SegmentHeader(Array(bytes(at: 0, count: SegmentHeader.bytes)))
        return header.flatMap { $0.journalID == id && $0.number == number ? $0 : nil }
    }
}
