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
    /// What the body takes of the gateway's memory, until it is dropped.
    var charge: BodyCharge?
}

/// A client's connection: does what `ClientStateMachine` says, between the socket and who answers.
final class ClientHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A request that is coming, or has come.
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
        /// What the body takes of the gateway's memory; nil while that is little.
        var charge: BodyCharge?
        /// Unpacks the body; nil for one that comes as it is.
        var inflater: Inflater?
        /// What of the body has come and is not unpacked yet.
        var packed = ByteBuffer()
    }

    /// Who answers the request.
    enum Answering {
        case nobody
        case exchange(Exchange)
        /// It is about files or batches.
        case call(JobCall)
        /// Its body is being read elsewhere.
        case reading(ReadingPool.Reading)
        /// Its limits have to be asked about.
        case wait(LimitWait)
    }

    /// Whom a connection may ask for what.
    enum Audience { case clients, monitoring }

    let loop: LoopContext
    let audience: Audience
    var context: ChannelHandlerContext?
    var machine: ClientStateMachine
    var answering = Answering.nobody
    /// The request whose body is coming.
    var incoming: Incoming?
    private var parser: RequestParser
    /// What has come and was not looked at yet: what the client sends ahead of its turn waits here.
    private var unread = ByteBuffer()
    private var isParsing = false
    /// How the client of the current request wants its errors.
    var envelope = ErrorEnvelope.openAI
    /// What the last request showed, and what it stood for.
    var known: KnownCredential?

    init(loop: LoopContext, audience: Audience = .clients) {
        self.loop = loop
        self.audience = audience
        let configuration = loop.shared.configuration
        parser = RequestParser(limits: HeadLimits(configuration.limits))
        machine = ClientStateMachine(bounds: ClientStateMachine.Bounds(configuration))
    }

    var shared: GatewayShared { loop.shared }

    // MARK: What an exchange needs

    var isWritable: Bool { context?.channel.isWritable ?? false }
    /// HTTP/1.0 has no chunks.
    var canReadChunks: Bool { machine.head.isHTTP11 }
    var closesAfterAnswer: Bool { !machine.head.keepsAlive || shared.isDraining }

    func write(_ bytes: ByteBuffer) { context?.write(wrapOutboundOut(bytes), promise: nil) }
    func flush() { context?.flush() }

    /// Closes at once, so that an unfinished answer is seen to be unfinished.
    func cut() {
        answering = .nobody
        _ = machine.left()
        context?.close(promise: nil)
    }

    /// The exchange is over: close, or go on with the next request.
    func finishExchange(closes: Bool) {
        guard machine.isAnswering else { return }
        endAnswer(closes: closes)
    }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        loop.joined(self)
        machine.connected(now: ProcessTime.milliseconds)
    }

    func channelInactive(context: ChannelHandlerContext) {
        loop.left(self)
        shared.connections.subtract(1, ordering: .relaxed)
        left()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard machine.takesBytes else { return }
        let piece = unwrapInboundIn(data)
        if unread.readableBytes == 0 { unread = piece } else { unread.writeImmutableBuffer(piece) }
        takeUnread()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        machine.isWritable(isWritable, now: ProcessTime.milliseconds)
        switch answering {
        case .exchange(let exchange): exchange.clientWritabilityChanged(isWritable)
        case .call(let call): call.clientWritabilityChanged(isWritable)
        case .nobody, .reading, .wait: break
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
        let who = answering
        let action = machine.left()
        answering = .nobody
        incoming = nil
        unread = ByteBuffer()
        switch (action, who) {
        case (.tellAnswer, .exchange(let exchange)): exchange.clientLeft()
        case (.tellAnswer, .call(let call)): call.clientLeft()
        case (.abandonWait, .reading(let reading)):
            reading.cancel()
            shared.openRequests.subtract(1, ordering: .relaxed)
        case (.abandonWait, .wait(let wait)):
            if wait.cancel() { shared.openRequests.subtract(1, ordering: .relaxed) }
        default: break
        }
    }

    // MARK: Reading

    /// Takes one part after the other until a request is answered elsewhere or nothing is left. An answer given at once
    /// comes back here: the loop goes on then, instead of one more inside it for each of perhaps thousands of requests.
    func takeUnread() {
        guard !isParsing else { return }
        isParsing = true
        defer { isParsing = false }
        do throws(MessageError) {
            while machine.isExpecting, let (part, body) = try parser.next(in: &unread) { take(part, body) }
        } catch {
            return refuse(error.isTooLarge ? .headersTooLarge : .malformedRequest, grant: nil, closes: true)
        }
        if !parser.isBetweenRequests { machine.beganHead(now: ProcessTime.milliseconds) }
        setReading()
    }

    func setReading() {
        guard let reads = machine.holdsUnread(unread.readableBytes), let channel = context?.channel else { return }
        try? channel.syncOptions?.setOption(.autoRead, value: reads)
        if reads { channel.read() }
    }

    private func take(_ part: RequestParser.Part, _ body: ByteBuffer?) {
        switch part {
        case .head(let head): takeHead(head)
        case .body: if let body { takeBody(body) }
        case .end: takeEnd()
        }
    }

    private func takeHead(_ head: RequestHead) {
        envelope = .openAI
        let incoming = read(head)
        self.incoming = incoming
        var facts = ClientStateMachine.Head()
        facts.isHTTP11 = head.minorVersion >= 1
        facts.keepsAlive = head.keepsAlive && facts.isHTTP11
        facts.isHeadRequest = head.method == .head
        facts.expectsContinue = head.expectsContinue
        facts.declaredBytes = head.contentLength
        // Only who asks an engine for something has a reason to send a body.
        let takesBody = incoming.route.isForwarded && head.method == .post
        facts.use = incoming.refusal != nil ? .refused : takesBody ? .kept : .dropped
        perform(machine.tookHead(facts, now: ProcessTime.milliseconds))
        let declared = head.contentLength ?? 0
        if case .body = machine.state, facts.use == .kept, !shared.memory.hasRoom(for: declared) {
            refuse(.memoryExhausted, incoming, closes: true)
        }
    }

    private func perform(_ action: ClientStateMachine.BodyAction) {
        guard let incoming else { return }
        switch action {
        case .go: break
        case .goOn:
            write(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n"))
            flush()
        case .refuse: refuse(incoming.refusal ?? .malformedRequest, incoming, closes: true)
        case .refuseTooLarge(let bytesMax): refuse(.bodyTooLarge(bytesMax), incoming, closes: true)
        }
    }

    private func takeBody(_ bytes: ByteBuffer) {
        guard incoming?.inflater != nil else { return keep(bytes) }
        incoming?.packed = bytes
        unpackSlice()
    }

    /// Takes so much more of the body as it is to be read.
    private func keep(_ bytes: ByteBuffer) {
        let action = machine.tookBody(bytes.readableBytes)
        guard action == .go else { return perform(action) }
        guard case .body(let body) = machine.state, body.use == .kept else { return }
        guard incoming?.append(bytes, budget: shared.memory) == true else {
            if let incoming { refuse(.memoryExhausted, incoming, closes: true) }
            return
        }
    }

    /// Unpacks a slice; the next one in the event loop's next turn, and until then nothing more is read.
    private func unpackSlice() {
        guard let inflater = incoming?.inflater, case .body = machine.state else { return }
        do throws(Inflater.Unreadable) {
            let slice = try withPacked { packed throws(Inflater.Unreadable) in try inflater.nextSlice(of: &packed) }
            keep(slice)
        } catch {
            if let incoming { refuse(.unreadableCoding, incoming, closes: true) }
            return
        }
        guard let packed = incoming?.packed, inflater.hasMore(of: packed) else { return machine.isUnpacking(false) }
        guard case .body = machine.state else { return }
        machine.isUnpacking(true)
        setReading()
        let bound = NIOLoopBound(self, eventLoop: loop.eventLoop)
        loop.eventLoop.execute {
            bound.value.unpackSlice()
            bound.value.takeUnread()
        }
    }

    private func withPacked<Result>(
        _ body: (inout ByteBuffer) throws(Inflater.Unreadable) -> Result
    ) throws(Inflater.Unreadable) -> Result {
        var packed = incoming?.packed ?? ByteBuffer()
        incoming?.packed = ByteBuffer()
        defer { incoming?.packed = packed }
        return try body(&packed)
    }

    private func takeEnd() {
        guard let incoming else { return }
        if incoming.inflater?.isWhole == false { return refuse(.unreadableCoding, incoming, closes: true) }
        self.incoming = nil
        if machine.endedBody() {
            answer(incoming)
        } else {
            refuse(incoming.refusal ?? .malformedRequest, incoming, closes: false)
        }
    }

    // MARK: Time

    func closeIfIdle() {
        if machine.state == .idle, unread.readableBytes == 0 { context?.close(promise: nil) }
    }

    func tick(now: NIODeadline) {
        switch machine.tick(now: ProcessTime.milliseconds(of: now)) {
        case .nothing: break
        case .close: context?.close(promise: nil)
        case .leave:
            left()
            context?.close(promise: nil)
        case .refuseSlowBody: if let incoming { refuse(.slowRequest("body"), incoming, closes: true) }
        }
    }
}

extension ClientHandler.Incoming {
    /// Room that is made for a body before it has come.
    private static let reservedBytesMax = 1 << 20

    /// A body that came in one piece stays where it was read; others are put together. False when the gateway's memory
    /// has no room for it.
    fileprivate mutating func append(_ bytes: ByteBuffer, budget: MemoryBudget) -> Bool {
        let size = body.readableBytes + bytes.readableBytes
        if size > BodyCharge.freeBytes {
            let charge = charge ?? BodyCharge(budget)
            self.charge = charge
            guard charge.grow(to: size) else { return false }
        }
        if body.readableBytes == 0 {
            if bytes.readableBytes == head.contentLength {
                body = bytes
                return true
            }
            body.reserveCapacity(min(head.contentLength ?? 0, Self.reservedBytesMax))
        }
        body.writeImmutableBuffer(bytes)
        return true
    }
}

extension HeadLimits {
    fileprivate init(_ limits: GatewayConfiguration.Limits) {
        self.init(
            fieldBytes: limits.headerFieldBytes, listBytes: limits.headerListBytes, fieldCount: limits.headerCount)
    }
}
