import NIOCore
import NIOHTTP1
import NIOPosix

/// A deterministic inference engine over HTTP/1.1, for demonstrations, tests and benchmarks.
///
/// It answers as an OpenAI-compatible engine does (chat, text completions, embeddings, models), at a set speed and with
/// set faults, and keeps its own count of what it produced and sent, so that a meter in front of it can be checked
/// against a second, independent book. It writes every answer from its own templates and shares no code with the
/// readers of those answers.
public struct SimulatedEngine: Sendable {
    /// How a simulator is started. Everything about its *behaviour* can also be changed while it runs.
    public struct Configuration: Sendable {
        /// The address to listen on. The control surface has no authentication: keep it on loopback.
        public var host: String
        /// The port to listen on; 0 lets the system choose.
        public var port: Int
        /// When set, `/v1` paths want `Authorization: Bearer` with this key.
        public var apiKey: String?
        /// Token texts and default lengths derive from this and the request.
        public var seed: UInt64
        /// The models that `/v1/models` lists.
        public var models: [String]
        /// Whether a model that is not listed is served as well, instead of a 404.
        public var servesUnlistedModels: Bool
        /// The context length of every model, in tokens.
        public var contextTokensMax: Int
        /// How many requests the simulator remembers; older ones are forgotten, and counted as forgotten.
        public var rememberedRequestsMax: Int
        /// Threads that serve connections.
        public var threads: Int
        /// The settings in force at the start.
        public var behavior: Behavior

        /// A configuration with defaults that suit a demonstration on this machine.
        public init(
            host: String = "127.0.0.1",
            port: Int = 0,
            apiKey: String? = nil,
            seed: UInt64 = 1,
            models: [String] = ["sim-large", "sim-small", "sim-embed"],
            servesUnlistedModels: Bool = true,
            contextTokensMax: Int = 131_072,
            rememberedRequestsMax: Int = 1_000_000,
            threads: Int = 1,
            behavior: Behavior = Behavior()
        ) {
            self.host = host
            self.port = port
            self.apiKey = apiKey
            self.seed = seed
            self.models = models
            self.servesUnlistedModels = servesUnlistedModels
            self.contextTokensMax = contextTokensMax
            self.rememberedRequestsMax = max(1, rememberedRequestsMax)
            self.threads = max(1, threads)
            self.behavior = behavior
        }
    }

    /// Starts a simulator and returns when it is listening.
    ///
    /// - Throws: NIO's `IOError` when the address cannot be bound.
    public static func start(_ configuration: Configuration) async throws -> RunningSimulator {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.threads)
        let engine = Engine(configuration: configuration)
        do {
            let channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 1024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        // No pipelining assistance: it stops reading during an answer, and this engine wants to see
                        // its client leave. The handler queues pipelined requests itself.
                        try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                            withPipeliningAssistance: false,
                            withErrorHandling: true
                        )
                        try channel.pipeline.syncOperations.addHandler(ConnectionHandler(engine: engine))
                    }
                }
                .bind(host: configuration.host, port: configuration.port)
                .get()
            return RunningSimulator(channel: channel, group: group, engine: engine, host: configuration.host)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }
}

/// A simulator that is listening.
public struct RunningSimulator: Sendable {
    /// The address it listens on.
    public let host: String
    /// The port it listens on.
    public let port: Int
    /// Where it is, such as `http://127.0.0.1:9100`.
    public var url: String { "http://\(host):\(port)" }

    private let channel: any Channel
    private let group: MultiThreadedEventLoopGroup
    private let engine: Engine

    init(channel: any Channel, group: MultiThreadedEventLoopGroup, engine: Engine, host: String) {
        self.channel = channel
        self.group = group
        self.engine = engine
        self.host = host
        self.port = channel.localAddress?.port ?? 0
    }

    /// The simulator's own book, in the order in which the requests came.
    public func requests() -> [ServedRequest] {
        engine.advanceBatches()
        engine.closeEndedPredictions()
        engine.closeEndedResponses()
        return engine.log.entries(after: 0, limit: .max)
    }

    /// Stops listening and cuts every connection that is open.
    public func stop() async throws {
        try await channel.close()
        try await group.shutdownGracefully()
    }

    /// Returns when the simulator stopped listening.
    public func waitUntilStopped() async throws {
        try await channel.closeFuture.get()
    }
}
