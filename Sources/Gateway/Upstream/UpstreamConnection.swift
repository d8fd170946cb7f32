import Engines
import HTTP1
import NIOCore
import NIOSSL

/// A connection to an engine, on the event loop of the clients that it serves, one request at a time.
///
/// An answer that came compressed is handed on unpacked, a slice in each turn of the event loop: until all that came is
/// unpacked, nothing more is read.
final class UpstreamConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let backend: Backend
    private let pool: UpstreamPool
    private var context: ChannelHandlerContext?
    private var parser = ResponseParser()
    private var exchange: Exchange?
    private var isReading = true
    /// What has come and was not looked at yet: empty but while an answer is being unpacked.
    private var unread = ByteBuffer()
    /// Unpacks the running answer; nil for one that came as it is.
    private var inflater: Inflater?
    /// What of the last piece is not unpacked yet.
    private var packed = ByteBuffer()
    /// Whether the next slice is to be unpacked in the event loop's next turn.
    private var isSlicing = false
    /// Whether the engine has closed the connection while its answer was still being unpacked.
    private var isInputOver = false
    private var keepsAlive = false
    private var isClosed = false
    /// Whether it served a request before the current one: then a sudden close may only mean that it was stale.
    private(set) var isReused = false
    private var hasAnswered = false
    /// Since when it is idle.
    private(set) var idleSince = NIODeadline.now()

    init(backend: Backend, pool: UpstreamPool) {
        self.backend = backend
        self.pool = pool
    }

    var isUsable: Bool { !isClosed && exchange == nil }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Writes a request whose answer `exchange` gets.
    func begin(_ exchange: Exchange, request: ByteBuffer) {
        self.exchange = exchange
        inflater = nil
        hasAnswered = false
        keepsAlive = false
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    /// Stops or resumes reading, to make an engine as slow as its client.
    func setReading(_ reads: Bool) {
        guard reads != isReading else { return }
        isReading = reads
        applyReading()
        if reads, hasPacked { scheduleSlice() }
    }

    private func applyReading() {
        guard let channel = context?.channel else { return }
        let reads = isReading && !hasPacked
        try? channel.syncOptions?.setOption(.autoRead, value: reads)
        if reads { channel.read() }
    }

    /// Closes without waiting for the rest of the answer: how an engine learns to stop.
    func cut() {
        exchange = nil
        isClosed = true
        inflater = nil
        context?.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let piece = unwrapInboundIn(data)
        if unread.readableBytes == 0 { unread = piece } else { unread.writeImmutableBuffer(piece) }
        if !hasPacked { takeUnread() }
    }

    private func takeUnread() {
        do throws(MessageError) {
            while !isClosed, !hasPacked {
                // Nothing was asked, so nothing may come.
                guard exchange != nil else { return unread.readableBytes > 0 ? cut() : () }
                guard let (part, body) = try parser.next(in: &unread) else { return }
                take(part, body, isLast: unread.readableBytes == 0)
            }
        } catch {
            lost(.broken)
            context?.close(promise: nil)
        }
    }

    /// `isLast`: nothing was read behind it yet.
    private func take(_ part: ResponseParser.Part, _ body: ByteBuffer?, isLast: Bool) {
        guard let exchange else { return }
        switch part {
        case .head(let head):
            hasAnswered = true
            keepsAlive = head.keepsAlive
            let packing = packing(of: head)
            // What cannot be read cannot be metered, and was not asked for: it counts as no answer. An error
            // says enough by its status.
            guard packing != .unknown || !(200..<300).contains(head.status) else {
                lost(.broken)
                context?.close(promise: nil)
                return
            }
            exchange.upstreamAnswered(packing == .packed ? unpacked(head) : head)
        case .body:
            guard let body else { return }
            guard inflater != nil else { return exchange.upstreamSent(body) }
            packed = body
            takeSlice()
        case .end:
            self.exchange = nil
            let isWhole = inflater?.isWhole != false
            inflater = nil
            setReading(true)
            if keepsAlive, isLast, isWhole {
                isReused = true
                idleSince = .now()
                pool.giveBack(self)
            } else {
                isClosed = true
                context?.close(promise: nil)
            }
            if isWhole { exchange.upstreamEnded() } else { exchange.upstreamLost(.broken, mayRetry: false) }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { exchange?.upstreamPaused() }

    func channelInactive(context: ChannelHandlerContext) {
        isInputOver = true
        if !hasPacked { inputEnded() }
    }

    private func inputEnded() {
        // The end of a body that ends with its connection, or the end of a message's middle.
        if exchange != nil, let part = try? parser.connectionClosed() { take(part, nil, isLast: false) }
        lost(.broken)
    }

    // MARK: Unpacking

    private func packing(of head: ResponseHead) -> Inflater.Packing {
        guard head.headers.contains("content-encoding") else { return .plain }
        return Inflater.packing(head.headers.all("content-encoding"))
    }

    /// The head as if the engine had not compressed its answer, which is unpacked from here on.
    private func unpacked(_ head: ResponseHead) -> ResponseHead {
        inflater = Inflater(outputBytesMax: pool.configuration.limits.answerBytes)
        var head = head
        head.headers.remove("content-encoding")
        head.declaredLength = nil
        return head
    }

    private var hasPacked: Bool { inflater?.hasMore(of: packed) ?? false }

    private func takeSlice() {
        guard let inflater, let exchange else { return }
        do throws(Inflater.Unreadable) {
            exchange.upstreamSent(try inflater.nextSlice(of: &packed))
        } catch {
            packed = ByteBuffer()
            lost(.broken)
            context?.close(promise: nil)
            return
        }
        guard hasPacked else { return }
        applyReading()
        scheduleSlice()
    }

    private func scheduleSlice() {
        guard !isSlicing, !isClosed else { return }
        isSlicing = true
        let bound = NIOLoopBound(self, eventLoop: pool.eventLoop)
        pool.eventLoop.execute { bound.value.goOn() }
    }

    /// The event loop's next turn. A client that does not read stops the unpacking, too.
    private func goOn() {
        isSlicing = false
        guard !isClosed, isReading else { return }
        takeSlice()
        if !hasPacked {
            applyReading()
            takeUnread()
            if isInputOver { inputEnded() }
        }
        exchange?.upstreamPaused()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let isHandshake = !hasAnswered && !isReused && (error is NIOSSLError || error is BoringSSLError)
        lost(isHandshake ? .connect : .broken)
        context.close(promise: nil)
    }

    private func lost(_ failure: ExchangeStateMachine.Failure) {
        isClosed = true
        inflater = nil
        pool.forget(self)
        guard let exchange else { return }
        self.exchange = nil
        exchange.upstreamLost(failure, mayRetry: isReused && !hasAnswered)
    }
}
