import CLibPQ

/// Asks the server to give up what a connection is doing. Unlike everything else of libpq it may be used from any
/// thread, also while the connection's own thread waits for the answer (PostgreSQL manual, 34.7).
final class StatementCancellation: @unchecked Sendable {
    private let handle: OpaquePointer

    /// Nil when libpq is out of memory.
    init?(_ session: Session) {
        guard let handle = PQgetCancel(session.connection) else { return nil }
        self.handle = handle
    }

    deinit { PQfreeCancel(handle) }

    /// Blocks for the time of a connect, so it runs on a thread of its own. Whether it came in time shows in the
    /// statement's result (57014 or not).
    func send() {
        _ = spawnThread {
            var complaint = [CChar](repeating: 0, count: 256)
            PQcancel(self.handle, &complaint, Int32(complaint.count))
        }
    }
}
