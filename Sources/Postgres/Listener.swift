import CLibPQ
import Glibc
import Synchronization

/// Listens on channels (LISTEN) over a connection and a thread of its own.
///
/// Notifications are only wake-ups: those sent while the connection is down are lost, and when the reader is slow the
/// oldest are dropped. So read everything anew on `.connected` and `.reconnected`, and now and then anyway.
public final class Listener: Sendable {
    public enum Event: Sendable, Hashable {
        /// Listening began.
        case connected
        /// Listening began again after the connection was lost: anything may have happened in between.
        case reconnected
        case notification(channel: String, payload: String)
    }

    /// Events kept for a slow reader.
    public static let eventCountMax = 256
    static let reconnectDelayMinMilliseconds: Int32 = 100
    static let reconnectDelayMaxMilliseconds: Int32 = 5_000

    /// The events, for one reader. Ends with ``stop()``, or when the listener goes away: keep it while you read.
    public let events: AsyncStream<Event>
    private let worker: ListenerWorker

    /// Begins to listen at once, on its own thread; while Postgres is away it keeps trying.
    public init(_ configuration: PostgresConfiguration, channels: [String]) throws(PostgresError) {
        let (events, continuation) = AsyncStream.makeStream(
            of: Event.self, bufferingPolicy: .bufferingNewest(Self.eventCountMax),
        )
        let worker = try ListenerWorker(configuration, channels: channels, continuation: continuation)
        continuation.onTermination = { _ in worker.stop() }
        let failure = spawnThread { worker.run() }
        guard failure == 0 else {
            throw PostgresError(kind: .unavailable, message: "no thread for a Postgres listener: errno \(failure)")
        }
        self.events = events
        self.worker = worker
    }

    deinit { worker.stop() }

    /// Closes the connection and ends the stream of events.
    public func stop() { worker.stop() }
}

/// The listener's thread: connect, LISTEN, wait for input, connect again.
private final class ListenerWorker: Sendable {
    private let configuration: PostgresConfiguration
    private let channels: [String]
    private let continuation: AsyncStream<Listener.Event>.Continuation
    private let wakeUp: Int32
    private let isStopped = Atomic<Bool>(false)

    init(
        _ configuration: PostgresConfiguration,
        channels: [String],
        continuation: AsyncStream<Listener.Event>.Continuation,
    ) throws(PostgresError) {
        self.configuration = configuration
        self.channels = channels
        self.continuation = continuation
        wakeUp = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard wakeUp >= 0 else {
            throw PostgresError(kind: .unavailable, message: "no descriptor for a Postgres listener: errno \(errno)")
        }
    }

    deinit { close(wakeUp) }

    func stop() {
        isStopped.store(true, ordering: .releasing)
        eventfd_write(wakeUp, 1)
    }

    func run() {
        var delay = Listener.reconnectDelayMinMilliseconds
        var event = Listener.Event.connected
        while !isStopped.load(ordering: .acquiring) {
            if let session = try? listen() {
                continuation.yield(event)
                event = .reconnected
                delay = Listener.reconnectDelayMinMilliseconds
                deliver(from: session)
            }
            if isStopped.load(ordering: .acquiring) { break }
            _ = pollReadable([wakeUp], timeoutMilliseconds: delay)
            delay = min(delay * 2, Listener.reconnectDelayMaxMilliseconds)
        }
        continuation.finish()
    }

    private func listen() throws(PostgresError) -> Session {
        let session = try Session(configuration)
        for channel in channels { try session.script("LISTEN \(quotedIdentifier(channel))") }
        return session
    }

    /// Passes notifications on until the connection breaks or the listener is stopped.
    private func deliver(from session: Session) {
        while !isStopped.load(ordering: .acquiring) {
            while let notification = PQnotifies(session.connection) {
                let channel = String(cString: notification.pointee.relname)
                let payload = String(cString: notification.pointee.extra)
                PQfreemem(notification)
                continuation.yield(.notification(channel: channel, payload: payload))
            }
            let ready = pollReadable([session.socket, wakeUp], timeoutMilliseconds: -1)
            if ready.contains(session.socket), PQconsumeInput(session.connection) == 0 { return }
            if session.isBroken { return }
        }
    }
}
