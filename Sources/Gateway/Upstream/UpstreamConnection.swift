import Engines
import HTTP1
import NIOCore
import NIOSSL

/// A connection to an engine, on the event loop of the clients that it serves, one request at a time.
final class UpstreamConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let backend: Backend
    private let pool: UpstreamPool
    private var context: ChannelHandlerContext?
    private var parser = ResponseParser()
    private var exchange: Exchange?
    private var isReading = true
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
        hasAnswered = false
        keepsAlive = false
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    /// Stops or resumes reading, to make an engine as slow as its client.
    func setReading(_ reads: Bool) {
        guard reads != isReading, let channel = context?.channel else { return }
        isReading = reads
        try? channel.syncOptions?.setOption(.autoRead, value: reads)
        if reads { channel.read() }
    }

    /// Closes without waiting for the rest of the answer: how an engine learns to stop.
    func cut() {
        exchange = nil
        isClosed = true
        context?.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var piece = unwrapInboundIn(data)
        do throws(MessageError) {
            while !isClosed {
                // Nothing was asked, so nothing may come.
                guard exchange != nil else { return piece.readableBytes > 0 ? cut() : () }
                guard let (part, body) = try parser.next(in: &piece) else { return }
                take(part, body, isLast: piece.readableBytes == 0)
            }
        } catch {
            lost(.broken)
            context.close(promise: nil)
        }
    }

    /// `isLast`: nothing was read behind it yet.
    private func take(_ part: ResponseParser.Part, _ body: ByteBuffer?, isLast: Bool) {
        guard let exchange else { return }
        switch part {
        case .head(let head):
            hasAnswered = true
            keepsAlive = head.keepsAlive
            exchange.upstreamAnswered(head)
        case .body:
            if let body { exchange.upstreamSent(body) }
        case .end:
            self.exchange = nil
            setReading(true)
            if keepsAlive, isLast {
                isReused = true
                idleSince = .now()
                pool.giveBack(self)
            } else {
                isClosed = true
                context?.close(promise: nil)
            }
            exchange.upstreamEnded()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { exchange?.upstreamPaused() }

    func channelInactive(context: ChannelHandlerContext) {
        // The end of a body that ends with its connection, or the end of a message's middle.
        if exchange != nil, let part = try? parser.connectionClosed() { take(part, nil, isLast: false) }
        lost(.broken)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let isHandshake = !hasAnswered && !isReused && (error is NIOSSLError || error is BoringSSLError)
        lost(isHandshake ? .connect : .broken)
        context.close(promise: nil)
    }

    private func lost(_ failure: ExchangeStateMachine.Failure) {
        isClosed = true
        pool.forget(self)
        guard let exchange else { return }
        self.exchange = nil
        exchange.upstreamLost(failure, mayRetry: isReused && !hasAnswered)
    }
}
