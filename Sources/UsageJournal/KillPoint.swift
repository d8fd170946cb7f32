#if DEBUG
    import Glibc
    import Synchronization
#endif

/// Places where a test can have the process die by SIGKILL, to prove that nothing is lost and nothing counted twice.
///
/// `TOLLGATE_KILL_POINT=name` dies at the first passage, `name:n` at the n-th. Release builds contain none of it.
public enum KillPoint: String, CaseIterable, Sendable {
    /// After the open record is written, before anything goes upstream.
    case afterOpen = "after-open"
    /// After a part of a stream was sent to the client.
    case midStream = "mid-stream"
    /// After close records are written, before they are synced.
    case afterCloseBeforeSync = "after-close-before-sync"
    /// After the sync, before anyone is told of it.
    case afterSync = "after-sync"
    /// After the database commit, before the position is known in memory.
    case afterCommit = "after-commit"
    /// In the middle of an ingest transaction.
    case midBatch = "mid-batch"

    /// Dies here if the environment says so.
    @inline(__always)
    public static func reach(_ point: KillPoint) {
        #if DEBUG
            guard let plan = KillPlan.current, plan.point == point else { return }
            if KillPlan.passages.add(1, ordering: .relaxed).newValue == plan.passage {
                kill(getpid(), SIGKILL)
            }
        #endif
    }
}

#if DEBUG
    /// What the environment asks for, read once.
    struct KillPlan {
        let point: KillPoint
        /// 1 for the first passage.
        let passage: Int

        static let passages = Atomic<Int>(0)
        static let current: KillPlan? = getenv("TOLLGATE_KILL_POINT").flatMap { KillPlan(String(cString: $0)) }

        /// Reads `name` or `name:n`; nil for anything else.
        init?(_ text: String) {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard let name = parts.first, parts.count <= 2, let point = KillPoint(rawValue: String(name)) else {
                return nil
            }
            self.point = point
            guard parts.count == 2 else {
                passage = 1
                return
            }
            guard let passage = Int(parts[1]), passage >= 1 else { return nil }
            self.passage = passage
        }
    }
#endif
