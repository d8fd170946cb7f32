import Glibc
public import Identity
import Metering

extension Journal {
    /// Opens the directory for this process: locks it, begins a new epoch, recovers what the last process left.
    ///
    /// When it returns, all that the journal holds is synced, and every request that was running is closed.
    public static func open(
        _ configuration: JournalConfiguration
    ) throws(JournalError) -> (journal: Journal, report: RecoveryReport) {
        try configuration.check()
        let directory = JournalDirectory(path: configuration.directory)
        try directory.make()
        let lock = try DirectoryLock(directory)
        do throws(JournalError) {
            return try open(configuration, directory, lock)
        } catch {
            lock.release()
            throw error
        }
    }

    private static func open(
        _ configuration: JournalConfiguration, _ directory: JournalDirectory, _ lock: DirectoryLock
    ) throws(JournalError) -> (journal: Journal, report: RecoveryReport) {
        let id = try identify(directory, now: configuration.realTime())
        try removeLeftovers(in: directory)
        let epoch = try directory.readEpoch() + 1
        try directory.writeEpoch(epoch)
        var recovery = try Recovery(directory: directory, id: id, epoch: epoch)
        try recovery.read()
        try recovery.finishLastSegment(now: configuration.realTime())
        try recovery.synchronizeSegments()

        var writer = try SegmentWriter(
            configuration: configuration, id: id, epoch: epoch, directory: directory,
            lastNumber: recovery.lastNumber)
        do throws(JournalError) {
            try begin(&writer, recovery: &recovery, now: configuration.realTime())
        } catch {
            writer.closeFiles()
            throw error
        }
        return (try Journal(writer: writer, lock: lock, onFailure: configuration.onFailure), recovery.report)
    }

    /// Begins the new epoch's segment, closes in it what was lost, and opens in it what goes on at its engine.
    private static func begin(
        _ writer: inout SegmentWriter, recovery: inout Recovery, now: Timestamp
    ) throws(JournalError) {
        let lost = recovery.lostEntries()
        let work = recovery.workEntries()
        // Until the close records are synced, the next recovery must still find the open ones.
        if !lost.isEmpty || !work.isEmpty { writer.retain(segment: recovery.recoverFrom) }
        try writer.rotate()
        try writer.append(writer.salt.epochStart(EpochStart(epoch: writer.epoch, realTime: now)))
        for entry in lost { try writer.append(writer.salt.close(entry)) }
        var reopened: [RecoveryReport.RunningWork] = []
        for entry in work {
            let frame = writer.salt.open(entry)
            let bytes = frame.count + SegmentWriter.closeGrowthBytes
            let segment = try writer.admit(frame, reserve: bytes)
            let reservation = CloseReservation(requestID: entry.request.id, bytes: bytes, openSegment: segment)
            reopened.append(RecoveryReport.RunningWork(entry: entry, reservation: reservation))
        }
        recovery.note(reopened)
        try writer.takeSyncWork().perform()
        writer.release(segment: recovery.recoverFrom)
    }

    private static func identify(
        _ directory: JournalDirectory, now: Timestamp
    ) throws(JournalError) -> JournalID {
        if let id = try directory.readID() { return id }
        guard try directory.segments().isEmpty else {
            throw .damaged("\(directory.path) holds segments but no journal.id; restore it from the database's list")
        }
        var generator = SystemRandomNumberGenerator()
        let id = JournalID(
            UUIDv7(milliseconds: now.milliseconds, randomness: (generator.next(), generator.next())))
        try directory.write(id)
        return id
    }

    /// Segments that a dead process had allocated and not begun.
    private static func removeLeftovers(in directory: JournalDirectory) throws(JournalError) {
        for name in try directory.names() where name.hasPrefix("prepared-") && name.hasSuffix(".tmp") {
            unlink("\(directory.path)/\(name)")
        }
    }
}
