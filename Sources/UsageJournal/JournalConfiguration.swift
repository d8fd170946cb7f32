public import Identity

/// Where a journal stands and how large its pieces are.
public struct JournalConfiguration: Sendable {
    /// The directory; made when it is missing. It must be on a disk that outlives the process.
    public var directory: String
    /// The size of a segment file, allocated before it is used.
    public var segmentBytes: Int
    /// The most segments allocated ahead. They bound how many requests can run at once: about 7 KiB are kept for each.
    public var preparedSegmentsMax: Int
    /// After the disk was found full, how long until it is asked again.
    public var fullRetryMilliseconds: Int64
    /// Called once, when a write or a sync fails, on the thread that met it; the program has to end with an error.
    public var onFailure: @Sendable (JournalError) -> Void
    /// Real time, for epoch starts and segment headers.
    public var realTime: @Sendable () -> Timestamp

    /// The disk; tests put one in that fails.
    var files: any JournalFileSystem = SystemFiles()

    /// The smallest segment that makes sense.
    public static let segmentBytesMin = 32 * 1024

    /// A journal in `directory` with the usual sizes.
    public init(
        directory: String, segmentBytes: Int = 64 * 1024 * 1024, preparedSegmentsMax: Int = 8,
        fullRetryMilliseconds: Int64 = 1000, onFailure: @escaping @Sendable (JournalError) -> Void = { _ in },
        realTime: @escaping @Sendable () -> Timestamp = wallClock
    ) {
        self.directory = directory
        self.segmentBytes = segmentBytes
        self.preparedSegmentsMax = preparedSegmentsMax
        self.fullRetryMilliseconds = fullRetryMilliseconds
        self.onFailure = onFailure
        self.realTime = realTime
    }

    /// The machine's clock.
    public static let wallClock: @Sendable () -> Timestamp = { Timestamp(milliseconds: realMilliseconds()) }

    func check() throws(JournalError) {
        guard segmentBytes >= JournalConfiguration.segmentBytesMin else {
            throw .invalidConfiguration(
                "segments of \(segmentBytes) bytes; at least \(JournalConfiguration.segmentBytesMin) are needed")
        }
        guard preparedSegmentsMax >= 1 else {
            throw .invalidConfiguration("preparedSegmentsMax is \(preparedSegmentsMax); at least 1 is needed")
        }
    }
}
