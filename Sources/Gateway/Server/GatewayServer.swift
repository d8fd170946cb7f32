internal import Glibc
public import Identity
public import Limits
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Synchronization
public import Telemetry
public import UsageJournal

/// Nobody can listen where the gateway was told to: the port is taken, or the address is not this machine's.
public struct CannotListen: Error, Equatable, Sendable, CustomStringConvertible {
    public let host: String
    public let port: Int
    /// What the operating system says.
    public let reason: String

    public var description: String { "the gateway cannot listen on \(host):\(port): \(reason)" }
}

/// The data plane: authenticates, admits, forwards and meters inference requests.
///
/// The journal belongs to the caller, who closes it after `stop()` has returned.
public final class GatewayServer: Sendable {
    /// The port it listens on.
    public let port: Int
    let shared: GatewayShared
    private let group: MultiThreadedEventLoopGroup
    /// The port of the metrics' own address; nil without one.
    public let metricsPort: Int?
    private let listeners: [any Channel]
    private let contexts: [NIOLoopBound<LoopContext>]
    private let refusalsTask: RepeatedTask
    private let capacityTask: RepeatedTask
    private let healthTask: RepeatedTask
    private let isStopping = Atomic<Bool>(false)

    private init(
        port: Int, shared: GatewayShared, group: MultiThreadedEventLoopGroup, listeners: [any Channel],
        contexts: [NIOLoopBound<LoopContext>], refusalsTask: RepeatedTask, capacityTask: RepeatedTask,
        healthTask: RepeatedTask
    ) {
        self.port = port
        self.shared = shared
        self.group = group
        self.listeners = listeners
        metricsPort = listeners.dropFirst().first?.localAddress?.port
        self.contexts = contexts
        self.refusalsTask = refusalsTask
        self.capacityTask = capacityTask
        self.healthTask = healthTask
    }

    /// Starts to listen. Limits are shared with other gateways through `sliceSource`; without one, this gateway has
    /// them to itself. `batchBook` says which batches were metered before. Throws when the address is taken or a TLS
    /// file cannot be read.
    public static func start(
        configuration: GatewayConfiguration, journal: any RequestJournal, snapshot: GatewaySnapshot,
        sliceSource: (any SliceSource)? = nil, idempotency: IdempotencyTable = IdempotencyTable(),
        batchBook: (any BatchBook)? = nil, log: StructuredLog, metrics: MetricsRegistry
    ) async throws -> GatewayServer {
        // A client that closes while it is written to must not end the process.
        signal(SIGPIPE, SIG_IGN)
        raiseDescriptorLimit()
        let shared = GatewayShared(
            configuration: configuration, journal: journal, snapshot: snapshot, log: log, registry: metrics,
            upstreamTLS: try TLSContexts.upstream(configuration), sliceSource: sliceSource,
            idempotency: idempotency, batchBook: batchBook)
        let serverTLS = try TLSContexts.server(configuration)
        registerGauges(shared)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, configuration.eventLoopCount))
        shared.limits.start(on: group.next())
        do {
            let contexts = try await makeContexts(group, shared)
            var listeners = [
                try await listen(
                    GatewayConfiguration.Address(host: configuration.host, port: configuration.port), configuration,
                    group, contexts, serverTLS, .clients)
            ]
            if let address = configuration.metricsAddress {
                listeners.append(try await listen(address, configuration, group, contexts, nil, .monitoring))
            }
            let period = TimeAmount.milliseconds(configuration.times.refusalsMilliseconds)
            let refusalsTask = group.next().scheduleRepeatedTask(initialDelay: period, delay: period) { _ in
                shared.appendRefusals()
            }
            let capacityTask = CapacityPoller.start(on: group.next(), shared)
            let healthTask = HealthProber.start(on: group.next(), shared)
            let port = listeners[0].localAddress?.port ?? configuration.port
            log.info("gateway listening", ["host": "\(configuration.host)", "port": .integer(Int64(port))])
            return GatewayServer(
                port: port, shared: shared, group: group, listeners: listeners, contexts: contexts,
                refusalsTask: refusalsTask, capacityTask: capacityTask, healthTask: healthTask)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// A connection takes a descriptor on either side; the usual soft limit of 1024 is for programs that use `select`.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max
        else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// Reads the files that TLS needs, as `start` does.
    public static func checkTLSFiles(_ configuration: GatewayConfiguration) throws {
        _ = try TLSContexts.server(configuration)
        _ = try TLSContexts.upstream(configuration)
    }

    /// What the snapshot's source knew at that real time is in the snapshot. Without such word for a minute, costs told
    /// to clients are `provisional`: a price may have changed.
    public func confirmSnapshot(at time: Timestamp) { shared.snapshots.confirm(at: time) }

    /// Takes a newer snapshot into use: requests that arrive from now on are judged by it. An older one is ignored.
    public func update(_ snapshot: GatewaySnapshot) { shared.snapshots.update(snapshot) }

    /// Other gateways need what this one keeps in reserve of these limits.
    public func recall(_ limits: [LimitID]) { shared.limits.recall(limits) }

    /// Returns once no event loop is in the middle of accepting a request: what was accepted before the call, by an
    /// earlier snapshot or at an earlier time, has its open record in the journal then.
    public func settle() async {
        guard !isStopping.load(ordering: .acquiring) else { return }
        for context in contexts { await GatewayServer.onLoop(of: context) { _ in } }
    }

    /// Goes on asking after work that the last process on the journal left at its engines.
    public func resume(_ work: [RecoveryReport.RunningWork], in journal: Journal) async {
        guard let first = contexts.first, !work.isEmpty else { return }
        await GatewayServer.onLoop(of: first) { loop in
            for left in work {
                loop.settlements.resume(Settlements.Pending(resuming: left.entry, open: journal.resumed(left)))
            }
        }
    }

    /// The number of the last snapshot change in use.
    public var snapshotChange: Int64 { shared.snapshots.current.change }

    /// Requests that are running.
    public var openRequestCount: Int { shared.openRequests.load(ordering: .relaxed) }

    /// Says on `/readyz` that it is going and refuses new requests; the running ones go on.
    public func beginDraining() { shared.beginDraining() }

    /// Begins draining and waits until the running requests have ended or `deadline` has passed. Returns how many are
    /// still running.
    public func drain(deadline: Duration) async -> Int {
        beginDraining()
        let end = ContinuousClock.now + deadline
        while openRequestCount > 0, ContinuousClock.now < end {
            try? await Task.sleep(for: .milliseconds(20))
        }
        return openRequestCount
    }

    /// Stops listening and closes every connection; running requests are cut and recorded as `gateway_lost`. Returns
    /// once their records are in the journal, or `recordsDeadline` has passed.
    public func stop(recordsDeadline: Duration = .seconds(5)) async {
        shared.beginDraining()
        isStopping.store(true, ordering: .releasing)
        refusalsTask.cancel()
        capacityTask.cancel()
        healthTask.cancel()
        for listener in listeners { try? await listener.close() }
        for context in contexts { await GatewayServer.onLoop(of: context) { $0.abandonExchanges() } }
        let end = ContinuousClock.now + recordsDeadline
        while openRequestCount > 0, ContinuousClock.now < end {
            try? await Task.sleep(for: .milliseconds(5))
        }
        for context in contexts { await GatewayServer.onLoop(of: context) { $0.stop() } }
        shared.appendRefusals()
        shared.limits.giveBack()
        do {
            try await group.shutdownGracefully()
        } catch {
            shared.log.error("could not stop the event loops", ["error": "\(error)"])
        }
    }

    private static func registerGauges(_ shared: GatewayShared) {
        let registry = shared.registry
        registry.gauge("tollgate_open_requests", help: "Requests in progress.") {
            Int64(shared.openRequests.load(ordering: .relaxed))
        }
        registry.gauge("tollgate_client_connections", help: "Open client connections.") {
            Int64(shared.connections.load(ordering: .relaxed))
        }
        registry.gauge("tollgate_request_body_bytes", help: "Memory used by request bodies.") {
            Int64(shared.memory.bytesHeld)
        }
        registry.gauge("tollgate_request_body_bytes_max", help: "Memory budget for request bodies.") {
            Int64(shared.memory.bytesMax)
        }
        registry.gauge("tollgate_journal_accepting", help: "1 while the journal accepts requests.") {
            shared.journal.isAccepting ? 1 : 0
        }
        registry.gauge("tollgate_snapshot_change", help: "Number of the latest snapshot change in use.") {
            shared.snapshots.current.change
        }
    }

    private static func makeContexts(
        _ group: MultiThreadedEventLoopGroup, _ shared: GatewayShared
    ) async throws -> [NIOLoopBound<LoopContext>] {
        var contexts: [NIOLoopBound<LoopContext>] = []
        for eventLoop in group.makeIterator() {
            let isFirst = contexts.isEmpty
            contexts.append(
                try await eventLoop.submit {
                    let context = LoopContext(eventLoop: eventLoop, shared: shared, isFirst: isFirst)
                    context.start()
                    return NIOLoopBound(context, eventLoop: eventLoop)
                }.get())
        }
        return contexts
    }

    private static func onLoop(
        of context: NIOLoopBound<LoopContext>, _ body: @escaping @Sendable (LoopContext) -> Void
    ) async {
        try? await context.eventLoop.submit { body(context.value) }.get()
    }

    private static func listen(
        _ address: GatewayConfiguration.Address, _ configuration: GatewayConfiguration,
        _ group: MultiThreadedEventLoopGroup, _ contexts: [NIOLoopBound<LoopContext>], _ tls: NIOSSLContext?,
        _ audience: ClientHandler.Audience
    ) async throws -> any Channel {
        let limits = configuration.limits
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                // Without a free descriptor, accepting would be tried again without a pause.
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(
                .writeBufferWaterMark, value: .init(low: max(1, limits.unsentBytes / 4), high: limits.unsentBytes)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let context = contexts.first(where: { $0.eventLoop === channel.eventLoop })?.value else {
                        throw ChannelError.operationUnsupported
                    }
                    try context.accept(channel, tls: tls, audience: audience)
                }
            }
        do {
            return try await bootstrap.bind(host: address.host, port: address.port).get()
        } catch let error as IOError {
            throw CannotListen(
                host: address.host, port: address.port, reason: String(cString: strerror(error.errnoCode)))
        }
    }
}

extension LoopContext {
    /// Builds a client connection's pipeline.
    fileprivate func accept(
        _ channel: any Channel, tls: NIOSSLContext?, audience: ClientHandler.Audience
    ) throws {
        let open = shared.connections.add(1, ordering: .relaxed).newValue
        guard open <= shared.configuration.limits.connections else {
            shared.connections.subtract(1, ordering: .relaxed)
            throw ChannelError.operationUnsupported
        }
        let pipeline = channel.pipeline.syncOperations
        if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
        try pipeline.addHandler(ClientHandler(loop: self, audience: audience))
    }

    /// Ends every running request.
    fileprivate func abandonExchanges() {
        closeIdleClients()
        for exchange in exchanges.all { exchange.fail(.stopped) }
        for job in runningJobs { job.stop() }
        batches.stop()
        settlements.stop()
        lateCounts.abandon()
    }
}
