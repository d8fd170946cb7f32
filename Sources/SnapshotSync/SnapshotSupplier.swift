import Engines
public import Identity
public import Logging
public import Storage
import Synchronization

/// Keeps a gateway supplied: loads the snapshot from Postgres once, then follows its changes by loading what they name,
/// and keeps a copy on disk from which the gateway can serve when it is restarted while Postgres is away.
public actor SnapshotSupplier {
    /// Where the copy is kept, and how often changes are looked for.
    public struct Configuration: Sendable {
        /// Beside the journal; nil keeps no copy.
        public var filePath: String?
        /// A look at the numbers even without a notification.
        public var pollMilliseconds: Int64 = 5_000
        /// How often an unchanged copy is marked as still current.
        public var touchMilliseconds: Int64 = 60_000
        /// The keys that open secrets; asked for whenever the catalogue or a secret changed.
        public var keyring: @Sendable () -> SecretKeyring? = { nil }

        /// The usual times, with a copy at this path.
        public init(filePath: String?) {
            self.filePath = filePath
        }
    }

    private let database: Database
    private let configuration: Configuration
    private let logger: Logger
    private let now: @Sendable () -> Timestamp
    private let apply: @Sendable (SuppliedSnapshot) -> Void
    private let confirm: @Sendable (Timestamp) -> Void
    private let file: SnapshotFileWriter?
    private var state: SnapshotState
    private var tokenizers = TokenizerCache()
    private var fileMarkedAt: Timestamp?
    private var isAway = false
    /// Faults that were logged already.
    private var knownFaults: Set<ServiceFault> = []

    /// The newest change that was handed to `apply`: what heartbeats report. 0 before the first snapshot.
    public nonisolated let appliedChange = AppliedChange()

    /// A supplier that hands each snapshot to `apply`, and says to `confirm` up to when what it handed over holds all
    /// that Postgres has. `now` is real time.
    public init(
        database: Database, configuration: Configuration, logger: Logger, now: @escaping @Sendable () -> Timestamp,
        confirm: @escaping @Sendable (Timestamp) -> Void = { _ in },
        apply: @escaping @Sendable (SuppliedSnapshot) -> Void
    ) {
        self.database = database
        self.configuration = configuration
        file = configuration.filePath.map {
            SnapshotFileWriter(path: $0, keyring: configuration.keyring, logger: logger)
        }
        state = SnapshotState(now: now())
        self.logger = logger
        self.now = now
        self.apply = apply
        self.confirm = confirm
    }

    /// Hands the first snapshot to `apply`: from Postgres, or from the copy when Postgres is away.
    /// - Throws: a `SnapshotFileError` when there is neither; the database's error when it refuses.
    public func start() async throws {
        do {
            try await load()
        } catch {
            guard DatabaseFailure(error) == .unavailable, let path = configuration.filePath else { throw error }
            let (state, writtenAt) = try SnapshotFile(path: path, keyring: configuration.keyring()).read(now: now())
            isAway = true
            logger.warning(
                "Postgres is away: serving from the copy of the snapshot",
                metadata: ["written_at": "\(writtenAt)", "error": "\(error)"])
            self.state = state
            fillTokenizers()
            supply()
            confirm(writtenAt)
        }
        await flushFile()
    }

    /// Waits until the copy on disk holds what was supplied.
    public func flushFile() async {
        await file?.flush()
    }

    /// Follows changes until the task is cancelled. Call `start` first.
    public func run() async {
        let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let poll = configuration.pollMilliseconds
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.listen { wake.yield() } }
            group.addTask {
                // Cancelling ends the sleep and with it this loop.
                while (try? await Task.sleep(for: .milliseconds(await self.pause(atMost: poll)))) != nil {
                    wake.yield()
                }
                wake.finish()
            }
            for await _ in wakes { await refresh() }
            group.cancelAll()
        }
    }

    /// Looks for changes now; what `run` does on each wake-up.
    public func refresh() async {
        do {
            let mark = state.mark
            let time = now()
            if let (part, newest) = try await database.read({ try SnapshotStorage.difference(since: mark, in: $0) }) {
                takeIn(part, newest, askedAt: time)
            } else {
                try await load()
            }
            if isAway {
                logger.info("Postgres is back; the snapshot is current", metadata: ["change": "\(state.mark.number)"])
            }
            isAway = false
        } catch {
            passBoundary()
            if !isAway {
                logger.warning("the snapshot cannot be refreshed; the last one stays", metadata: ["error": "\(error)"])
            }
            isAway = true
        }
    }

    private func listen(_ wake: @escaping @Sendable () -> Void) async {
        do {
            let listener = try database.listenForChanges()
            await withTaskCancellationHandler {
                await listener.forward(to: wake)
            } onCancel: {
                listener.stop()
            }
        } catch {
            logger.warning("no notifications of changes, only polling", metadata: ["error": "\(error)"])
        }
    }

    /// Milliseconds until the next look: the poll, or the next boundary if that is sooner.
    private func pause(atMost poll: Int64) -> Int64 {
        guard let boundary = state.boundary else { return poll }
        return min(poll, max(boundary.milliseconds - now().milliseconds, 1))
    }

    private func load() async throws {
        let time = now()
        state = try await database.read { tx in
            var state = SnapshotState(now: time)
            let mark = try SnapshotStorage.load(now: time, in: tx) { state.apply($0, now: time) }
            state.reach(mark)
            return state
        }
        fillTokenizers()
        supply()
        confirm(time)
        writeFile(askedAt: time)
    }

    /// Goes on to `mark` by what changed since the last one. The database was asked at `time`.
    private func takeIn(_ part: SnapshotPart, _ mark: ChangeMark, askedAt time: Timestamp) {
        defer { confirm(time) }
        guard mark != state.mark else {
            passBoundary()
            return markFile(askedAt: time)
        }
        state.apply(part, now: time)
        state.reach(mark)
        if part.models != nil { fillTokenizers() }
        supply()
        guard file?.isWholeWanted == false else { return markFile(askedAt: time) }
        file?.append(part, change: mark.number, now: time)
        fileMarkedAt = time
    }

    private func passBoundary() {
        guard let boundary = state.boundary, now() >= boundary else { return }
        supply()
    }

    private func fillTokenizers() {
        for complaint in tokenizers.fill(for: state.models) {
            logger.error("a backend's answers without usage are estimated", metadata: ["tokenizer": "\(complaint)"])
        }
    }

    private func supply() {
        let snapshot = state.snapshot(
            at: now(), tokenizers: tokenizers.tokenizers, keyring: configuration.keyring)
        for fault in snapshot.faults.subtracting(knownFaults).sorted(by: { $0.name < $1.name }) {
            logger.error(
                "out of service until it is mended; everything else works",
                metadata: [
                    "kind": "\(fault.kind.rawValue)", "name": "\(fault.name)", "code": "\(fault.code)",
                    "reason": "\(fault.reason)",
                ])
        }
        knownFaults = snapshot.faults
        apply(snapshot)
        appliedChange.set(snapshot.change)
    }

    /// Says in the copy that it is current, or writes it anew where that is due.
    private func markFile(askedAt time: Timestamp) {
        if let fileMarkedAt, time.milliseconds - fileMarkedAt.milliseconds < configuration.touchMilliseconds { return }
        guard file?.isWholeWanted == false else { return writeFile(askedAt: time) }
        file?.touch(now: time)
        fileMarkedAt = time
    }

    private func writeFile(askedAt time: Timestamp) {
        file?.write(state, now: time)
        fileMarkedAt = time
    }
}

/// The newest change that a gateway works by; read from any thread.
public final class AppliedChange: Sendable {
    private let number = Atomic<Int64>(0)

    /// 0 before the first snapshot.
    public var value: Int64 { number.load(ordering: .acquiring) }

    func set(_ value: Int64) { number.store(value, ordering: .releasing) }
}
