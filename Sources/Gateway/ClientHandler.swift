import Accounts
import Engines
import NIOCore
import NIOHTTP1
import Synchronization
import Telemetry

/// What of a request's head goes on to an engine.
struct ForwardedHead {
    let headers: HTTPHeaders
    /// With its question mark; empty when there is none.
    let query: Substring
}

/// A client's connection: reads one request after the other, refuses or answers it, or hands it to an `Exchange`.
final class ClientHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    /// A request whose body is still arriving.
    struct Incoming {
        let head: HTTPRequestHead
        let route: Route
        let query: Substring
        let grant: KeyGrant?
        /// What a path below `/engines/` asks of its backend; nil for other paths.
        var native: NativeCall?
        /// How often the snapshot had changed when the grant was looked up.
        let snapshotUpdates: Int
        /// Answered once the body, which is short, has passed by.
        var refusal: APIError?
        var body = ByteBuffer()
    }

    enum State {
        case idle
        case reading(Incoming)
        case running(Exchange)
        /// The last answer is written; what still comes is thrown away until the client closes.
        case discarding
        case closed
    }

    let loop: LoopContext
    var context: ChannelHandlerContext?
    var state = State.idle
    private var waiting = CircularBuffer<HTTPServerRequestPart>()
    private var waitingBytes = 0
    private var isReadingPaused = false
    private var isTakingWaiting = false
    var keepsAlive = true
    var isHTTP11 = true
    var isHeadRequest = false
    /// How the client of the current request wants its errors.
    var envelope = ErrorEnvelope.openAI
    var deadline: NIODeadline?
    private var unwritableSince: NIODeadline?

    /// Bodies of refused requests up to this size are let pass by, so that the connection can be kept.
    private static let refusedBodyBytesMax = 64 * 1024
    /// How long a connection is kept open for a client to read a last answer.
    static let discardMilliseconds: Int64 = 2000

    init(loop: LoopContext) { self.loop = loop }

    var shared: GatewayShared { loop.shared }
    var times: GatewayConfiguration.Times { shared.configuration.times }

    // MARK: What an exchange needs

    var isWritable: Bool { context?.channel.isWritable ?? false }
    /// HTTP/1.0 has no chunks.
    var canReadChunks: Bool { isHTTP11 }
    var closesAfterAnswer: Bool { !keepsAlive || shared.isDraining }

    func write(_ bytes: ByteBuffer) { context?.write(wrapOutboundOut(bytes), promise: nil) }
    func flush() { context?.flush() }

    /// Closes at once, so that an unfinished answer is seen to be unfinished.
    func cut() {
        state = .closed
        context?.close(promise: nil)
    }

    /// The exchange is over: close, or go on with the next request.
    func finishExchange(closes: Bool) {
        guard case .running = state else { return }
        endAnswer(closes: closes)
    }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        loop.joined(self)
        deadline = .now() + .milliseconds(times.headerReadMilliseconds)
    }

    func channelInactive(context: ChannelHandlerContext) {
        loop.left(self)
        shared.connections.subtract(1, ordering: .relaxed)
        left()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if case .running = state { return enqueue(part) }
        take(part)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        unwritableSince = isWritable ? nil : .now()
        if case .running(let exchange) = state { exchange.clientWritabilityChanged(isWritable) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return context.fireUserInboundEventTriggered(event) }
        // A client that closes its half has left, as nginx and Envoy see it too.
        left()
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let parserError = error as? HTTPParserError, canRefuse {
            refuse(parserError == .headerOverflow ? .headersTooLarge : .malformedRequest, grant: nil, closes: true)
        } else {
            left()
            context.close(promise: nil)
        }
    }

    private var canRefuse: Bool {
        switch state {
        case .idle, .reading: true
        case .running, .discarding, .closed: false
        }
    }

    private func left() {
        if case .running(let exchange) = state { exchange.clientLeft() }
        state = .closed
    }

    // MARK: Reading

    /// Keeps what a client sends ahead of its turn; beyond a bound the socket is not read.
    private func enqueue(_ part: HTTPServerRequestPart) {
        if case .body(let bytes) = part { waitingBytes += bytes.readableBytes } else { waitingBytes += 512 }
        waiting.append(part)
        if waitingBytes > shared.configuration.limits.pipelinedBytes { setReading(false) }
    }

    func setReading(_ reads: Bool) {
        guard reads == isReadingPaused, let channel = context?.channel else { return }
        isReadingPaused = !reads
        try? channel.syncOptions?.setOption(.autoRead, value: reads)
        if reads { channel.read() }
    }

    func take(_ part: HTTPServerRequestPart) {
        switch (part, state) {
        case (.head(let head), .idle): takeHead(head)
        case (.body(let bytes), .reading(var incoming)):
            // Taken out while it grows, so that the buffer is not copied.
            state = .idle
            incoming.body.writeOrTake(bytes)
            let bytesMax = shared.configuration.limits.bodyBytes
            let isTooLarge = incoming.body.readableBytes > bytesMax
            if isTooLarge, incoming.refusal == nil { return refuse(.bodyTooLarge(bytesMax), incoming, closes: true) }
            if incoming.refusal != nil { incoming.body.clear() }
            state = .reading(incoming)
        case (.end, .reading(let incoming)):
            state = .idle
            answer(incoming)
        default: break
        }
    }

    private func takeHead(_ head: HTTPRequestHead) {
        isHTTP11 = head.version.major > 1 || head.version.minor >= 1
        keepsAlive = head.isKeepAlive && isHTTP11
        envelope = .openAI
        isHeadRequest = head.method == .HEAD
        deadline = .now() + .milliseconds(times.bodyReadMilliseconds)
        let declared = head.headers.first(name: "content-length").flatMap { Int($0) }
        let isChunked = head.headers.contains(name: "transfer-encoding")
        var incoming: Incoming
        do throws(APIError) {
            incoming = try check(head, declared: declared)
        } catch {
            let grant = try? authenticate(head, query: "")
            incoming = Incoming(
                head: head, route: .health, query: "", grant: grant, snapshotUpdates: shared.snapshots.updates,
                refusal: error)
        }
        let expectsContinue = head.headers.first(name: "expect")?.lowercased() == "100-continue"
        if incoming.refusal != nil {
            let isShort = !isChunked && (declared ?? 0) <= ClientHandler.refusedBodyBytesMax && !expectsContinue
            if let refusal = incoming.refusal, !isShort { return refuse(refusal, incoming, closes: true) }
        } else if expectsContinue, isHTTP11 {
            write(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n"))
            flush()
        }
        if let declared, incoming.refusal == nil { incoming.body.reserveCapacity(min(declared, 1 << 20)) }
        state = .reading(incoming)
    }

    private func authenticate(_ head: HTTPRequestHead, query: Substring) throws(APIError) -> KeyGrant {
        try Admission(snapshot: shared.snapshots.current)
            .grant(secret: ClientCredential.secret(in: head.headers, query: query))
    }

    /// The grant as it is now. While the body arrived, which may take a minute, the key may have been revoked, or its
    /// account's clock moved: stamped by the old one, a request could fall into a month that is closed already.
    func currentGrant(of incoming: Incoming) throws(APIError) -> KeyGrant? {
        guard incoming.grant != nil, incoming.snapshotUpdates != shared.snapshots.updates else { return incoming.grant }
        return try authenticate(incoming.head, query: incoming.query)
    }

    /// Everything that can be told from the head alone.
    private func check(_ head: HTTPRequestHead, declared: Int?) throws(APIError) -> Incoming {
        let limits = shared.configuration.limits
        guard head.uri.utf8.count <= limits.pathBytes else { throw .pathTooLong }
        let mark = head.uri.utf8.firstIndex(of: UInt8(ascii: "?")) ?? head.uri.endIndex
        guard let route = Route(path: head.uri[..<mark]) else { throw .unknownPath(String(head.uri[..<mark])) }
        guard head.method == .OPTIONS || route.allows(head.method) else {
            throw .methodNotAllowed(head.method.rawValue, allowed: route.allowed)
        }
        if let surface = route.surface { envelope = ErrorEnvelope(surface) }
        let updates = shared.snapshots.updates
        let query = head.uri[mark...]
        var grant: KeyGrant?
        if route.needsKey, head.method != .OPTIONS { grant = try authenticate(head, query: query) }
        var incoming = Incoming(head: head, route: route, query: query, grant: grant, snapshotUpdates: updates)
        guard route.isForwarded, head.method != .OPTIONS else { return incoming }
        if case .native(let backend, let path) = route, let grant {
            incoming.native = try nativeCall(on: backend, path: path, method: head.method, grant: grant)
        }
        if !shared.journal.isAccepting { throw .journalUnavailable }
        if grant?.subscriptionID == nil { throw .noSubscription }
        if let declared, declared > limits.bodyBytes { throw .bodyTooLarge(limits.bodyBytes) }
        return incoming
    }

    /// What a path below `/engines/` asks for, in the dialect of its backend; from here on errors are in that dialect.
    private func nativeCall(
        on name: String, path: String, method: HTTPMethod, grant: KeyGrant
    ) throws(APIError) -> NativeCall {
        let backend = try Admission(snapshot: shared.snapshots.current).backend(named: name, for: grant)
        guard let call = backend.dialect.nativeCall(method: method.rawValue, path: path[...]) else {
            throw .unknownPath("/engines/" + name + path)
        }
        envelope = ErrorEnvelope(call.surface)
        return call
    }

    /// Goes on with what the client sent ahead. An answer given at once comes back here: the loop goes on then, instead
    /// of one more inside it for each of perhaps thousands of requests.
    func takeWaiting() {
        guard !isTakingWaiting else { return }
        isTakingWaiting = true
        defer { isTakingWaiting = false }
        while let part = waiting.popFirst() {
            if case .body(let bytes) = part { waitingBytes -= bytes.readableBytes } else { waitingBytes -= 512 }
            take(part)
            if case .running = state { return }
        }
        setReading(true)
    }

    // MARK: Time

    func closeIfIdle() {
        if case .idle = state, waiting.isEmpty { context?.close(promise: nil) }
    }

    func tick(now: NIODeadline) {
        if let unwritableSince, now >= unwritableSince + .milliseconds(times.writeStallMilliseconds) {
            left()
            context?.close(promise: nil)
            return
        }
        guard let deadline, now >= deadline else { return }
        switch state {
        case .idle, .discarding, .closed: context?.close(promise: nil)
        case .reading(let incoming): refuse(.slowRequest("body"), incoming, closes: true)
        case .running: break
        }
    }
}

extension Route {
    fileprivate func allows(_ method: HTTPMethod) -> Bool {
        switch self {
        case .inference: method == .POST
        case .native: method == .POST || method == .GET
        case .stored: method == .POST || method == .GET || method == .DELETE
        case .models, .model, .health, .readiness, .metrics: method == .GET || method == .HEAD
        }
    }
}

extension ByteBuffer {
    /// Becomes `bytes` when empty and without room, and copies them otherwise.
    fileprivate mutating func writeOrTake(_ bytes: ByteBuffer) {
        if readableBytes == 0, writableBytes < bytes.readableBytes {
            self = bytes
        } else {
            writeImmutableBuffer(bytes)
        }
    }
}
