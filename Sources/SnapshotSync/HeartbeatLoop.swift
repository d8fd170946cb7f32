public import Identity
public import Logging
public import UsageJournal

/// Writes a sign of life into the journal every 10 s, and soon after the gateway began to work by another snapshot: so
/// that whoever moved a clock need not wait.
public struct HeartbeatLoop: Sendable {
    /// Between two signs of life.
    public static let intervalMilliseconds: Int64 = 10_000
    /// After another snapshot was applied: requests admitted by the one before have written their open record by then.
    public static let settleMilliseconds: Int64 = 250

    private let journal: Journal
    private let appliedChange: AppliedChange
    private let logger: Logger
    private let now: @Sendable () -> Timestamp
    private let settle: @Sendable () async -> Void

    /// Beats for this journal; `now` is real time. `settle` returns once every request accepted before it was called
    /// has its open record in the journal: a sign of life must not stand before a request that it speaks for.
    public init(
        journal: Journal, appliedChange: AppliedChange, logger: Logger, now: @escaping @Sendable () -> Timestamp,
        settle: @escaping @Sendable () async -> Void = {}
    ) {
        self.journal = journal
        self.appliedChange = appliedChange
        self.logger = logger
        self.now = now
        self.settle = settle
    }

    /// Runs until the task is cancelled or the journal ends.
    public func run() async {
        var reported: Int64 = -1
        var seen = appliedChange.value
        var isFull = false
        var last = ContinuousClock.now - .milliseconds(Self.intervalMilliseconds)
        repeat {
            let change = appliedChange.value
            let isDue = ContinuousClock.now - last >= .milliseconds(Self.intervalMilliseconds)
            // A change is reported one turn after it was seen first.
            if isDue || (seen != reported && seen == change) {
                let time = now()
                await settle()
                do throws(JournalError) {
                    try journal.appendHeartbeat(JournalHeartbeat(realTime: time, snapshotChange: min(seen, change)))
                    reported = min(seen, change)
                    last = .now
                    isFull = false
                } catch {
                    guard case .full = error else { return }
                    if !isFull { logger.warning("no heartbeat", metadata: ["error": "\(error)"]) }
                    isFull = true
                }
            }
            seen = change
        } while (try? await Task.sleep(for: .milliseconds(Self.settleMilliseconds))) != nil
    }
}
