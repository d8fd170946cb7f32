import Accounts
import Engines
import HTTP1
import NIOCore
import Synchronization
import Telemetry

/// What a request's head has for an engine; its dialect says what of it goes on.
struct ForwardedHead {
    let headers: Headers
    /// With its question mark; empty when there is none.
    let query: Substring
}

/// A client's connection: reads one request after the other, refuses or answers it, or hands it to an `Exchange`.
final class ClientHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A request whose body is still arriving.
    struct Incoming {
        let head: RequestHead
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
        /// Its limits have to be asked about.
        case waiting(LimitWait)
        case running(Exchange)
        /// It is about files or batches.
        case calling(JobCall)
        /// The last answer is written; what still comes is thrown away until the client closes.
        case discarding
        case closed
    }

    let loop: LoopContext
    var context: ChannelHandlerContext?
    var state = State.idle
    private var parser: RequestParser
    /// What has come and was not looked at yet: what the client sends ahead of its turn waits here.
    private var unread = ByteBuffer()
    /// Whether a request's head has begun to come and is not whole.
    private var isInHead = false
    private var isReadingPaused = false
    private var isParsing = false
    var keepsAlive = true
    var isHTTP11 = true
    var isHeadRequest = false
    /// How the client of the current request wants its errors.
    var envelope = ErrorEnvelope.openAI
    /// What the last request showed, and what it stood for.
    private var known: KnownCredential?
    var deadline: NIODeadline?
    private var unwritableSince: NIODeadline?

    /// Bodies of refused requests up to this size are let pass by, so that the connection can be kept.
    private static let refusedBodyBytesMax = 64 * 1024
    /// Room that is made for a body before it has come.
    fileprivate static let reservedBodyBytesMax = 1 << 20
    /// How long a connection is kept open for a client to read a last answer.
    static let discardMilliseconds: Int64 = 2000

    init(loop: LoopContext) {
        self.loop = loop
        parser = RequestParser(limits: HeadLimits(loop.shared.configuration.limits))
    }

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
        switch state {
        case .discarding, .closed: return
        case .idle, .reading, .waiting, .running, .calling: break
        }
        let piece = unwrapInboundIn(data)
        if unread.readableBytes == 0 { unread = piece } else { unread.writeImmutableBuffer(piece) }
        takeUnread()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        unwritableSince = isWritable ? nil : .now()
        switch state {
        case .running(let exchange): exchange.clientWritabilityChanged(isWritable)
        case .calling(let call): call.clientWritabilityChanged(isWritable)
        case .idle, .reading, .waiting, .discarding, .closed: break
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return context.fireUserInboundEventTriggered(event) }
        // A client that closes its half has left, as nginx and Envoy see it too.
        left()
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        left()
        context.close(promise: nil)
    }

    private func left() {
        switch state {
        case .running(let exchange): exchange.clientLeft()
        case .calling(let call): call.clientLeft()
        case .waiting(let wait): if wait.cancel() { shared.openRequests.subtract(1, ordering: .relaxed) }
        case .idle, .reading, .discarding, .closed: break
        }
        state = .closed
    }

    // MARK: Reading

    /// Takes one part after the other until an exchange runs or nothing is left. An answer given at once comes back
    /// here: the loop goes on then, instead of one more inside it for each of perhaps thousands of requests.
    func takeUnread() {
        guard !isParsing else { return }
        isParsing = true
        defer { isParsing = false }
        do throws(MessageError) {
            while isExpectingRequest, let (part, body) = try parser.next(in: &unread) { take(part, body) }
        } catch {
            return refuse(error.isTooLarge ? .headersTooLarge : .malformedRequest, grant: nil, closes: true)
        }
        if case .idle = state, !isInHead, !parser.isBetweenRequests {
            isInHead = true
            deadline = .now() + .milliseconds(times.headerReadMilliseconds)
        }
        // Beyond a bound the socket is not read, so that a client cannot send ahead as much as it likes.
        setReading(unread.readableBytes <= shared.configuration.limits.pipelinedBytes)
    }

    private var isExpectingRequest: Bool {
        switch state {
        case .idle, .reading: true
        case .waiting, .running, .calling, .discarding, .closed: false
        }
    }

    func setReading(_ reads: Bool) {
        guard reads == isReadingPaused, let channel = context?.channel else { return }
        isReadingPaused = !reads
        try? channel.syncOptions?.setOption(.autoRead, value: reads)
        if reads { channel.read() }
    }

    private func take(_ part: RequestParser.Part, _ body: ByteBuffer?) {
        switch (part, state) {
        case (.head(let head), .idle): takeHead(head)
        case (.body, .reading(var incoming)):
            guard let body else { return }
            // Taken out while it grows, so that the buffer is not copied.
            state = .idle
            incoming.append(body)
            let bytesMax = shared.configuration.limits.bodyBytes
            let isTooLarge = incoming.body.readableBytes > bytesMax
            if isTooLarge, incoming.refusal == nil { return refuse(.bodyTooLarge(bytesMax), incoming, closes: true) }
            if incoming.refusal != nil { incoming.body = ByteBuffer() }
            state = .reading(incoming)
        case (.end, .reading(let incoming)):
            state = .idle
            answer(incoming)
        default: break
        }
    }

    private func takeHead(_ head: RequestHead) {
        isInHead = false
        isHTTP11 = head.minorVersion >= 1
        keepsAlive = head.keepsAlive && isHTTP11
        envelope = .openAI
        isHeadRequest = head.method == .head
        deadline = .now() + .milliseconds(times.bodyReadMilliseconds)
        let declared = head.contentLength
        var incoming: Incoming
        do throws(APIError) {
            incoming = try check(head, declared: declared)
        } catch {
            if envelope == .openAI {
                envelope = ErrorEnvelope(refusing: head.path, method: head.methodText) ?? .openAI
            }
            let grant = try? authenticate(head, query: "")
            incoming = Incoming(
                head: head, route: .health, query: "", grant: grant, snapshotUpdates: shared.snapshots.updates,
                refusal: error)
        }
        if let refusal = incoming.refusal {
            let isShort = (declared ?? .max) <= ClientHandler.refusedBodyBytesMax && !head.expectsContinue
            if !isShort { return refuse(refusal, incoming, closes: true) }
        } else if head.expectsContinue {
            write(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n"))
            flush()
        }
        state = .reading(incoming)
    }

    private func authenticate(_ head: RequestHead, query: Substring) throws(APIError) -> KeyGrant {
        let updates = shared.snapshots.updates
        if let known, known.snapshotUpdates == updates, known.isShown(in: head.headers) { return known.grant }
        let grant = try Admission(snapshot: shared.snapshots.current)
            .grant(secret: ClientCredential.secret(in: head.headers, query: query))
        known = KnownCredential(in: head.headers, snapshotUpdates: updates, grant: grant)
        return grant
    }

    /// The grant as it is now. While the body arrived, which may take a minute, the key may have been revoked, or its
    /// account's clock moved: stamped by the old one, a request could fall into a month that is closed already.
    func currentGrant(of incoming: Incoming) throws(APIError) -> KeyGrant? {
        guard incoming.grant != nil, incoming.snapshotUpdates != shared.snapshots.updates else { return incoming.grant }
        return try authenticate(incoming.head, query: incoming.query)
    }

    /// Everything that can be told from the head alone.
    private func check(_ head: RequestHead, declared: Int?) throws(APIError) -> Incoming {
        let limits = shared.configuration.limits
        guard head.targetByteCount <= limits.pathBytes else { throw .pathTooLong }
        let path = head.path
        guard let route = Route(path: path[...]) else { throw .unknownPath(path) }
        guard head.method == .options || route.allows(head.method) else {
            throw .methodNotAllowed(head.methodText, allowed: route.allowed)
        }
        if let surface = route.surface { envelope = ErrorEnvelope(surface) }
        let updates = shared.snapshots.updates
        let query = head.query[...]
        var grant: KeyGrant?
        if route.needsKey, head.method != .options { grant = try authenticate(head, query: query) }
        var incoming = Incoming(head: head, route: route, query: query, grant: grant, snapshotUpdates: updates)
        guard route.isForwarded, head.method != .options else { return incoming }
        if case .native(let backend, let path) = route, let grant {
            incoming.native = try nativeCall(on: backend, path: path, method: head.methodText, grant: grant)
        }
        if !shared.journal.isAccepting { throw .journalUnavailable }
        if grant?.subscriptionID == nil { throw .noSubscription }
        if let declared, declared > limits.bodyBytes { throw .bodyTooLarge(limits.bodyBytes) }
        return incoming
    }

    /// What a path below `/engines/` asks for, in the dialect of its backend; from here on errors are in that dialect.
    private func nativeCall(
        on name: String, path: String, method: String, grant: KeyGrant
    ) throws(APIError) -> NativeCall {
        let backend = try Admission(snapshot: shared.snapshots.current).backend(named: name, for: grant)
        guard let call = backend.dialect.nativeCall(method: method, path: path[...]) else {
            throw .unknownPath("/engines/" + name + path)
        }
        envelope = ErrorEnvelope(call.surface)
        return call
    }

    // MARK: Time

    func closeIfIdle() {
        if case .idle = state, unread.readableBytes == 0 { context?.close(promise: nil) }
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
        case .waiting, .running, .calling: break
        }
    }
}

extension Route {
    fileprivate func allows(_ method: HTTP1.Method) -> Bool {
        switch self {
        case .inference: method == .post
        case .native: method == .post || method == .get
        case .jobs(let path): path.allows(method)
        case .models, .model, .health, .readiness, .metrics: method == .get || method == .head
        }
    }
}

extension ClientHandler.Incoming {
    /// A body that came in one piece stays where it was read; others are put together.
    fileprivate mutating func append(_ bytes: ByteBuffer) {
        if body.readableBytes == 0 {
            if bytes.readableBytes == head.contentLength {
                body = bytes
                return
            }
            body.reserveCapacity(min(head.contentLength ?? 0, ClientHandler.reservedBodyBytesMax))
        }
        body.writeImmutableBuffer(bytes)
    }
}

extension HeadLimits {
    fileprivate init(_ limits: GatewayConfiguration.Limits) {
        self.init(
            fieldBytes: limits.headerFieldBytes, listBytes: limits.headerListBytes, fieldCount: limits.headerCount)
    }
}
