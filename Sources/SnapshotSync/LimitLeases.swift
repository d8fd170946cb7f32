public import Identity
public import Limits
public import Logging
public import Storage
import Synchronization

/// Fetches a gateway's slices of shared limits from Postgres, and tells it which ones others need.
public final class LimitLeases: SliceSource {
    private let database: Database
    private let gateway: UUIDv7
    private let logger: Logger
    private let isAway = Mutex(false)

    /// Leases of the gateway process `gateway`: another id at each start, so that what the last process held lapses.
    public init(database: Database, gateway: UUIDv7, logger: Logger) {
        self.database = database
        self.gateway = gateway
        self.logger = logger
    }

    /// One transaction for the whole batch. Whether a batch whose commit nobody confirmed was applied, the next report
    /// shows; until then it counts as not granted.
    public func request(_ batch: [SliceRequest], reply: @escaping @Sendable (SliceReply) -> Void) {
        Task {
            do {
                let gateway = gateway
                let grants = try await database.write { tx in
                    try LimitSliceStorage.exchange(batch, gateway: gateway, in: tx)
                }
                note(nil)
                reply(.granted(grants))
            } catch {
                note(error)
                reply(.unreachable)
            }
        }
    }

    /// Hands over the limits of which others need what is kept here, until the task is cancelled.
    public func run(recall: @escaping @Sendable ([LimitID]) -> Void) async {
        do {
            let listener = try database.listenForRecalls(of: gateway)
            await withTaskCancellationHandler {
                await listener.forward(to: recall)
            } onCancel: {
                listener.stop()
            }
        } catch {
            logger.warning(
                "nobody tells this gateway when others need more of a limit", metadata: ["error": "\(error)"])
        }
    }

    /// Says once that limits are no longer shared, and once that they are again.
    private func note(_ error: (any Error)?) {
        let wasAway = isAway.withLock { isAway in
            defer { isAway = error != nil }
            return isAway
        }
        if let error, !wasAway {
            logger.warning(
                "limits are not shared for now: this gateway goes by its last share of each",
                metadata: ["error": "\(error)"])
        } else if error == nil, wasAway {
            logger.info("limits are shared again")
        }
    }
}
