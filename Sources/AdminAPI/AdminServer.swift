import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
public import Telemetry

/// Where the API listens and what it bears.
public struct AdminConfiguration: Sendable {
    public var host: String
    /// 0 takes a free one.
    public var port: Int
    /// The most connections at a time; more wait to be accepted.
    public var connectionsMax = 256
    /// A connection on which nothing happens for so long is closed.
    public var idleSecondsMax: Int64 = 60
    /// How long running calls may go on after `stop`.
    public var drainSecondsMax: Int64 = 30

    /// An address, the limits as they usually are.
    public init(host: String = "127.0.0.1", port: Int = 8081) {
        self.host = host
        self.port = port
    }
}

/// Why the API did not start.
public enum AdminServerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Nobody can listen there.
    case cannotListen(host: String, port: Int, reason: String)
    /// A server starts once.
    case startedAlready

    public var description: String {
        switch self {
        case .cannotListen(let host, let port, let reason): "the admin API cannot listen on \(host):\(port): \(reason)"
        case .startedAlready: "the admin API was started already"
        }
    }
}

/// The REST API for operators.
public final class AdminServer: Sendable {
    private let configuration: AdminConfiguration
    private let responder: Responder
    private let state = Mutex(State.idle)

    private enum State {
        case idle
        case running(ServiceGroup, Task<Void, any Error>)
        case stopped
    }

    public init(configuration: AdminConfiguration, services: AdminServices, log: StructuredLog) {
        self.configuration = configuration
        let endpoints = API.endpoints(services)
        responder = Responder(
            routes: RouteTable(endpoints), dispatcher: Dispatcher(services: services), log: log)
    }

    /// Listens, and returns the port once it does.
    public func start() async throws -> Int {
        let (ports, listening) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
        let application = Application(
            responder: responder,
            server: .http1(configuration: .init(idleTimeout: .seconds(configuration.idleSecondsMax))),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port), serverName: nil, backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.connectionsMax)),
            onServerRunning: { channel in
                listening.yield(channel.localAddress?.port ?? 0)
                listening.finish()
            },
            logger: AdminServer.silent)
        var group = ServiceGroupConfiguration(services: [application], logger: AdminServer.silent)
        // Without this an answer that never ends would hold the process forever.
        group.maximumGracefulShutdownDuration = .seconds(configuration.drainSecondsMax)
        let services = ServiceGroup(configuration: group)
        let task = try state.withLock { state -> Task<Void, any Error> in
            guard case .idle = state else { throw AdminServerError.startedAlready }
            let task = Task {
                defer { listening.finish() }
                try await services.run()
            }
            state = .running(services, task)
            return task
        }
        for await port in ports { return port }
        throw AdminServerError.cannotListen(
            host: configuration.host, port: configuration.port, reason: await AdminServer.reason(task))
    }

    /// Returns when the server has stopped.
    public func waitUntilStopped() async throws {
        let task = state.withLock { state -> Task<Void, any Error>? in
            if case .running(_, let task) = state { task } else { nil }
        }
        try await task?.value
    }

    /// Accepts nothing more, lets running calls end, and returns then.
    public func stop() async {
        let running = state.withLock { state -> (ServiceGroup, Task<Void, any Error>)? in
            defer { state = .stopped }
            if case .running(let group, let task) = state { return (group, task) }
            return nil
        }
        guard let (group, task) = running else { return }
        await group.triggerGracefulShutdown()
        _ = await task.result
    }

    private static func reason(_ task: Task<Void, any Error>) async -> String {
        switch await task.result {
        case .success: "it stopped at once"
        case .failure(let error): String(describing: error)
        }
    }

    /// Calls are logged by the responder, in the house's own form.
    private static let silent = Logger(label: "admin", factory: { _ in SwiftLogNoOpLogHandler() })
}
