import Engines
import NIOCore
import NIOPosix
import NIOSSL

/// The connections of one event loop to all engines. Idle ones are reused, the latest first.
final class UpstreamPool {
    let eventLoop: any EventLoop
    private let tls: NIOSSLContext?
    let configuration: GatewayConfiguration
    private var idle: [String: [UpstreamConnection]] = [:]

    init(eventLoop: any EventLoop, tls: NIOSSLContext?, configuration: GatewayConfiguration) {
        self.eventLoop = eventLoop
        self.tls = tls
        self.configuration = configuration
    }

    /// An idle connection to `backend`; nil when there is none.
    func takeIdle(_ backend: Backend) -> UpstreamConnection? {
        while let connection = idle[backend.name]?.popLast() {
            if connection.isUsable, connection.backend == backend { return connection }
            connection.cut()
        }
        return nil
    }

    /// Connects to `backend` and tells `exchange` what came of it.
    func connect(_ backend: Backend, for exchange: Exchange) {
        let connection = UpstreamConnection(backend: backend, pool: self)
        let bound = NIOLoopBound((connection, exchange), eventLoop: eventLoop)
        let tls = tls
        ClientBootstrap(group: eventLoop)
            .connectTimeout(.milliseconds(configuration.times.connectMilliseconds))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let (connection, _) = bound.value
                    let pipeline = channel.pipeline.syncOperations
                    if backend.isTLS, let tls {
                        try pipeline.addHandler(UpstreamPool.tlsHandler(tls, host: backend.host))
                    }
                    try pipeline.addHandler(connection)
                }
            }
            .connect(host: backend.host, port: backend.port)
            .whenComplete { result in
                let (connection, exchange) = bound.value
                switch result {
                case .success: exchange.upstreamConnected(connection)
                case .failure(let error): exchange.upstreamNotConnected(isTimeout: error.isConnectTimeout)
                }
            }
    }

    /// Checks the certificate against the host name; an address has none to send.
    static func tlsHandler(_ context: NIOSSLContext, host: String) throws -> NIOSSLClientHandler {
        do {
            return try NIOSSLClientHandler(context: context, serverHostname: host)
        } catch let error as NIOSSLExtraError where error == .cannotUseIPAddressInSNI {
            return try NIOSSLClientHandler(context: context, serverHostname: nil)
        }
    }

    func giveBack(_ connection: UpstreamConnection) {
        let name = connection.backend.name
        guard idle[name, default: []].count < configuration.limits.idleUpstreamConnections else {
            return connection.cut()
        }
        idle[name, default: []].append(connection)
    }

    func forget(_ connection: UpstreamConnection) {
        idle[connection.backend.name]?.removeAll { $0 === connection }
    }

    /// Closes what has been idle for too long.
    func tick(now: NIODeadline) {
        let oldest = now - .milliseconds(configuration.times.upstreamIdleMilliseconds)
        for (name, connections) in idle where connections.contains(where: { $0.idleSince < oldest }) {
            for connection in connections where connection.idleSince < oldest { connection.cut() }
            idle[name] = connections.filter { $0.idleSince >= oldest }
        }
    }

    func closeAll() {
        for connection in idle.values.joined() { connection.cut() }
        idle.removeAll()
    }
}

extension Error {
    /// Whether a connection attempt ran out of time, rather than being refused.
    fileprivate var isConnectTimeout: Bool {
        if let error = self as? ChannelError, case .connectTimeout = error { return true }
        guard let failure = self as? NIOConnectionError else { return false }
        return failure.connectionErrors.contains { $0.error.isConnectTimeout }
    }
}
