public import Identity
public import Storage
import Synchronization

/// How far ingest is; read from any thread, such as by metrics.
public final class IngestStatus: Sendable {
    /// A moment's numbers.
    public struct Snapshot: Hashable, Sendable {
        /// The end of what is in the database; nil before the journal was registered.
        public var position: JournalPosition?
        /// The end of what the journal has synced.
        public var durable: JournalPosition?
        /// Bytes between them where both are in one segment; of more segments, only whether there are some.
        public var lagBytes: Int64 = 0
        /// Whether whole segments wait.
        public var isSegmentsBehind = false
        public var batches: Int64 = 0
        public var requests: Int64 = 0
        public var attempts: Int64 = 0
        /// Attempts that went into suspense.
        public var suspended: Int64 = 0
        /// Real time of the last heartbeat that is in the database.
        public var ingestedThrough: Timestamp?
        /// Why nothing is stored at the moment; nil when things go well.
        public var trouble: String?

        /// Whether everything that the journal synced is in the database.
        public var isCaughtUp: Bool { position != nil && lagBytes == 0 && !isSegmentsBehind }
    }

    private let state = Mutex(Snapshot())

    public init() {}

    /// The numbers now.
    public var current: Snapshot { state.withLock { $0 } }

    func update(_ change: (inout Snapshot) -> Void) { state.withLock { change(&$0) } }

    /// Notes both ends while there is more to store.
    func note(position: JournalPosition, durable: JournalPosition) {
        update {
            $0.position = position
            $0.durable = durable
            $0.isSegmentsBehind = position.segment < durable.segment
            $0.lagBytes = position.segment == durable.segment ? max(0, durable.offset - position.offset) : 0
        }
    }

    /// Notes that nothing is left to store; between the two ends lies at most a segment's end mark and header.
    func noteIdle(position: JournalPosition, durable: JournalPosition) {
        update {
            $0.position = position
            $0.durable = durable
            $0.isSegmentsBehind = false
            $0.lagBytes = 0
        }
    }
}
