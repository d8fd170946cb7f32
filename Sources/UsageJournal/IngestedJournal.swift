import Glibc
public import Identity

/// What an ingester needs of a journal: the one of its own process, or one that another process writes.
public protocol IngestedJournal: Sendable {
    var id: JournalID { get }
    /// Of the opening that it was when the ingester began.
    var epoch: Int64 { get }
    var directory: String { get }
    /// The end of what survives a loss of power.
    var durablePosition: JournalPosition { get }
    /// The oldest segment that a recovery would have to read.
    var oldestNeeded: Int64 { get }
    /// Whether it was opened again meanwhile: its ingester has to begin again, too.
    var isSuperseded: Bool { get }
}

extension IngestedJournal {
    /// Deletes segments that were ingested, that is lie wholly before `position`, and were last written before `time`
    /// (real time). Segments that a recovery would need stay. Returns how many were deleted.
    @discardableResult
    public func removeSegments(
        before position: JournalPosition, lastWrittenBefore time: Timestamp
    ) throws(JournalError) -> Int {
        let directory = JournalDirectory(path: directory)
        let needed = oldestNeeded
        var removed = 0
        for number in try directory.segments() where number < min(position.segment, needed) {
            let path = directory.segmentPath(number)
            var status = stat()
            guard stat(path, &status) == 0 else { throw .system(call: "stat", path: path, code: errno) }
            let written = Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000
            // In order and without holes: a kept segment keeps all after it.
            guard written < time.milliseconds else { break }
            guard unlink(path) == 0 else { throw .system(call: "unlink", path: path, code: errno) }
            removed += 1
        }
        return removed
    }
}

extension Journal: IngestedJournal {
    /// How long ingested segments are kept, so that a restored database can be filled again: 7 days.
    public static let retentionMilliseconds: Int64 = 7 * 86_400_000

    /// Its directory is locked.
    public var isSuperseded: Bool { false }
}

/// A journal that a gateway in another process of this machine writes, from one opening of it to the next.
public final class FollowedJournal: IngestedJournal {
    public let id: JournalID
    public let epoch: Int64
    public let directory: String
    private let mark: DurableMark

    /// Follows what was opened last. Throws where no gateway ever opened the directory.
    public init(directory path: String) throws(JournalError) {
        let directory = JournalDirectory(path: path)
        mark = try DurableMark(reading: directory)
        guard let id = try directory.readID() else {
            throw .damaged("\(path) holds no journal.id, so it is not a journal's directory")
        }
        self.id = id
        epoch = mark.epoch
        self.directory = path
    }

    public var durablePosition: JournalPosition { mark.position }
    public var oldestNeeded: Int64 { mark.oldestNeeded }
    public var isSuperseded: Bool { mark.epoch != epoch || mark.isReplaced }
}

/// Held by whoever takes a journal into the database, so that a second one on this machine hears of the first. (One on
/// another machine is fenced by the database.)
public struct IngestLock: Sendable {
    private let lock: DirectoryLock

    public init(directory: String) throws(JournalError) {
        do throws(JournalError) {
            lock = try DirectoryLock(JournalDirectory(path: directory), file: "ingest.lock")
        } catch {
            if case .locked(_, let holder) = error { throw .ingested(directory: directory, by: holder) }
            throw error
        }
    }

    public func release() { lock.release() }
}
