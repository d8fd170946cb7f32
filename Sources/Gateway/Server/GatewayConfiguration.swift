/// How the gateway listens, and every limit and time it keeps to.
public struct GatewayConfiguration: Sendable {
    /// The address to listen on.
    public var host: String
    /// The port to listen on; 0 takes a free one.
    public var port: Int
    /// Threads, each with an event loop of its own; a connection and its engine's connection share one.
    public var eventLoopCount: Int
    /// PEM files for clients that connect with TLS; nil listens in the clear.
    public var tls: TLSFiles?
    /// A PEM file of authorities to trust for engines, beside the system's; nil trusts the system's alone.
    public var upstreamTrustRootsFile: String?
    /// Opens `/metrics` on the inference port, as a bearer token; nil keeps it shut there.
    public var metricsKey: String?
    /// An address of its own where `/metrics`, `/healthz` and `/readyz` need no key; nil for none.
    public var metricsAddress: Address?
    public var limits: Limits
    public var times: Times

    /// A gateway with the usual limits.
    public init(
        host: String = "127.0.0.1", port: Int = 0, eventLoopCount: Int = 1, tls: TLSFiles? = nil,
        upstreamTrustRootsFile: String? = nil, limits: Limits = Limits(), times: Times = Times()
    ) {
        self.host = host
        self.port = port
        self.eventLoopCount = eventLoopCount
        self.tls = tls
        self.upstreamTrustRootsFile = upstreamTrustRootsFile
        self.limits = limits
        self.times = times
    }

    /// Where to listen; port 0 takes a free one.
    public struct Address: Sendable {
        public var host: String
        public var port: Int

        /// An address.
        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// A certificate chain and its key, PEM files both.
    public struct TLSFiles: Sendable {
        public var certificateChain: String
        public var privateKey: String

        /// The two files.
        public init(certificateChain: String, privateKey: String) {
            self.certificateChain = certificateChain
            self.privateKey = privateKey
        }
    }

    /// Sizes and counts. What exceeds them gets a clear error.
    public struct Limits: Sendable {
        /// One header, or the request line: name and value together, in bytes.
        public var headerFieldBytes = 16 * 1024
        /// All headers of a request together, in bytes.
        public var headerListBytes = 64 * 1024
        /// Headers of a request.
        public var headerCount = 100
        /// The path and query, in bytes.
        public var pathBytes = 2048
        /// A request's body, in bytes.
        public var bodyBytes = 32 * 1024 * 1024
        /// What the bodies of all requests together may take of memory: by default a quarter of the machine's.
        public var memoryBytes = MachineMemory.bytes / 4
        /// An engine's answer, in bytes.
        public var answerBytes: Int64 = 256 * 1024 * 1024
        /// Plain answers up to this many bytes reach the client in one piece, once their record is durable.
        public var wholeAnswerBytes = 1024 * 1024
        /// An unfinished event of a stream is held back up to this many bytes, then it flows.
        public var heldEventBytes = 64 * 1024
        /// What comes of a stream before its first content is held back up to this many bytes while another engine may
        /// be asked.
        public var heldBeginningBytes = 64 * 1024
        /// An event of a stream is looked at up to this many bytes; longer ones only flow.
        public var readEventBytes = 1024 * 1024
        /// Client connections.
        public var connections = 16_384
        /// Requests running at once.
        public var openRequests = 8192
        /// Streams that were left and that their engines may finish, asked after by one event loop. Beyond, streams are
        /// read on when they are left, and keep what they hold of their limits.
        public var leftStreams = 1024
        /// The same of one account.
        public var leftStreamsOfAccount = 32
        /// Bytes that a client may send ahead while its request runs.
        public var pipelinedBytes = 64 * 1024
        /// Idle connections kept for one backend by one event loop.
        public var idleUpstreamConnections = 1024
        /// Bytes waiting for a slow client before the engine's connection is no longer read.
        public var unsentBytes = 256 * 1024

        /// The usual limits.
        public init() {}
    }

    /// Milliseconds of process time.
    public struct Times: Sendable {
        /// From a connection's first byte, or its opening, to the end of the request's headers.
        public var headerReadMilliseconds: Int64 = 10_000
        /// From the end of the headers to the end of the body.
        public var bodyReadMilliseconds: Int64 = 60_000
        /// A connection without a request.
        public var idleMilliseconds: Int64 = 75_000
        /// A client that takes nothing of its answer.
        public var writeStallMilliseconds: Int64 = 60_000
        /// How long a request waits for a larger slice of a limit.
        public var limitWaitMilliseconds: Int64 = 50
        /// Connecting to an engine, TLS included.
        public var connectMilliseconds: Int64 = 5000
        /// From the request's last byte to the first byte of the engine's answer.
        public var firstByteMilliseconds: Int64 = 300_000
        /// How long what comes of a stream before its first content is held back while another engine may be asked.
        public var beginningMilliseconds: Int64 = 5000
        /// An engine that sends nothing in the middle of its answer.
        public var answerIdleMilliseconds: Int64 = 120_000
        /// A request from its acceptance to the end of its answer.
        public var totalMilliseconds: Int64 = 1_800_000
        /// An engine's idle connection; less than engines keep theirs (uvicorn: 5 s).
        public var upstreamIdleMilliseconds: Int64 = 4000
        /// How long a finished stream whose client left is read on for its usage.
        public var finishedDrainMilliseconds: Int64 = 1000
        /// How long a plain answer whose client left is read on.
        public var plainDrainMilliseconds: Int64 = 60_000
        /// How long a receipt for work that goes on is read whose client left, at least: without it nobody knows what
        /// to ask after, and some engines wait a minute before they give one.
        public var receiptDrainMilliseconds: Int64 = 120_000
        /// How long an engine may take to end its response after the stream's terminator.
        public var lingerMilliseconds: Int64 = 1000
        /// How long an engine that has not said what a stream cost may say so behind the terminator, while it does not
        /// end its response.
        public var usageBehindEndMilliseconds: Int64 = 250
        /// How often a running stream's count goes into the journal.
        public var progressMilliseconds: Int64 = 2000
        /// From a batch's creation to the first look whether it has ended; each pause after it is half as long again.
        public var batchPollMilliseconds: Int64 = 2000
        /// From the start to the first look for batches that no gateway saw to their end.
        public var batchFirstSweepMilliseconds: Int64 = 500
        /// How often batches are looked for that no gateway saw to their end.
        public var batchSweepMilliseconds: Int64 = 300_000
        /// How long an engine says of work in the background that it does not know it, until that is believed.
        public var workGoneMilliseconds: Int64 = 20_000
        /// How long the record of an answer waits for the engine to count what it left out; nobody else waits for it.
        public var countQuestionMilliseconds: Int64 = 2000
        /// How often refusal counts go into the journal.
        public var refusalsMilliseconds: Int64 = 3000

        /// The usual times.
        public init() {}

        /// Those of a request whose answer is a receipt.
        var ofReceipts: Times {
            var times = self
            times.plainDrainMilliseconds = max(plainDrainMilliseconds, receiptDrainMilliseconds)
            return times
        }
    }
}
