import Engines
import NIOCore
import NIOHTTP1
import NIOSSL

/// A connection to an engine, on the event loop of the clients that it serves, one request at a time.
final class UpstreamConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    let backend: Backend
    private let pool: UpstreamPool
    private let anchor: WriteAnchor
    private let decoder: HTTPResponseDecoder
    private var channel: (any Channel)?
    private var exchange: Exchange?
    private var isReading = true
    private var keepsAlive = false
    private var isClosed = false
    /// Whether it served a request before the current one: then a sudden close may only mean that it was stale.
    private(set) var isReused = false
    private var hasAnswered = false
    /// Since when it is idle.
    private(set) var idleSince = NIODeadline.now()

    init(backend: Backend, pool: UpstreamPool, anchor: WriteAnchor, decoder: HTTPResponseDecoder) {
        self.backend = backend
        self.pool = pool
        self.anchor = anchor
        self.decoder = decoder
    }

    var isUsable: Bool { !isClosed && exchange == nil }

    func handlerAdded(context: ChannelHandlerContext) { channel = context.channel }

    /// Writes a request whose answer `exchange` gets.
    func begin(_ exchange: Exchange, request: ByteBuffer) {
        self.exchange = exchange
        hasAnswered = false
        keepsAlive = false
        // The decoder has to know that an answer is expected; it observes typed writes, and these are bytes.
        decoder.write(data: .head(UpstreamConnection.expectedHead))
        anchor.write(request)
        anchor.flush()
    }

    private static let expectedHead = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/")

    /// Stops or resumes reading, to make an engine as slow as its client.
    func setReading(_ reads: Bool) {
        guard reads != isReading, let channel else { return }
        isReading = reads
        try? channel.syncOptions?.setOption(.autoRead, value: reads)
        if reads { channel.read() }
    }

    /// Closes without waiting for the rest of the answer: how an engine learns to stop.
    func cut() {
        exchange = nil
        isClosed = true
        channel?.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let exchange else {
            // Nothing was asked, so nothing may come.
            cut()
            return
        }
        switch unwrapInboundIn(data) {
        case .head(let head):
            hasAnswered = true
            keepsAlive = head.isKeepAlive
            exchange.upstreamAnswered(head)
        case .body(let body): exchange.upstreamSent(body)
        case .end:
            self.exchange = nil
            setReading(true)
            if keepsAlive {
                isReused = true
                idleSince = .now()
                pool.giveBack(self)
            } else {
                isClosed = true
                context.close(promise: nil)
            }
            exchange.upstreamEnded()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { exchange?.upstreamPaused() }

    func channelInactive(context: ChannelHandlerContext) { lost(.broken) }

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

/// Stands before the HTTP decoder in the pipeline, so that requests can be written as bytes.
final class WriteAnchor: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func write(_ buffer: ByteBuffer) { context?.write(wrapOutboundOut(buffer), promise: nil) }
    func flush() { context?.flush() }
}
