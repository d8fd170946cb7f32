import Identity
import Metering

/// Puts frames into preallocated segments and keeps account of the room in them.
///
/// Not safe to share: the journal holds it under its lock. Running requests keep room for their close record, so that a
/// full disk refuses new requests and loses no running one.
struct SegmentWriter {
    /// The segment being written.
    private struct Active {
        let file: any JournalFile
        let number: Int64
        var offset: Int64
    }

    /// A finished segment whose last bytes are not yet synced.
    struct Retired: Sendable {
        let file: any JournalFile
        let number: Int64
        let end: Int64
    }

    let id: JournalID
    let epoch: Int64
    let directory: JournalDirectory
    let salt: FrameSalt
    private let files: any JournalFileSystem
    /// Open all the time: a process that has no descriptor left must still be able to sync.
    private let handle: DirectoryHandle
    private let segmentBytes: Int
    private let preparedMax: Int
    private let fullRetryMilliseconds: Int64
    private let realTime: @Sendable () -> Timestamp

    private var active: Active?
    private var lastNumber: Int64
    private var prepared: [any JournalFile] = []
    private var preparedNames = 0
    private var retired: [Retired] = []
    private var directoryChanged = false
    private var reservedBytes = 0
    private var largestReservation = 0
    private var fullUntilMilliseconds = Int64.min
    /// How many requests opened in each segment still run.
    private var runningBySegment: [Int64: Int] = [:]

    /// How much larger than its open record a close record may be: the raw usage, and 2 KiB for what is only known at
    /// the end (counts, marks, the engine's texts, a second attempt without raw usage).
    static let closeGrowthBytes = AttemptRecord.rawUsageBytesMax + 2048

    /// A writer that will begin with the segment after `lastNumber`.
    init(
        configuration: JournalConfiguration, id: JournalID, epoch: Int64, directory: JournalDirectory,
        lastNumber: Int64
    ) throws(JournalError) {
        do throws(FileFault) { handle = try DirectoryHandle(directory.path) } catch { throw JournalError(error) }
        self.id = id
        self.epoch = epoch
        self.directory = directory
        self.lastNumber = lastNumber
        salt = FrameSalt(id)
        files = configuration.files
        segmentBytes = configuration.segmentBytes
        preparedMax = configuration.preparedSegmentsMax
        fullRetryMilliseconds = configuration.fullRetryMilliseconds
        realTime = configuration.realTime
    }

    /// The end of what was written.
    var position: JournalPosition {
        JournalPosition(segment: active?.number ?? lastNumber, offset: active?.offset ?? 0)
    }

    /// The oldest segment that recovery would have to read.
    var oldestNeeded: Int64 { min(runningBySegment.keys.min() ?? .max, active?.number ?? lastNumber) }

    /// The largest frame that fits into a segment.
    var frameBytesMax: Int {
        min(Frame.payloadBytesMax + Frame.headerBytes, segmentBytes - SegmentHeader.bytes - Frame.endBytes)
    }
}

// MARK: - Room

extension SegmentWriter {
    /// The room left for reservations that are not asked for yet, when no item is larger than `largest`.
    ///
    /// A segment is left when the next item does not fit, so of each segment up to one item's size may stay unused.
    private func freeBytes(largest: Int) -> Int {
        let item = max(largest, largestReservation)
        let rest = active.map { segmentBytes - Frame.endBytes - Int($0.offset) } ?? 0
        let whole = segmentBytes - SegmentHeader.bytes - Frame.endBytes
        return max(0, rest - item) + prepared.count * max(0, whole - item) - reservedBytes
    }

    /// Whether another segment should be allocated before anyone has to wait for it.
    var wantsPreparation: Bool {
        prepared.count < preparedMax && monotonicMilliseconds() >= fullUntilMilliseconds
            && (prepared.isEmpty || freeBytes(largest: 0) < segmentBytes / 2)
    }

    /// Whether a request like the largest one yet, or at least an ordinary one, would be admitted as things are.
    var hasRoom: Bool {
        let reserve = max(largestReservation, SegmentWriter.closeGrowthBytes + 1024)
        return freeBytes(largest: reserve) >= 2 * reserve
    }

    /// Makes room for `bytes` now and `reserve` later, or throws `.full`.
    private mutating func makeRoom(bytes: Int, reserve: Int, largest: Int) throws(JournalError) {
        guard largest <= frameBytesMax else { throw .recordTooLarge(bytes: largest) }
        while freeBytes(largest: largest) < bytes + reserve { try prepareInline() }
    }

    /// Admits an open record and keeps `reserve` bytes for its close record.
    mutating func admit(_ frame: [UInt8], reserve: Int) throws(JournalError) -> Int64 {
        try makeRoom(bytes: frame.count, reserve: reserve, largest: max(frame.count, reserve))
        try put(frame)
        reservedBytes += reserve
        largestReservation = max(largestReservation, reserve)
        let number = position.segment
        runningBySegment[number, default: 0] += 1
        return number
    }

    /// Writes a record that nothing was kept for; `.full` when only kept room is left.
    mutating func append(_ frame: [UInt8]) throws(JournalError) {
        try makeRoom(bytes: frame.count, reserve: 0, largest: frame.count)
        try put(frame)
    }

    /// Changes what is kept for a close record to its real size; `.full` when it is larger and there is no room.
    mutating func settle(reserved: Int, actual: Int) throws(JournalError) {
        if actual > reserved { try makeRoom(bytes: actual - reserved, reserve: 0, largest: actual) }
        largestReservation = max(largestReservation, actual)
        reservedBytes += actual - reserved
    }

    /// Writes the close records of a group, for which room was kept.
    mutating func write(_ group: [PendingClose]) throws(JournalError) {
        var gathered: [UInt8] = []
        for close in group {
            if !fits(gathered.count + close.frame.count) {
                try put(gathered)
                gathered.removeAll(keepingCapacity: true)
                if !fits(close.frame.count) { try rotate() }
            }
            gathered += close.frame
        }
        try put(gathered)
        for close in group { reservedBytes -= close.frame.count }
    }

    /// Lets recovery forget the open records of a group whose close records are synced, and not before: a segment begun
    /// in between would have it look for them too late in the journal.
    mutating func forget(_ group: [PendingClose]) {
        for close in group { release(segment: close.openSegment) }
    }

    /// Keeps a segment needed for recovery until it is released.
    mutating func retain(segment: Int64) { runningBySegment[segment, default: 0] += 1 }

    mutating func release(segment: Int64) {
        guard let count = runningBySegment[segment] else { return }
        runningBySegment[segment] = count > 1 ? count - 1 : nil
    }
}

// MARK: - Segments

extension SegmentWriter {
    private func fits(_ bytes: Int) -> Bool {
        guard let active else { return false }
        return Int(active.offset) + bytes + Frame.endBytes <= segmentBytes
    }

    private mutating func put(_ bytes: [UInt8]) throws(JournalError) {
        guard !bytes.isEmpty else { return }
        if !fits(bytes.count) { try rotate() }
        guard let current = active else { throw .closed }
        try attempt { () throws(FileFault) in try current.file.write(bytes, at: current.offset) }
        active?.offset += Int64(bytes.count)
    }

    /// Finishes the segment and goes on in the next one.
    mutating func rotate() throws(JournalError) {
        if prepared.isEmpty { try prepareInline() }
        try finishActive()
        let file = prepared.removeFirst()
        let number = lastNumber + 1
        let header = SegmentHeader(
            journalID: id, epoch: epoch, number: number, recoverFrom: min(oldestNeededKept, number),
            createdMilliseconds: realTime().milliseconds)
        let files = files
        let path = directory.segmentPath(number)
        try attempt { () throws(FileFault) in
            try file.write(header.encoded, at: 0)
            try files.rename(file.path, to: path)
        }
        directoryChanged = true
        lastNumber = number
        active = Active(file: file, number: number, offset: Int64(SegmentHeader.bytes))
    }

    private var oldestNeededKept: Int64 { runningBySegment.keys.min() ?? .max }

    /// Writes the end mark; the sync that follows makes it last.
    mutating func finishActive() throws(JournalError) {
        guard let current = active else { return }
        let end = salt.end(ofSegment: current.number)
        try attempt { () throws(FileFault) in try current.file.write(end, at: current.offset) }
        retired.append(Retired(file: current.file, number: current.number, end: current.offset + Int64(end.count)))
        active = nil
    }

    private mutating func prepareInline() throws(JournalError) {
        guard prepared.count < preparedMax, monotonicMilliseconds() >= fullUntilMilliseconds else { throw .full }
        switch SegmentWriter.prepare(takePreparation()) {
        case .success(let file): prepared.append(file)
        case .failure(let fault): try preparationFailed(fault)
        }
    }

    /// What is needed to allocate a segment without holding the journal's lock.
    struct Preparation: Sendable {
        fileprivate let files: any JournalFileSystem
        fileprivate let path: String
        fileprivate let bytes: Int
    }

    mutating func takePreparation() -> Preparation {
        preparedNames += 1
        return Preparation(files: files, path: "\(directory.path)/prepared-\(preparedNames).tmp", bytes: segmentBytes)
    }

    static func prepare(_ preparation: Preparation) -> Result<any JournalFile, FileFault> {
        do throws(FileFault) {
            return .success(try preparation.files.create(preparation.path, bytes: preparation.bytes))
        } catch {
            return .failure(error)
        }
    }

    mutating func prepared(_ file: any JournalFile) { prepared.append(file) }

    /// A full disk (or process) is waited out; anything else is final.
    mutating func preparationFailed(_ fault: FileFault) throws(JournalError) {
        guard fault.isLackOfRoom else { throw .failed(fault.description) }
        fullUntilMilliseconds = monotonicMilliseconds() + fullRetryMilliseconds
        throw .full
    }

    private func attempt(_ body: () throws(FileFault) -> Void) throws(JournalError) {
        do throws(FileFault) { try body() } catch { throw .failed(error.description) }
    }
}

// MARK: - Syncing

extension SegmentWriter {
    /// What one sync has to cover.
    struct SyncWork: Sendable {
        let retired: [Retired]
        let active: (any JournalFile)?
        /// The directory, when segments were added to it.
        let directory: DirectoryHandle?

        /// Runs without the journal's lock.
        func perform() throws(JournalError) {
            do throws(FileFault) {
                for segment in retired {
                    try segment.file.synchronize()
                    // What was allocated and not used goes back to the disk.
                    try segment.file.truncate(to: segment.end)
                    segment.file.close()
                }
                try directory?.synchronize()
                try active?.synchronize()
            } catch {
                throw .failed(error.description)
            }
        }
    }

    mutating func takeSyncWork() -> SyncWork {
        defer {
            retired = []
            directoryChanged = false
        }
        return SyncWork(retired: retired, active: active?.file, directory: directoryChanged ? handle : nil)
    }

    /// Lets go of all files; what was allocated ahead is removed.
    mutating func closeFiles() {
        for file in prepared {
            file.close()
            files.remove(file.path)
        }
        for segment in retired { segment.file.close() }
        active?.file.close()
        handle.close()
        prepared = []
        retired = []
        active = nil
    }
}
